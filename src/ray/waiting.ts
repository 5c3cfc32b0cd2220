import { timerTime } from '../core/timer.js'
import { turn } from '../core/turn.js'
import { GetTimeoutError } from './errors.js'
import { type Entry, entryOf, isRef, type ObjectRef } from './object-ref.js'
import type { Waitable } from './runtime.js'
import type { GetOptions, WaitOptions } from './types.js'

/**
 * Resolves when every ref is settled, or when the first has failed: it rejects with that error at once, as Ray's get does.
 * @param seen whether somebody sees it
 */
export function settled(refs: readonly ObjectRef[], { timeout, signal }: GetOptions, seen: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    let left = 1
    let timer: NodeJS.Timeout | undefined
    const waiting: { ref: ObjectRef; then: () => void }[] = []
    const end = () => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', aborted)
      for (const { ref, then } of waiting) entryOf(ref).forget(then)
    }
    const aborted = () => {
      end()
      reject(signal!.reason)
    }
    const one = () => {
      if (--left > 0) return
      clearTimeout(timer)
      signal?.removeEventListener('abort', aborted)
      resolve()
    }
    if (seen) for (const ref of refs) entryOf(ref).asked = true
    for (const ref of refs) {
      const entry = entryOf(ref)
      if (entry.state === 'ready') continue
      if (entry.state === 'failed') {
        end()
        return reject(entry.error)
      }
      left++
      const then = () => {
        if (entry.state !== 'failed') return one()
        end()
        reject(entry.error)
      }
      waiting.push({ ref, then })
      entry.whenSettled(then)
    }
    if (timeout !== undefined && left > 1)
      timer = setTimeout(() => {
        const missing = refs.filter((ref) => entryOf(ref).state === 'pending').length
        end()
        reject(new GetTimeoutError(timeout, missing, refs.length))
      }, timerTime(timeout))
    if (left === 1) return answer(resolve)
    signal?.addEventListener('abort', aborted, { once: true })
    one()
  })
}

/** Now, unless others are to have their turn first. */
function answer(give: () => void): void {
  const others = turn()
  if (others) void others.then(give)
  else give()
}

/** What settles when a ref is ready or has failed, or a generator's next ref is there. */
export const awaited = (one: Waitable): Entry => (isRef(one) ? entryOf(one) : one.awaited())

/** Ray's wait: `numReturns` refs that are settled (failed counts), in the order given, and the rest. */
export function waitFor<W extends Waitable>(
  refs: readonly W[],
  { numReturns = 1, timeout }: WaitOptions,
): Promise<[W[], W[]]> {
  const entries = refs.map(awaited)
  return new Promise((resolve) => {
    let done = 0
    let timer: NodeJS.Timeout | undefined
    let ended = false
    let waited = false
    const end = () => {
      if (ended) return
      ended = true
      clearTimeout(timer)
      for (const entry of entries) entry.forget(one)
      const ready: W[] = []
      const rest: W[] = []
      for (const [i, ref] of refs.entries())
        (ready.length < numReturns && entries[i]!.state !== 'pending' ? ready : rest).push(ref)
      const give = () => resolve([ready, rest])
      if (waited) give()
      else answer(give)
    }
    const one = () => {
      if (++done >= numReturns) end()
    }
    for (const entry of entries) {
      if (ended) return
      entry.whenSettled(one)
    }
    waited = true
    if (!ended && timeout !== undefined) timer = setTimeout(end, timerTime(timeout))
  })
}
