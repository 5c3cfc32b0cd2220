import { inspect } from 'node:util'

/** Where the walk over a value stands: the root's name, then `.key` and `[0]`. */
export class Path {
  readonly #steps: string[]

  constructor(root: string) {
    this.#steps = [root]
  }

  get root(): string {
    return this.#steps[0]!
  }

  /** Steps, the root among them. */
  get depth(): number {
    return this.#steps.length
  }

  /** Begins again. */
  reset(root: string): void {
    this.#steps.length = 1
    this.#steps[0] = root
  }

  enter(step: string): void {
    this.#steps.push(step)
  }

  leave(): void {
    this.#steps.pop()
  }

  /** Goes back to where it was that deep. */
  cut(depth: number): void {
    this.#steps.length = depth
  }

  at<T>(step: string, work: () => T): T {
    this.#steps.push(step)
    const result = work()
    this.#steps.pop()
    return result
  }

  toString(): string {
    return this.#steps.join('')
  }
}

/** The step to a record's key. */
export const keyStep = (key: string): string =>
  /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`

/** The step to what a Map has under a key. */
export const getStep = (key: unknown): string =>
  typeof key === 'object' || typeof key === 'function' ? '.get(…)' : `.get(${inspect(key)})`
