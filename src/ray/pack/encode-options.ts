export type AnyFunction = (...args: never[]) => unknown

/** What packing leaves to its caller. */
export interface EncodeOptions {
  /** What stands for a function or class that may travel: in the data of a `[serialize]`, or anywhere if `functions`. */
  code?: (fn: AnyFunction, path: string) => unknown
  /** What a module is called on the other side. @default its URL */
  module?: (url: string) => string
  /** Whether functions and classes may be anywhere in the value. @default false */
  functions?: boolean
  /** Where functions may be: whether a getter or setter that one sees travels itself, and not the value that it gives. */
  accessors?: (fn: AnyFunction) => boolean
  /** What stands for an object that is known on the other side (as code does), or undefined. */
  known?: (object: object) => unknown
  /** ObjectRefs and handles that described code holds. */
  carriedBy?: (code: unknown) => readonly object[]
  /** Replaces what cannot travel by its inspection instead of throwing. @default false */
  lenient?: boolean
}
