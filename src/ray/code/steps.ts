/** Work that waits only where there is something to wait for: all before that is done at once, in its caller's turn. */
export type Steps<T> = Generator<Promise<unknown>, T, unknown>

/** A step: a value that may take a while. */
export function* awaited<T>(value: T | Promise<T>): Steps<T> {
  return value instanceof Promise ? ((yield value) as T) : value
}

/** Does the work; settles with what it returns or throws. */
export async function finished<T>(work: Steps<T>): Promise<T> {
  let step = work.next()
  while (!step.done) {
    const next = await step.value.then(
      (value) => () => work.next(value),
      (error) => () => work.throw(error),
    )
    step = next()
  }
  return step.value
}
