import { parentPort } from 'node:worker_threads'
import { collectBuffers } from '../collect.js'
import { type Fresh, touch } from './fresh.js'

/** Milliseconds without another copy after which the thread lets go of the memory that it was given unasked. */
const REST = 100

/** What the thread is sent: memory to touch, or an Int32 that counts how often it has let go of all that it was given. */
export type Help = Fresh | SharedArrayBuffer

// As long as this thread has memory, even as garbage, nobody gets it back.
const rest = setTimeout(collectBuffers, REST)

parentPort!.on('message', (help: Help) => {
  if (help instanceof SharedArrayBuffer) {
    collectBuffers()
    const times = new Int32Array(help)
    Atomics.add(times, 0, 1)
    Atomics.notify(times, 0)
    return
  }
  touch(help)
  rest.refresh()
})
