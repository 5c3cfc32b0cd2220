import { Notes } from '../../notes.js'
import { SLOT, SLOTS, slotOf, slotState, type WireResult } from '../../protocol.js'

/** How far each call of a worker is. */
export interface CallStates {
  queued(call: number): void
  started(call: number): void
  /** Takes a call back that has not started; false if it has, or if that cannot be known. */
  take(call: number): boolean
  /** How far it is: a SLOT. */
  progress(call: number): number
  /** The result of a finished call that may be on its way for long; null where it is not known. And what its times count from. */
  noted(call: number): [WireResult, since: number] | null
}

/** In memory shared with the worker, so that a call can be taken back before it starts. */
export class SharedStates implements CallStates {
  readonly memory = new SharedArrayBuffer(SLOTS * 4 + Notes.bytes)
  readonly #slots = new Int32Array(this.memory, 0, SLOTS)
  readonly #notes = new Notes(this.memory)

  queued(call: number): void {
    Atomics.store(this.#slots, slotOf(call), slotState(call, SLOT.QUEUED))
  }

  started(): void {}

  take(call: number): boolean {
    const queued = slotState(call, SLOT.QUEUED)
    return Atomics.compareExchange(this.#slots, slotOf(call), queued, slotState(call, SLOT.TAKEN)) === queued
  }

  progress(call: number): number {
    return Atomics.load(this.#slots, slotOf(call)) - slotState(call, 0)
  }

  noted(call: number): [WireResult, since: number] | null {
    return this.progress(call) === SLOT.FINISHED ? this.#notes.read(call) : null
  }
}

/** As the worker announces it: one that shares no memory says when a call starts. */
export class AnnouncedStates implements CallStates {
  readonly #started = new Set<number>()

  queued(call: number): void {
    for (const old of this.#started) if (slotOf(old) === slotOf(call)) this.#started.delete(old)
  }

  started(call: number): void {
    this.#started.add(call)
  }

  take(): boolean {
    return false
  }

  progress(call: number): number {
    return this.#started.has(call) ? SLOT.STARTED : SLOT.QUEUED
  }

  noted(): null {
    return null
  }
}
