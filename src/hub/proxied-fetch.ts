import type { ClientRequest } from 'node:http'
import type { Readable } from 'node:stream'
import { ReadableStream } from 'node:stream/web'
import { TLSSocket } from 'node:tls'

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY']

/** Whether a host is this machine itself, which no proxy reaches. */
export const isLoopback = (hostname: string) => /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)

/** Whether a host is asked without a proxy, beside those that axios finds in NO_PROXY: there a domain stands for all in it only with a dot before it. */
export function isDirect(hostname: string): boolean {
  const { no_proxy: hosts = process.env.NO_PROXY ?? '' } = process.env
  const isIn = (domain: string) => domain !== '' && hostname.endsWith(`.${domain.toLowerCase()}`)
  return isLoopback(hostname) || hosts.split(/[\s,]+/).some(isIn)
}

/** Whether the environment names a proxy, in capitals or small letters. */
export const hasProxy = () => PROXIES.some((name) => process.env[name] || process.env[name.toLowerCase()])

/** A proxy answered in place of the host that was asked. */
export class ProxyRefusal extends Error {
  readonly status: number
  constructor({ status, statusText }: Response, url: URL) {
    super(`${`${status} ${statusText}`.trimEnd()} from the proxy ${proxyFor(url)} on the way to ${url.host}`)
    this.status = status
  }
}

/** The environment's proxy for an address, as axios finds it, without user and password. */
function proxyFor({ protocol }: URL): string {
  const names = [`${protocol.slice(0, -1)}_proxy`, 'all_proxy'].flatMap((name) => [name, name.toUpperCase()])
  const set = names.map((name) => process.env[name]).find(Boolean) ?? ''
  const address = set.includes('://') ? set : `${protocol}//${set}`
  return URL.canParse(address) ? `${new URL(address).protocol}//${new URL(address).host}` : 'of the environment'
}

/**
 * Whether an answer is the proxy's own. What came for an https address without encryption is: no tunnel came about, and axios
 * gives the answer to CONNECT as if it were the host's. Of plain http only a page of an error tells, without a word of the Hub's.
 */
function isProxys({ status, headers }: Response, url: URL, request: ClientRequest): boolean {
  if (url.protocol === 'https:') return !(request.socket instanceof TLSSocket)
  if (request.host === url.hostname) return false
  const isPage = headers.get('content-type')?.includes('html') && !headers.has('x-error-code')
  return status === 407 || Boolean(isPage && (status === 403 || status >= 500))
}

/**
 * `fetch` through the proxies of the environment, as Python's clients take them: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, but not
 * for the hosts of NO_PROXY, nor for this machine. Node's own leaves them aside, unless it is Node 24 and told so. Follows no redirects.
 * Rejects with a ProxyRefusal where a proxy does not let it through.
 */
export const proxiedFetch: typeof fetch = async (input, init = {}) => {
  // Only here: most have no proxy.
  const { default: axios } = await import('axios')
  const url = new URL(String(input))
  const { status, statusText, headers, data, request } = await axios.request<Readable>({
    adapter: 'http',
    url: url.href,
    method: init.method ?? 'GET',
    headers: Object.fromEntries(new Headers(init.headers)),
    data: init.body,
    ...(init.signal && { signal: init.signal }),
    responseType: 'stream',
    decompress: false,
    maxRedirects: 0,
    ...(isDirect(url.hostname) && { proxy: false }),
    validateStatus: null,
  })
  // An abort before anybody reads is told to whoever reads.
  data.on('error', () => {})
  const hasBody = status !== 204 && status !== 304
  const response = new Response(hasBody ? (ReadableStream.from(data) as Response['body']) : null, {
    status,
    statusText,
    headers: Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
  })
  if (!isProxys(response, url, request as ClientRequest)) return response
  data.destroy()
  throw new ProxyRefusal(response, url)
}
