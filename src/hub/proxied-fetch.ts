import type { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY']

/** Whether a host is this machine itself, which no proxy reaches. */
export const isLoopback = (hostname: string) => /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)

/** Whether the environment names a proxy, in capitals or small letters. */
export const hasProxy = () => PROXIES.some((name) => process.env[name] || process.env[name.toLowerCase()])

/**
 * `fetch` through the proxies of the environment, as Python's clients take them: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, but not
 * for the hosts of NO_PROXY, nor for this machine. Node's own leaves them aside, unless it is Node 24 and told so. Follows no redirects.
 */
export const proxiedFetch: typeof fetch = async (input, init = {}) => {
  // Only here: most have no proxy.
  const { default: axios } = await import('axios')
  const { status, statusText, headers, data } = await axios.request<Readable>({
    adapter: 'http',
    url: String(input),
    method: init.method ?? 'GET',
    headers: Object.fromEntries(new Headers(init.headers)),
    data: init.body,
    ...(init.signal && { signal: init.signal }),
    responseType: 'stream',
    decompress: false,
    maxRedirects: 0,
    ...(isLoopback(new URL(String(input)).hostname) && { proxy: false }),
    validateStatus: null,
  })
  // An abort before anybody reads is told to whoever reads.
  data.on('error', () => {})
  const hasBody = status !== 204 && status !== 304
  return new Response(hasBody ? (ReadableStream.from(data) as Response['body']) : null, {
    status,
    statusText,
    headers: Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
  })
}
