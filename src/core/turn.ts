/** Milliseconds for which answers that are there already may follow each other before the event loop has its turn. */
const PATIENCE = 10

/** Answers since the loop last turned, and when the first was given. */
let answers = 0
let began = 0

/**
 * Before an answer that is there already: what is to be waited for, if a program has gone on from one such answer to the next for so
 * long that timers, sockets and its cluster have had no turn. Promises alone never let them have one.
 */
export function turn(): Promise<void> | null {
  if (answers++ === 0) {
    began = performance.now()
    setImmediate(() => {
      answers = 0
    })
  }
  return performance.now() - began < PATIENCE ? null : new Promise((resolve) => setImmediate(resolve))
}
