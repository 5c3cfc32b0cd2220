import { availableParallelism } from 'node:os'
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'

/** Milliseconds: a message that comes so soon after the last was answered goes on with a conversation. */
const SOON = 0.15
/** So many in a row make one. */
const IN_A_ROW = 8
/** Milliseconds that are spent on looking for the next message. */
const LOOKING = 0.1
/** Messages after which the event loop has its turn. */
const TURN = 32

/**
 * The messages of a port, one after the other. Where one comes within microseconds of the last one's answer, again and again, as when
 * somebody calls an actor and waits each time, the thread looks for the next with open eyes: to be woken takes longer than such
 * a call. It does so for a tenth of a millisecond at most, and not again before others came as soon; never beside calls that run, nor beside
 * another thread that does, nor where there is only one processor.
 * @param handle says whether a message may be part of a conversation: who sends many calls at once does not wait for each
 * @param mayLook whether it may do so now: then `looked` follows
 */
export function converse<T>(
  port: MessagePort,
  handle: (message: T) => boolean,
  mayLook: () => boolean,
  looked: () => void,
): void {
  // Who asked must not wait for ever: the worker's end tells them.
  port.on('messageerror', (error) => {
    throw error
  })
  if (availableParallelism() < 2) return void port.on('message', handle)
  let row = 0
  let left = TURN
  let answered = 0
  const take = (message: T) => {
    const soon = performance.now() - answered < SOON
    row = handle(message) && soon ? row + 1 : 0
    answered = performance.now()
    if (row < IN_A_ROW) return
    if (--left > 0) return queueMicrotask(look)
    left = TURN
    setImmediate(look)
  }
  const look = () => {
    if (!mayLook()) return
    const until = performance.now() + LOOKING
    let next: { message: unknown } | undefined
    do {
      next = receiveMessageOnPort(port)
    } while (!next && performance.now() < until)
    looked()
    if (next) take(next.message as T)
    else row = 0
  }
  port.on('message', take)
}
