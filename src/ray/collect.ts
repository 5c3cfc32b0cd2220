import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

type Collect = (options?: { type: 'minor' } | typeof THOROUGH) => void
let found: Collect | null = null

function collector(): Collect {
  if (!found) {
    setFlagsFromString('--expose-gc')
    found = runInNewContext('gc') as Collect
  }
  return found
}

/**
 * Node 22's V8 leaves handles that calls were made by to a collection that goes over all once more. V8 11, of Node 20, finds
 * them without, and takes an option that it does not know for a wish to find less.
 */
const THOROUGH = { type: 'major', execution: 'sync', flavor: 'last-resort' } as const
const knowsFlavors = Number.parseInt(process.versions.v8, 10) >= 12

/** Of the time, what collections take beside work that goes on. */
const SHARE = 0.02
/** Until when such work is spared another. */
let spared = 0

/**
 * Collects this thread's garbage now; what is told of it hears of it in one of the next turns. Returns whether it did.
 * @param beside whether work goes on: it does not wait for another so soon
 */
export function collect(beside = false): boolean {
  const began = performance.now()
  if (beside && began < spared) return false
  if (knowsFlavors) collector()(THOROUGH)
  else collector()()
  const ended = performance.now()
  spared = ended + (ended - began) / SHARE
  return true
}

/** Collects this thread's garbage, and gives the memory of its buffers back before it returns. */
export function collectBuffers(): void {
  const gc = collector()
  gc()
  // Buffers are given back by a thread of V8's own: the next collection, however small, waits for it.
  gc({ type: 'minor' })
}
