/**
 * Runs `fn` and prints what IPython's `%time` prints of it: processor time of this process – all its threads – in user
 * and system mode, and the time that passed. Returns what `fn` returned; what it throws passes through.
 */
export async function time<T>(label: string, fn: () => T | Promise<T>): Promise<T> {
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

/** A length of time as IPython writes it: three digits below a minute (`1.25 s`, `80 ms`), else `2min 5s`. */
export function formatTime(seconds: number): string {
  if (seconds >= 60) return formatLong(seconds)
  const order = seconds > 0 ? Math.min(-Math.floor(Math.floor(Math.log10(seconds)) / 3), 3) : 3
  return `${general(seconds * 1e3 ** order, 3)} ${['s', 'ms', 'μs', 'ns'][order]}`
}

function formatLong(seconds: number): string {
  const parts: string[] = []
  let left = seconds
  for (const [unit, length] of [
    ['d', 86_400],
    ['h', 3_600],
    ['min', 60],
    ['s', 1],
  ] as const) {
    const value = Math.floor(left / length)
    if (value > 0) {
      left %= length
      parts.push(`${value}${unit}`)
    }
    if (left < 1) break
  }
  return parts.join(' ')
}

/** C's `%.{digits}g`, which Python prints numbers with. */
function general(value: number, digits: number): string {
  const [mantissa, exponent] = value.toExponential(digits - 1).split('e') as [string, string]
  const power = Number(exponent)
  if (power >= -4 && power < digits) return String(Number(value.toPrecision(digits)))
  return `${Number(mantissa)}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}
