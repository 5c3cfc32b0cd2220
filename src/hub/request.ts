import { setTimeout as sleep } from 'node:timers/promises'
import { rethrowAborted } from '../core/abort.js'
import { notice } from '../core/progress.js'
import { retryAfter } from '../core/retry-after.js'
import { unhurry } from '../core/unhurry.js'
import type { Context } from './context.js'
import { isRefusal, Passing, refusal, unreachable } from './failures.js'
import { ProxyRefusal, proxiedFetch } from './proxied-fetch.js'

/*
 * How the Hub is spoken to. @huggingface/hub leaves all of this to its caller (it takes a `fetch`): redirects followed by
 * hand, so that the token stays with the Hub's host; a limit on silence; waiting where the Hub is busy; refusals in words.
 */

const REDIRECTS = 10
/** The longest that the Hub may ask to wait. */
const PATIENCE = 300_000
/** A wait that is as long as this is told. */
const TOLD = 5_000
/** A transfer that brought this much has not failed, it was cut. */
const GAIN = 1 << 16

/** Whoever asks for a range must be ready for this. */
const RANGE_NOT_SATISFIABLE = 416

/** Makes one request; the answer is a success, and its body ends with an error when it falls silent. */
export async function ask(context: Context, what: string, address: string, init: RequestInit = {}): Promise<Response> {
  const home = new URL(context.endpoint)
  const token = await context.token()
  let url = new URL(address)
  for (let hop = 0; hop <= REDIRECTS; hop++) {
    const headers = new Headers(init.headers)
    headers.set('user-agent', 'rayito')
    // A compressed body could be neither continued nor counted.
    headers.set('accept-encoding', 'identity')
    headers.delete('authorization')
    if (token && isHome(url, home)) headers.set('authorization', `Bearer ${token}`)
    const response = await send(context, url, { ...init, headers, redirect: 'manual' })
    if (isHome(url, home)) context.contact.made = true
    const { status } = response
    const next = response.headers.get('location')
    if (status >= 300 && status < 400 && next !== null && URL.canParse(next, url.href)) {
      await response.body?.cancel()
      url = new URL(next, url)
      continue
    }
    if (response.ok || status === RANGE_NOT_SATISFIABLE) return response
    await response.body?.cancel()
    // Refused by the host of a redirect, most likely as its signed address is too old: the Hub gives a new one.
    const elsewhere = !isHome(url, home) && !isRefusal(response)
    if (status === 408 || status === 429 || status >= 500 || elsewhere) {
      const passing = new Passing(`${status} ${response.statusText}`.trimEnd() + (elsewhere ? ` from ${url.host}` : ''))
      passing.wait = waitOf(response)
      throw passing
    }
    throw refusal(context, what, response, token)
  }
  throw new Passing(`more than ${REDIRECTS} redirects`)
}

/** Whether an address is the Hub's own: of the same origin, or of the same host by https where the endpoint says http. */
const isHome = (url: URL, home: URL): boolean =>
  url.origin === home.origin ||
  (url.hostname === home.hostname && url.protocol === 'https:' && home.protocol === 'http:' && !url.port && !home.port)

async function send(context: Context, url: URL, init: RequestInit): Promise<Response> {
  const silence = new AbortController()
  const signals = context.signal ? [silence.signal, context.signal] : [silence.signal]
  const fetch = () => context.fetch(url, { ...init, signal: AbortSignal.any(signals) })
  const response = await listen(context, silence, () =>
    fetch().catch((error) => {
      if (!unhurry(error)) throw error
      return fetch()
    }),
  ).catch((error) => {
    throw context.signal?.aborted ? context.signal.reason : passing(context, error, url, true)
  })
  if (!response.body) return response
  const reader = response.body.getReader()
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await listen(context, silence, () => reader.read())
          if (done) controller.close()
          else controller.enqueue(value)
        } catch (error) {
          throw context.signal?.aborted ? context.signal.reason : passing(context, error, url, false)
        }
      },
      cancel: (reason) => reader.cancel(reason).catch(() => {}),
    },
    { highWaterMark: 0 },
  )
  return new Response(body, response)
}

/** Waits for the other side, not longer than it may be silent; not even for a `fetch` that heeds no signal. */
function listen<T>({ idleTimeout }: Context, silence: AbortController, wait: () => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new Passing(`nothing for ${idleTimeout / 1000} s`)
      reject(error)
      silence.abort(error)
    }, idleTimeout)
    wait()
      .then(resolve, reject)
      .finally(() => clearTimeout(timer))
  })
}

const OTHERWISE = 'set RAYITO_SOURCE=embedded for the built-in pictures and model'

