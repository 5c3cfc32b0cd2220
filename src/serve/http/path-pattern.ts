/** Characters that a parameter may have. */
export const LONGEST_PARAMETER = 500

/** Parameters (with a pattern of their own or none), the rest of a path, and a colon that is meant as one. */
const PARTS = /(::|:\w+(?:\([^/]*\))?\??|\*)/

/** The paths that a route's URL stands for, decoded; a slash at the end does not count. */
export function pathPattern(url: string): RegExp {
  const parts = url.split(PARTS).map((part) => {
    if (part === '::') return ':'
    if (part === '*') return '.*'
    return part.startsWith(':') ? `[^/]{1,${LONGEST_PARAMETER}}` : part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
  })
  return new RegExp(`^${parts.join('')}/?$`, 's')
}
