/** tslab's own program, whose publishing socket sends everything at once. */
import { createRequire } from 'node:module'

const tslab = createRequire(createRequire(import.meta.url).resolve('tslab/package.json'))

// A socket that may wait does so at every 513th message, until the next turn of the event loop; sending another one before
// that throws. tslab does not wait: what a cell showed then, or its end, would be lost, and the cell could fail of it.
const zeromq = tslab('zeromq') as typeof import('zeromq')
zeromq.Publisher = class Publisher extends zeromq.Publisher {
  constructor(options: ConstructorParameters<typeof zeromq.Publisher>[0] = {}) {
    super({ ...options, sendTimeout: 0 })
  }
}

tslab('./bin/tslab')
