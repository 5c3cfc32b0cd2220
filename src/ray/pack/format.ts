/**
 * What a packed value looks like. A value without anything special is simply a copy of it. Otherwise it is three arrays in
 * one: a box with the value in which places are left empty, the special things, and for each of them the places it belongs
 * to. Structured cloning keeps identity, so that a place can name its container itself. Things come in the order in which
 * they can be made: what is inside a thing's box before the thing.
 */
export type SpecialData = [box: Box, specials: Special[], places: Place[]]

/** Something to hold a value, so that the value itself can be a place. */
export type Box = [value: unknown]

/** The places of one special thing: container, key, container, key … A key of a Map's is the Map's own. */
export type Place = unknown[]

export type Special =
  /** A Travel: whatever its module's export makes of the box. */
  | ['travel', module: string, name: string, Box]
  /** An instance of a class that has `[deserialize]`. */
  | ['instance', code: unknown, Box]
  /** A function or class. */
  | ['code', code: unknown]
  /** An error without its fields, and what its fields are. */
  | ['error', EncodedError]
  | ['fields', error: number, Box, hidden: string[]]
  /** Bytes that were a Buffer. */
  | ['buffer', Uint8Array]
  /** Shared memory itself, under a view. */
  | ['memory', Uint8Array]
  | ['url', string]
  /** What it is besides a Blob. */
  | ['file', Blob, name: string, lastModified: number]
  /** One that all threads have, by its key; or one of this data only. */
  | ['symbol', key: string | undefined, description: string | undefined]
  /** A Map or Set with special keys or members. */
  | ['refill', object, unknown[]]
  /** Properties of an object: key, descriptor, key, descriptor … */
  | ['define', object, unknown[]]

export interface EncodedError {
  /** The built-in class nearest to it, or a class of rayito's. */
  type: string
  /** Names of its own classes below that, if there are any; its own first. */
  classes?: readonly string[]
  name: string
  message: string
  stack: string
}

/** What is packed, and what its sender must know of it. */
export interface Packed {
  /** Can be structured-cloned. */
  data: unknown
  /** Whether `unpack` is needed to make the value of the data. */
  special: boolean
  /** Bytes that each crossing copies (an estimate). */
  copied: number
  /** Bytes of shared memory that it hands over. */
  shared: number
  /** How many of these were allocated for it, and not shared before. */
  fresh: number
  /** ObjectRefs and actor handles inside: they must live as long as the data. */
  carried: readonly object[]
}
