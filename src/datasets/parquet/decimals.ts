import type { SchemaElement } from 'hyparquet'

/**
 * How a column is to be read for {@link decimals}: hyparquet makes doubles of all decimals, and multiplies by 0.01 where dividing
 * by 100 is exact. So the scale is applied afterwards, and long ones are left as they lie in the file. So are intervals and BSON, of which it
 * makes nothing.
 */
export function unscaled(element: SchemaElement): SchemaElement {
  const { converted_type, logical_type, ...rest } = element
  if (converted_type === 'INTERVAL' || converted_type === 'BSON') return rest
  if (converted_type !== 'DECIMAL') return element
  return (element.precision ?? 0) > 15 ? rest : { ...element, scale: 0 }
}

/**
 * The decimals of the unscaled numbers of a column, in lists or alone: the number nearest to it; where the digits do not fit into
 * a number, a bigint if none of them stand behind the point, else a text.
 */
export function decimals(value: unknown, scale: number): unknown {
  if (Array.isArray(value)) return value.map((part) => decimals(part, scale))
  if (value instanceof Uint8Array) return decimal(BigInt.asIntN(value.length * 8, whole(value)), scale)
  return typeof value === 'number' || typeof value === 'bigint' ? decimal(BigInt(value), scale) : value
}

function decimal(digits: bigint, scale: number): number | bigint | string {
  const isSafe = Number.isSafeInteger(Number(digits))
  if (scale === 0) return isSafe ? Number(digits) : digits
  const [sign, text] = digits < 0n ? ['-', `${-digits}`] : ['', `${digits}`]
  const padded = text.padStart(scale + 1, '0')
  const point = `${sign}${padded.slice(0, -scale)}.${padded.slice(-scale)}`
  return isSafe ? Number(point) : point
}

/** Big-endian. */
function whole(bytes: Uint8Array): bigint {
  return BigInt(`0x0${Buffer.from(bytes).toString('hex')}`)
}
