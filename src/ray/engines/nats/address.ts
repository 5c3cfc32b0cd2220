import { expected } from '../../../core/errors.js'

/** The address without its secrets. */
export function shown(address: string): string {
  try {
    const url = new URL(address)
    return `${url.protocol}//${url.host}`
  } catch {
    return address
  }
}

/** One server's address. @throws RayitoError INVALID_ARGUMENT if it is none, without what may be a secret */
export function urlOf(address: string): URL {
  try {
    const url = new URL(address)
    if (/^(nats|tls):$/.test(url.protocol) && url.host) return url
  } catch {
    // Told below, as what parses and is none.
  }
  return expected('address', 'nats://HOST:PORT', address.slice(address.lastIndexOf('@') + 1))
}
