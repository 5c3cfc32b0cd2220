/** The same for piscina and tinypool. */
export function nothing(): void {}

export function length(bytes: Uint8Array): number {
  return bytes.length
}
