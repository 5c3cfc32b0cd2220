/** The address without its secrets. */
export function shown(address: string): string {
  try {
    const url = new URL(address)
    return `${url.protocol}//${url.host}`
  } catch {
    return address
  }
}
