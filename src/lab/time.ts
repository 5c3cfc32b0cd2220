import { expected } from '../core/errors.js'
import { formatTime } from '../core/format.js'

export { formatTime } from '../core/format.js'

/**
 * Runs `fn` and prints what IPython's `%time` prints of it: processor time of this process – all its threads – in user
 * and system mode, and the time that passed. Returns what `fn` returned; what it throws passes through.
 * @throws RayitoError INVALID_ARGUMENT (rejects) for what is no function, as a promise of what is to be timed
 */
export async function time<T>(label: string, fn: () => T | Promise<T>): Promise<T> {
  if (typeof fn !== 'function')
    expected('fn', 'a function', fn, 'Put `() =>` before the work, which begins when it is called.')
  const cpu = process.cpuUsage()
  const began = performance.now()
  const value = await fn()
  const wall = (performance.now() - began) / 1e3
  const { user, system } = process.cpuUsage(cpu)
  console.log(timeReport(label, { user: user / 1e6, system: system / 1e6, wall }))
  return value
}

/** The lines that `time` prints; all times in seconds. */
export function timeReport(
  label: string,
  { user, system, wall }: { user: number; system: number; wall: number },
): string {
  const cpu = `user ${formatTime(user)}, sys: ${formatTime(system)}, total: ${formatTime(user + system)}`
  return `${label}\nCPU times: ${cpu}\nWall time: ${formatTime(wall)}`
}
