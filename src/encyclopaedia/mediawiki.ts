import { AsyncLocalStorage } from 'node:async_hooks'
import { createRequire } from 'node:module'
import type { AxiosError, AxiosStatic } from 'axios'
import { DelegateBackoff, handleWhen, type IRetryBackoffContext, retry } from 'cockatiel'
import type wiki from 'wikipedia'
import { retryAfter } from '../core/retry-after.js'
import { unhurry } from '../core/unhurry.js'
import { hasProxy, isDirect } from '../hub/proxied-fetch.js'

/*
 * MediaWiki's API as the package `wikipedia` speaks it. The package knows neither base URL, time limit nor retry, takes
 * numeric titles for page ids, loses what follows `&` or `#`, and keeps its settings in module variables; so what it asks
 * of axios is put right on the way, for the calls made here and for no others.
 */

/** Attempts after the first, where a failure may pass. */
const RETRIES = 2
/** The first wait between attempts when Wikipedia names none, in milliseconds; it doubles. */
const WAIT = 200
/** The longest article of Wikipedia has some 2 MB of text. */
const MOST_BYTES = 16 << 20

/** Why Wikipedia gave no answer, in a few words. */
export class Unreachable extends Error {
  /** Whether the same request may succeed in the time that is left. */
  passing = false
  /** How long Wikipedia asks to be left alone, in milliseconds. */
  wait: number | undefined
}

/** When an answer must be there: `signal` is aborted then, with an `Unreachable`. */
export interface Deadline {
  signal: AbortSignal
  /** By `performance.now()`. */
  at: number
}

/** A page as the API describes it. */
export interface Article {
  title: string
  url: string
  /** Its plain text, headings as `== Name ==`. */
  text: string
  disambiguation: boolean
}

interface Described {
  title: string
  fullurl?: string
  missing?: ''
  invalid?: ''
  extract?: string
  pageprops?: { disambiguation?: '' }
  links?: { title: string }[]
}

interface Answer {
  query?: { search?: { title: string }[]; pages?: Record<string, Described> }
  error?: { code: string; info: string }
}

interface Call {
  api: string
  userAgent: string
  deadline: Deadline
  answer?: Answer
  failure?: Unreachable
}

type Package = typeof wiki.default

const calls = new AsyncLocalStorage<Call>()
let loaded: Package | undefined

/** The package, and its axios told of our calls. Loaded at the first look-up: a server should be up before. */
function wikipedia(): Package {
  if (loaded) return loaded
  const require = createRequire(import.meta.url)
  // The package's own axios: another copy, or the ES module's instance, would never see its requests.
  const axios = createRequire(require.resolve('wikipedia'))('axios') as AxiosStatic
  axios.interceptors.request.use((config) => {
    const call = calls.getStore()
    if (!call) return config
    const query = config.url!.slice(config.url!.indexOf('?') + 1)
    // Terms are encoded before the package encodes once more; undoing that leaves exactly what was typed.
    config.url = `${call.api}?${query.replaceAll('%25', '%')}`
    if (isDirect(new URL(call.api).hostname)) config.proxy = false
    config.signal = call.deadline.signal
    config.maxContentLength = MOST_BYTES
    config.headers.set('User-Agent', call.userAgent)
    config.headers.delete('Api-User-Agent')
    return config
  })
  axios.interceptors.response.use(
    (response) => {
      const call = calls.getStore()
      if (!call) return response
      const problem = read(call, response.data)
      if (problem) throw problem
      return response
    },
    (error: AxiosError) => {
      const call = calls.getStore()
      if (call) call.failure ??= unreachable(error, call)
      throw error
    },
  )
  loaded = require('wikipedia') as Package
  return loaded
}

/** Errors of the API (which come with status 200) that say nothing of the term; the others are an answer: no such page. */
const WIKI_ERRORS =
  /^(readapidenied|ratelimited|maxlag|readonly|internal_api_error|cirrussearch-backend-error|cirrussearch-too-busy)/

function read(call: Call, data: unknown): Unreachable | undefined {
  if (!isAnswer(data)) {
    call.failure = new Unreachable('it answered what Wikipedia does not')
  } else if (data.error && WIKI_ERRORS.test(data.error.code)) {
    call.failure = new Unreachable(`it answered ${data.error.code}`)
    call.failure.passing = data.error.code !== 'readapidenied'
  } else {
    call.answer = data
  }
  return call.failure
}

