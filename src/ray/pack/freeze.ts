/**
 * Freezes plain objects and arrays, however deep, and returns the value. What freezing cannot protect stays writable: typed
 * arrays (shared by all workers: do not write), Maps, Sets, Dates and instances of classes.
 */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || !isPlain(value)) return value
  const reached = new Set<object>([value])
  for (const object of reached) {
    for (const key in object) {
      const inner = (object as Record<string, unknown>)[key]
      if (typeof inner === 'object' && inner !== null && isPlain(inner)) reached.add(inner)
    }
    Object.freeze(object)
  }
  return value
}

function isPlain(object: object): boolean {
  return Array.isArray(object) || Object.getPrototypeOf(object) === Object.prototype
}