/** What fetch throws says little ("fetch failed"); its cause says what happened. */
function passing(context: Context, error: unknown, url: URL, connecting: boolean): Passing {
  if (error instanceof ProxyRefusal) return refusedByProxy(error, url)
  const cause = (error as Error).cause as NodeJS.ErrnoException | undefined
  const code = cause?.code ?? (error as NodeJS.ErrnoException).code
  const way = context.fetch === proxiedFetch ? ', with the proxies of the environment' : ''
  const result =
    error instanceof Passing
      ? error
      : new Passing(`${code ?? (cause ?? (error as Error)).message} from ${url.host}${way}`, { cause: error })
  if (/SELF_SIGNED_CERT|UNABLE_TO_(GET_ISSUER|VERIFY)/.test(code ?? '')) {
    result.lasting = true
    result.remedy = `Name the file with your network's certificates (of a proxy that opens https, perhaps) in NODE_EXTRA_CA_CERTS, or ${OTHERWISE}.`
  }
  // A connection that broke was one.
  result.connecting = connecting && code !== 'ECONNRESET' && code !== 'UND_ERR_SOCKET'
  return result
}

function refusedByProxy(error: ProxyRefusal, { protocol, hostname }: URL): Passing {
  const { status, message } = error
  const result = new Passing(message, { cause: error })
  result.connecting = true
  result.lasting = status < 500
  const variable = `${protocol.slice(0, -1)}_proxy`.toUpperCase()
  result.remedy =
    status === 407
      ? `Name user and password in ${variable} (http://USER:PASSWORD@HOST:PORT), or ${OTHERWISE}.`
      : `Check ${variable}, have ${hostname} let through, or name it in NO_PROXY if it can be had without a proxy; or ${OTHERWISE}.`
  return result
}

/**
 * Milliseconds to wait, by `Retry-After` (RFC 9110, 10.2.3) or the Hub's `RateLimit: "api";r=0;t=55`, which all its answers have:
 * where requests are left (r), it tells of no wait.
 */
function waitOf({ status, headers }: Response): number | undefined {
  const limit = headers.get('ratelimit') ?? ''
  const isReached = status === 429 || /\br=0\b/.test(limit)
  const seconds = isReached ? /\bt=(\d+)/.exec(limit)?.[1] : undefined
  return retryAfter(headers.get('retry-after') ?? seconds)
}

/** On the clock of `performance.now`: until when those who asked have been told to wait. */
let toldUntil = 0

/** Says how long the Hub asks to wait, once for all whom it asks at the same time. */
function tellWait({ endpoint }: Context, { message, wait = 0 }: Passing): void {
  const now = performance.now()
  if (wait < TOLD || now < toldUntil) return
  toldUntil = now + wait
  const until = new Date(Date.now() + wait).toTimeString().slice(0, 8)
  notice(`rayito: ${endpoint} is busy and asks to wait ${Math.ceil(wait / 1000)} s, until ${until} (${message})`)
}

/**
 * Makes an attempt again while its failure may pass, with waits that double (and differ from one process to the next), or
 * as long as the Hub asks. A Hub that cannot be connected to at all is not waited for.
 * @param gained bytes so far, where an attempt continues the one before: attempts that come further than all before are not
 * counted (a server that knows no ranges begins anew each time)
 */
export async function patiently<T>(
  context: Context,
  what: string,
  attempt: () => Promise<T>,
  gained = () => 0,
): Promise<T> {
  const { retries, retryDelay, signal } = context
  let furthest = gained()
  for (let failures = 1; ; failures++) {
    try {
      signal?.throwIfAborted()
      return await attempt()
    } catch (error) {
      if (!(error instanceof Passing)) throw error
      if (gained() - furthest >= GAIN) failures = 1
      furthest = Math.max(furthest, gained())
      const isVain = error.lasting || (error.connecting && !context.contact.made) || (error.wait ?? 0) > PATIENCE
      if (isVain || failures > retries) throw unreachable(context, what, error, failures)
      tellWait(context, error)
      const delay = Math.min(2 ** (failures - 1), 16) * retryDelay
      await sleep(error.wait ?? delay * (0.5 + Math.random() / 2), undefined, { signal }).catch(rethrowAborted(signal))
    }
  }
}

/** A `fetch` for @huggingface/hub: a whole answer, or an error of ours. */
export function patientFetch(context: Context, what: string): typeof fetch {
  return (input, init) =>
    patiently(context, what, async () => {
      const response = await ask(context, what, String(input), init)
      return new Response(await response.arrayBuffer(), response)
    })
}
