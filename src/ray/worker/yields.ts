import { RayitoError } from '../../core/errors.js'

type Values = AsyncIterator<unknown> | Iterator<unknown>

/**
 * Runs a generator: hands each value on as it comes.
 * @param ahead values that may be on their way while the next is computed
 * @param give hands on value number `index`; says whether to go on
 * @throws what the generator throws
 */
export async function yieldAll(
  values: unknown,
  task: string,
  ahead: number,
  give: (index: number, value: unknown) => Promise<boolean>,
  signal: AbortSignal,
): Promise<void> {
  const iterator = iteratorOf(values, task)
  const given: Promise<boolean>[] = []
  // One that is cancelled cleans up at once, whatever becomes of the answer.
  let cancelled = () => {}
  signal.addEventListener('abort', () => cancelled(), { once: true })
  const on = () =>
    new Promise<boolean>((resolve, reject) => {
      cancelled = () => resolve(false)
      if (signal.aborted) cancelled()
      given.shift()!.then(resolve, reject)
    })
  try {
    for (let index = 0; ; index++) {
      const { done, value } = await iterator.next()
      if (done) break
      const one = give(index, value)
      // Seen when its turn comes.
      one.catch(() => {})
      given.push(one)
      while (given.length > ahead) if (!(await on())) return void (await iterator.return?.())
    }
  } catch (error) {
    // A value that cannot travel ends it; where it threw itself, this does nothing.
    await iterator.return?.()
    // Values from before stay.
    await Promise.allSettled(given)
    throw error
  }
  await Promise.all(given)
}

function iteratorOf(values: unknown, task: string): Values {
  if (typeof values === 'object' && values !== null) {
    if (Symbol.asyncIterator in values) return (values as AsyncIterable<unknown>)[Symbol.asyncIterator]()
    if (Symbol.iterator in values) return (values as Iterable<unknown>)[Symbol.iterator]()
  }
  throw new RayitoError(
    'RAY_MISUSE',
    `Expected ${task} to return an iterator (numReturns: 'streaming'), got ${typeof values}`,
    {
      remedy: 'Make it a generator (function*), or leave numReturns out.',
    },
  )
}
