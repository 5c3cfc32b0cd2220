import { timerTime } from '../core/timer.js'
import { GetTimeoutError } from './errors.js'
import { entryOf, type ObjectRef } from './object-ref.js'
import type { GetOptions, WaitOptions } from './types.js'

/** Resolves when every ref is settled, or when the first has failed: it rejects with that error at once, as Ray's get does. */
export function settled(refs: readonly ObjectRef[], { timeout, signal }: GetOptions): Promise<void> {
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
    for (const ref of refs) entryOf(ref).asked = true
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
    signal?.addEventListener('abort', aborted, { once: true })
    one()
  })
}

/** Ray's wait: `numReturns` refs that are settled (failed counts), in the order given, and the rest. */
export function waitFor(
  refs: readonly ObjectRef[],
  { numReturns = 1, timeout }: WaitOptions,
): Promise<[ObjectRef[], ObjectRef[]]> {
  return new Promise((resolve) => {
    let done = 0
    let timer: NodeJS.Timeout | undefined
    let ended = false
    const end = () => {
      if (ended) return
      ended = true
      clearTimeout(timer)
      for (const ref of refs) entryOf(ref).forget(one)
      const ready: ObjectRef[] = []
      const rest: ObjectRef[] = []
      for (const ref of refs) (ready.length < numReturns && entryOf(ref).state !== 'pending' ? ready : rest).push(ref)
      resolve([ready, rest])
    }
    const one = () => {
      if (++done >= numReturns) end()
    }
    for (const ref of refs) {
      if (ended) return
      entryOf(ref).whenSettled(one)
    }
    if (!ended && timeout !== undefined) timer = setTimeout(end, timerTime(timeout))
  })
}
