/** Text of others as it may stand in a line of a terminal: what would steer that, line ends too, is shown as \ufffd. */
export function inLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '\ufffd')
}

/** The same of a text of several lines. */
export function inLines(text: string): string {
  return text.split('\n').map(inLine).join('\n')
}

/** `1 node`, `2 nodes`. */
export function plural(count: number, what: string): string {
  return `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`
}

/** Bytes in the decimal unit that suits them: 812 B, 3.1 MB. */
export function bytes(value: number): string {
  const units = ['B', 'KB', 'MB', 'GB', 'TB']
  let unit = 0
  let left = value
  while (left >= 999.5 && unit < units.length - 1) {
    left /= 1_000
    unit++
  }
  return `${unit === 0 || left >= 99.95 ? left.toFixed(0) : left.toFixed(1)} ${units[unit]}`
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
