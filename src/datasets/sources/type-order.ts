import type { Feature } from '../features.js'

/** Kinds of values that are given alike, however many bits or whichever unit they have in the file. */
const KINDS: readonly (readonly [form: RegExp, kind: string])[] = [
  [/^u?int\d+$/, 'whole'],
  [/^(large_)?string(_view)?$/, 'text'],
  [/^(large_)?binary(_view)?$|^fixed_size_binary\[\d+\]$/, 'bytes'],
  // Moments, whatever their unit and zone.
  [/^timestamp.*/, 'time'],
  [/^decimal\d+\(\d+, (-?\d+)\)$/, 'decimal($1)'],
]

const FLOATS = ['whole', 'float16', 'float32', 'float64']

function kindOf({ type, dtype }: Feature): string {
  if (dtype === null) return type
  for (const [form, kind] of KINDS) if (form.test(dtype)) return dtype.replace(form, kind)
  return dtype
}

/**
 * Whether values of the second type can come after those of the first in one column, each as it lies in its file: where Python's cast
 * to the first type would change none. Integers may have more bits than the first ones.
 */
export function canFollow(first: Feature, next: Feature): boolean {
  if (next.dtype === 'null') return true
  if (first.feature && next.feature) {
    const isAsLong = first.length === null || first.length === next.length
    return isAsLong && canFollow(first.feature, next.feature)
  }
  if (first.fields && next.fields) {
    const { fields } = next
    const parts = Object.entries(first.fields)
    const haveAll = parts.length === Object.keys(fields).length
    return haveAll && parts.every(([name, part]) => Object.hasOwn(fields, name) && canFollow(part, fields[name]!))
  }
  if (first.feature || first.fields || next.feature || next.fields) return false
  const [wanted, got] = [kindOf(first), kindOf(next)]
  if (wanted === got) return true
  // A day is its first moment; a cast to days would change moments.
  if (wanted === 'time' && got === 'date32') return true
  return wanted.startsWith('float') && FLOATS.includes(got) && FLOATS.indexOf(got) < FLOATS.indexOf(wanted)
}
