import type { ObjectRef } from './object-ref.js'

/** What yields, as the compiler sees it: an iterator, or what can be iterated in time. */
// biome-ignore lint/suspicious/noExplicitAny: whatever it is given
export type Yielding<T> = AsyncIterable<T> | Iterator<T, unknown, any> | AsyncIterator<T, unknown, any>

/**
 * What an iterable gives, one by one. Of what is not known to be one nothing is known, so that a function fits where less is known of what
 * it returns.
 */
export type ItemOf<R> = R extends Yielding<infer T> | Iterable<infer T>
  ? T
  : R extends null | undefined
    ? never
    : unknown

/** The refs of a call with numReturns from 2 and up: one for each element of what it returns. */
export type RefsOf<R, N extends number> = unknown extends R
  ? Times<ObjectRef<R>, N>
  : R extends readonly (infer T)[]
    ? T[] extends R
      ? Times<ObjectRef<T>, N>
      : { -readonly [K in keyof R]: ObjectRef<R[K]> }
    : Times<ObjectRef<ItemOf<R>>, N>
/** So many of them, where the compiler knows how many and they can be counted on two hands. */
type Times<T, N extends number, Some extends T[] = []> = N extends Some['length']
  ? Some
  : Some['length'] extends 10
    ? T[]
    : Times<T, N, [...Some, T]>

/** What `.remote()` gives with numReturns: of 1 the ref of the whole; either where the number is only known when it runs. */
export type Returned<R, N extends number> = N extends 1
  ? ObjectRef<R>
  : number extends N
    ? ObjectRef<R> | RefsOf<R, N>
    : RefsOf<R, N>
