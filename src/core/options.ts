import { expected, RayitoError } from './errors.js'

/**
 * Options are an object of known names: one that is misspelt, or Python's (`top_k`), is told instead of passed over.
 * @param of the option that is such an object itself
 * @throws RayitoError INVALID_ARGUMENT
 */
export function knownOptions(options: unknown, names: readonly string[], of = ''): void {
  if (typeof options !== 'object' || options === null) expected(of || 'options', 'an object', options)
  for (const name of Object.keys(options))
    if (!names.includes(name))
      throw new RayitoError('INVALID_ARGUMENT', `There is no option \`${within(of, name)}\` here`, {
        option: within(of, name),
        remedy: `Known are ${names.join(', ')}.`,
      })
}

/** What an option is called that is a field of another, if it is one. */
export function within(of: string, name: string): string {
  return of ? `${of}.${name}` : name
}

/** Without the options that are undefined: as if they were not given. */
export function defined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries({ ...options }).filter(([, value]) => value !== undefined)) as T
}
