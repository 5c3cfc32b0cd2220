/** The server's name, which clients may put before a path: those of a proxy do. */
const ORIGIN = /^https?:\/\/.*?(?=\/)/i

/** A request's path as it was sent: without its query, and without the server's name. */
export function pathOf(url: string): string {
  const path = url.startsWith('/') ? url : url.replace(ORIGIN, '')
  return path.split(/[?#]/, 1)[0]!
}

/** The same as it is compared with patterns; what cannot be decoded stays. */
export function decodedPath(url: string): string {
  const path = pathOf(url)
  try {
    return decodeURI(path)
  } catch {
    return path
  }
}

/** What of it lies below a prefix, which it may have encoded in another way: '' for the prefix itself. */
export function pathBelow(prefix: string, url: string): string {
  const names = pathOf(url).split('/').slice(prefix.split('/').length)
  return names.map((name) => `/${name}`).join('')
}