/** Whether it has the form of MediaWiki's answers in all that is read here: others answer in JSON, too. */
function isAnswer(data: unknown): data is Answer {
  if (typeof data !== 'object' || data === null) return false
  const { query, error } = data as Answer
  if (error !== undefined) return typeof error?.code === 'string'
  if (!query) return 'batchcomplete' in data
  const pages = Object.values(query.pages ?? {})
  const titled = [query.search ?? [], pages, pages.map((page) => page?.links ?? [])].flat(2)
  return (
    titled.every((item) => typeof item?.title === 'string') &&
    pages.every(({ extract = '' }) => typeof extract === 'string')
  )
}

function unreachable(error: AxiosError, { api, deadline: { signal, at } }: Call): Unreachable {
  const { response, code, message } = error
  if (signal.aborted) return signal.reason
  const isProxied = hasProxy() && !isDirect(new URL(api).hostname)
  const way = isProxied ? ', with the proxies of the environment' : ''
  // With a good status it is the rest of the answer that is missing.
  if (!response || response.status < 400) {
    const failure = new Unreachable(response ? 'its answer broke off' : (code ?? message) + way)
    failure.passing = response !== undefined || code === 'ECONNRESET' || code === 'EPIPE' || unhurry(error)
    return failure
  }
  const { status, headers } = response
  const failure = new Unreachable(`it answered ${status}${way}`)
  if (status !== 429 && status < 500) return failure
  failure.wait = retryAfter(headers['retry-after'] as string | undefined)
  failure.passing = performance.now() + (failure.wait ?? 0) < at
  return failure
}

const retries = retry(
  handleWhen((error) => error instanceof Unreachable && error.passing),
  {
    maxAttempts: RETRIES,
    backoff: new DelegateBackoff(({ attempt, result }: IRetryBackoffContext<unknown>) => {
      const wait = (result as { error: Unreachable }).error.wait
      return wait ?? WAIT * 2 ** (attempt - 1) * (0.5 + Math.random() / 2)
    }),
  },
)

/** Every byte encoded: nothing for the package to encode otherwise, and no title that looks like a number to it. */
const encoded = (term: string) => Buffer.from(term).toString('hex').replace(/../g, '%$&')

/** One wiki. Its methods throw `Unreachable`, and nothing else, when it gives no answer. */
export class MediaWiki {
  readonly #api: string
  readonly #userAgent: string

  /** @param baseUrl the wiki's root (`/w/api.php` is below it, as on Wikipedia) or the address of its `api.php` */
  constructor(baseUrl: string, userAgent: string) {
    const url = new URL(baseUrl)
    url.search = url.hash = ''
    this.#api = url.pathname.endsWith('.php') ? url.href : `${url.href.replace(/\/+$/, '')}/w/api.php`
    this.#userAgent = userAgent
  }

  /** Titles of the pages found, best first; none when there are none. */
  async search(term: string, limit: number, deadline: Deadline): Promise<string[]> {
    const answer = await this.#call((wiki) => wiki.search(encoded(term), { limit }), deadline)
    return answer?.query?.search?.map(({ title }) => title) ?? []
  }

  /** The page of a title, redirects followed; null when there is none. */
  async page(title: string, deadline: Deadline): Promise<Article | null> {
    const [info, content] = await Promise.all([
      this.#call((wiki) => wiki.page(encoded(title)), deadline),
      this.#call((wiki) => wiki.content(encoded(title)), deadline),
    ])
    const [page, text] = [first(info), first(content)]
    if (!page || !text) return null
    return {
      title: page.title,
      url: page.fullurl ?? '',
      text: text.extract ?? '',
      disambiguation: page.pageprops?.disambiguation !== undefined,
    }
  }

  /** Titles of pages that a page links to. */
  async links(title: string, limit: number, deadline: Deadline): Promise<string[]> {
    const answer = await this.#call((wiki) => wiki.links(encoded(title), { limit }), deadline)
    return first(answer)?.links?.map((link) => link.title) ?? []
  }

  /** What the API answered to what the package asked, asked again where that may help and time is left. */
  async #call(ask: (wiki: Package) => Promise<unknown>, deadline: Deadline): Promise<Answer | undefined> {
    return retries.execute(async () => {
      const call: Call = { api: this.#api, userAgent: this.#userAgent, deadline }
      // The package wraps every error in one of its own, missing pages included: the answer itself says more.
      const failed = await calls.run(call, () =>
        ask(wikipedia()).then(
          () => undefined,
          (error: Error) => error,
        ),
      )
      if (call.failure) throw call.failure
      if (failed && !call.answer) throw new Unreachable(failed.message)
      return call.answer
    }, deadline.signal)
  }
}

function first(answer: Answer | undefined): Described | undefined {
  const page = Object.values(answer?.query?.pages ?? {})[0]
  return page?.missing === undefined && page?.invalid === undefined ? page : undefined
}
