import { expected } from '../../../core/errors.js'

const parsed = (address: string): URL[] => address.split(',').map((one) => new URL(one.trim()))

/** What cannot be parsed, without what may be a secret. */
const bare = (address: string): string => address.slice(address.lastIndexOf('@') + 1)

/** The address, or list of addresses, without its secrets. */
export function shown(address: string): string {
  try {
    return parsed(address)
      .map(({ protocol, host }) => `${protocol}//${host}`)
      .join(',')
  } catch {
    return bare(address)
  }
}

/**
 * The servers of a cluster: one, or a list with commas.
 * @param name whether it was given, or the environment's
 * @throws RayitoError INVALID_ARGUMENT if one is none, without what may be a secret
 */
export function urlsOf(address: string, name: 'address' | 'RAY_ADDRESS' = 'address'): URL[] {
  try {
    const urls = parsed(address)
    if (urls.every(({ protocol, host }) => /^(nats|tls):$/.test(protocol) && host)) return urls
  } catch {
    // Told below, as what parses and is none.
  }
  return expected(name, 'nats://HOST:PORT', bare(address))
}
