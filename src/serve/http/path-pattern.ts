/** Characters that a parameter may have. */
export const LONGEST_PARAMETER = 500

/** Parameters (with a pattern of their own or none), the rest of a path, and a colon that is meant as one. */
const PARTS = /(::|:\w+(?:\([^/]*\))?\??|\*)/

/** A last parameter that may be left out, with all of its name between the slashes. */
const OPTIONAL = /^(.*)(\/:[^/()]*)\?\/?$/

/** The routes that a URL stands for: two where its last parameter may be left out. */
export function routesOfUrl(url: string): string[] {
  const [, before, parameter] = OPTIONAL.exec(url) ?? []
  return parameter === undefined ? [url] : [`${before}${parameter}`, before || '/']
}

/** The paths that a route's URL stands for, decoded; a slash at the end does not count. */
export function pathPattern(url: string): RegExp {
  return new RegExp(`^(?:${routesOfUrl(url).map(source).join('|')})/?$`, 's')
}

function source(url: string): string {
  const parts = url.split(PARTS).map((part) => {
    if (part === '::') return ':'
    if (part === '*') return '.*'
    return part.startsWith(':') ? `[^/]{1,${LONGEST_PARAMETER}}` : part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  })
  return parts.join('')
}

/** The names of a URL's parameters: not what follows a colon that is meant as one, or that is of a pattern. */
export function parametersOf(url: string): string[] {
  return [...url.matchAll(/::|\(\?:|:(\w+)/g)].flatMap(([, name]) => name ?? [])
}
