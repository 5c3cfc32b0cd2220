import { randomUUID } from 'node:crypto'

export class Worker {
  readonly #id = randomUUID()
  double(n: number): number {
    return 2 * n
  }
  /** Returns once the gate is open. */
  wait(gate: Int32Array, n: number): number {
    Atomics.wait(gate, 0, 0, 30_000)
    return n
  }
  fail(n: number): number {
    throw new RangeError(`failed ${n}`)
  }
  whoAmI(_: number): string {
    return this.#id
  }
}
