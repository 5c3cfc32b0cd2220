import { Feature, type Features } from '../features.js'
import { canFollow } from './type-order.js'

/** What was told already: once is enough. */
const said = new Set<string>()

/**
 * Tells of plain columns to which a card gives a type that their files do not have: Python's `datasets` casts them, here values
 * are as they lie in the files.
 * @param told by column, in the form of the note of `datasets`
 * @param where the data set's files are
 */
export function tellOtherTypes(told: Readonly<Record<string, unknown>>, features: Features, where: string): void {
  const others = Object.keys(features).flatMap((name) => {
    const { _type, dtype } = (told[name] ?? {}) as { _type?: string; dtype?: string }
    const own = features[name]!.dtype
    if (_type !== 'Value' || dtype === undefined || own === null) return []
    return canFollow(new Feature('Value', dtype), features[name]!) ? [] : [`${name} as ${dtype} (${own} in the files)`]
  })
  if (others.length === 0) return
  const more = others.length > 3 ? `, and ${others.length - 3} more` : ''
  const line = `the card of ${where} has ${others.slice(0, 3).join(', ')}${more}: values are given as they lie in the files`
  if (said.has(line)) return
  said.add(line)
  process.emitWarning(line, 'RayitoWarning')
}
