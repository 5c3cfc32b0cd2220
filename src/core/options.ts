import { expected, RayitoError } from './errors.js'

/**
 * Options are an object of known names: one that is misspelt, or Python's (`top_k`), is told instead of passed over.
 * @throws RayitoError INVALID_ARGUMENT
 */
export function knownOptions(options: unknown, names: readonly string[]): void {
  if (typeof options !== 'object' || options === null) expected('options', 'an object', options)
  for (const name of Object.keys(options))
    if (!names.includes(name))
      throw new RayitoError('INVALID_ARGUMENT', `There is no option \`${name}\` here`, {
        option: name,
        remedy: `Known are ${names.join(', ')}.`,
      })
}

/** Without the options that are undefined: as if they were not given. */
export function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries({ ...options }).filter(([, value]) => value !== undefined)) as T
}
