export { bytes } from '../core/format.js'

/** Seconds with as many digits as they are worth: 0.034, 1.25, 34.7, 125. */
export function seconds(value: number): string {
  if (value >= 100) return value.toFixed(0)
  if (value >= 9.995) return value.toFixed(1)
  return value.toFixed(value < 0.1 ? 3 : 2)
}

/** A ratio as a percentage without false precision: 0.4 %, 12 %. */
export function percent(ratio: number): string {
  const value = ratio * 100
  return `${Math.abs(value) < 9.95 && value !== 0 ? value.toFixed(1) : value.toFixed(0)} %`
}

/** `A`, `A and B`, `A, B and C`. */
export function list(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}
