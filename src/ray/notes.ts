import { SLOTS, slotOf, type WireContent, type WireResult } from './protocol.js'

/** Of a call: its number, which of VALUES it returned, or NUMBER and the number, and when it began and ended (core/clock.ts). */
const FIELDS = 5
const VALUES = [undefined, null, false, true]
const NUMBER = VALUES.length

/**
 * Small results, written beside the slots of calls into memory that a thread shares with its driver. Results wait in the thread for
 * each other, since they share a message; should a call behind them hold the thread, the driver reads them here.
 */
export class Notes {
  /** Bytes behind the slots. */
  static readonly bytes = SLOTS * FIELDS * 8
  readonly #fields: Float64Array

  constructor(memory: SharedArrayBuffer) {
    this.#fields = new Float64Array(memory, SLOTS * 4, SLOTS * FIELDS)
  }

  /** To be written before the call is marked as finished. @returns false if its result is none of those that can be noted */
  write(call: number, [content, more]: readonly WireContent[], began: number, ended: number): boolean {
    if (!content || more || content[1]) return false
    const [value] = content
    const which = typeof value === 'number' ? NUMBER : VALUES.indexOf(value as undefined)
    if (which < 0) return false
    const at = slotOf(call) * FIELDS
    const fields = this.#fields
    fields[at] = call
    fields[at + 1] = which
    fields[at + 2] = which === NUMBER ? (value as number) : 0
    fields[at + 3] = began
    fields[at + 4] = ended
    return true
  }

  /** The result of a finished call, and what its times count from; null if it is not noted. */
  read(call: number): [WireResult, since: number] | null {
    const at = slotOf(call) * FIELDS
    const [noted, which, number, began, ended] = this.#fields.subarray(at, at + FIELDS) as unknown as number[]
    if (noted !== call) return null
    const value = which === NUMBER ? number : VALUES[which!]
    const bytes = which === NUMBER ? 8 : 1
    return [[call, true, [[value, false, bytes, 0, 0, []]], 0, Math.round((ended! - began!) * 1e6), 0], began!]
  }
}
