import { AsyncResource } from 'node:async_hooks'
import { availableParallelism } from 'node:os'
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'

/** Milliseconds: a call that leaves so soon after the last answer goes on with a conversation. */
const SOON = 0.3
/** So many in a row make one. */
const IN_A_ROW = 8
/** Calls that are waited for asleep after an answer that was looked for in vain. */
const AGAIN = 2
/** Milliseconds that are spent on looking for an answer. */
const LOOKING = 0.2

const PROCESSORS = availableParallelism()

/** Threads that have calls. */
let busy = 0

/**
 * What a thread says to this one: the other side of worker/conversation.ts. Where call follows call, each answer
 * waited for, and nobody else has anything to do, this thread looks for the answer in each turn of its event loop instead of
 * sleeping: to be woken takes longer than such a call. Timers and sockets have their turns as ever; an answer that takes longer is
 * waited for asleep, and so are the next two.
 */
export class Answers<T> {
  #row = 0
  #last = 0
  #busy = false
  #looking = false
  #until = 0

  /** @param alone whether it has one call at a time: who serves several requests at once leaves the processors to them */
  constructor(
    private readonly port: MessagePort,
    private readonly alone: boolean,
    private readonly handle: (message: T) => void,
    private readonly unreadable: (error: unknown) => void,
  ) {
    port.on('message', (message: T) => this.#take(message))
    port.on('messageerror', unreadable)
  }

  /** The thread has calls now, or none any more. */
  busy(whether: boolean): void {
    if (whether === this.#busy) return
    this.#busy = whether
    busy += whether ? 1 : -1
  }

  /** A message left. @param single it was a call by itself */
  sent(single: boolean): void {
    if (!this.alone) return
    const now = performance.now()
    this.#row = single && now - this.#last < SOON ? this.#row + 1 : 0
    if (this.#row < IN_A_ROW || busy > 1 || PROCESSORS < 2) return
    this.#until = now + LOOKING
    this.#lookSoon()
  }

  /** What has come already. */
  next(): { message: T } | undefined {
    for (;;)
      try {
        return receiveMessageOnPort(this.port) as { message: T } | undefined
      } catch (error) {
        this.unreadable(error)
      }
  }

  #take(message: T): void {
    this.#last = performance.now()
    this.handle(message)
  }

  #lookSoon(): void {
    if (this.#looking) return
    this.#looking = true
    setImmediate(this.#look)
  }

  // What a message brings about is none of the asynchronous context's in which a call happened to be made.
  #look = AsyncResource.bind(() => {
    this.#looking = false
    const next = this.next()
    if (next) this.#take(next.message)
    else if (!this.#busy) return
    else if (performance.now() < this.#until) this.#lookSoon()
    else this.#row = IN_A_ROW - AGAIN
  })
}
