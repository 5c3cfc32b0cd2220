/** Shared memory that something is about to be copied into: one thread copies, from the beginning on, and another helps. */
export interface Fresh {
  readonly memory: SharedArrayBuffer
  /** Bytes of a piece: whoever takes one writes to it, and the other does not until it is done. */
  readonly piece: number
  /** An Int32 a piece. */
  readonly pieces: SharedArrayBuffer
}

/** Of a piece: nobody has taken it, whoever copies has, whoever helps has, and has done with it. */
export const FREE = 0
export const COPIED = 1
export const TOUCHING = 2
export const TOUCHED = 3

/** No system has smaller pages. */
const PAGE = 4096

/** Writes to each page, from the end on, until all are there or the other thread has come so far. */
export function touch({ memory, piece, pieces }: Fresh): void {
  const bytes = new Uint8Array(memory)
  const states = new Int32Array(pieces)
  for (let i = states.length - 1; i >= 0; i--) {
    if (Atomics.compareExchange(states, i, FREE, TOUCHING) !== FREE) return
    const end = Math.min((i + 1) * piece, bytes.length)
    // The same zero that is there: a plain write, since V8's atomic ones read first, which makes two faults of one.
    for (let at = i * piece; at < end; at += PAGE) bytes[at] = 0
    Atomics.store(states, i, TOUCHED)
    Atomics.notify(states, i)
  }
}
