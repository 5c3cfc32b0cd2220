/** The other end of runProgram: what the programs say to the bench. */
import { RayitoError } from '#src/core/errors.js'
import { ownPeakMB } from './memory.js'

export type Said =
  | { kind: 'step' }
  | { kind: 'result'; value: unknown; ownMB: number }
  | { kind: 'failed'; message: string }

/** What the program was given. */
export function given<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T
}

/** A part of the work is done. */
export function step(): void {
  process.send?.({ kind: 'step' } satisfies Said)
}

/**
 * Runs the program, reports what it returned, and lets the process end by itself: nothing may hold it. One that failed is
 * ended, whatever threads it had begun.
 */
export function report(run: () => Promise<unknown>): void {
  run().then(
    (value) =>
      process.send?.({ kind: 'result', value, ownMB: ownPeakMB() } satisfies Said, () => process.disconnect?.()),
    (error: unknown) => {
      // what happened to a user is one line; what is wrong in the program shows where
      if (!(error instanceof RayitoError)) console.error(error)
      const message = error instanceof Error ? error.message : String(error)
      process.send?.({ kind: 'failed', message } satisfies Said, () => process.exit(1))
    },
  )
}

/** Seconds that `work` takes, seconds of processor time of all threads meanwhile, and its value. */
export async function clocked<T>(
  work: () => T | Promise<T>,
): Promise<{ seconds: number; cpuSeconds: number; value: T }> {
  const began = performance.now()
  const cpu = process.cpuUsage()
  const value = await work()
  const { user, system } = process.cpuUsage(cpu)
  return { seconds: (performance.now() - began) / 1e3, cpuSeconds: (user + system) / 1e6, value }
}
