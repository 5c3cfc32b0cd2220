/** Puts a value into an object, an array or a Map. */
export function putAt(container: object, key: unknown, value: unknown): void {
  if (container instanceof Map) container.set(key, value)
  else if (key === '__proto__')
    Object.defineProperty(container, key, { value, enumerable: true, configurable: true, writable: true })
  else (container as Record<string, unknown>)[key as string] = value
}
