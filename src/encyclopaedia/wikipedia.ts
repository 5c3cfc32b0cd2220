import { readFileSync } from 'node:fs'
import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  circuitBreaker,
  DelegateBackoff,
  handleType,
  type IHalfOpenAfterBackoffContext,
  isBrokenCircuitError,
} from 'cockatiel'
import { LRUCache } from 'lru-cache'
import { expected } from '../core/errors.js'
import { type Article, type Deadline, MediaWiki, Unreachable } from './mediawiki.js'
import { define } from './wordnet.js'

/** How many pages of a search are tried when the first ones only list others or have no text. */
const TRIED = 5
/** After a failure Wikipedia is left alone this long, in milliseconds; twice as long after each further one, up to the longest. */
const COOLDOWN = 1_000
const LONGEST_COOLDOWN = 30_000
/** The longest that Wikipedia may ask to be left alone. */
const PATIENCE = 3_600_000
/** How long whoever asks first after a failure waits for a Wikipedia that is silent still; the question itself goes on. */
const PROBE = 1_000

const NO_PAGES = 'No pages found'

export interface WikipediaOptions {
  /** Wikipedia's language, as in its address. @default 'en' */
  language?: string
  /**
   * Another wiki: its root (with `/w/api.php` below, as Wikipedia has it) or the address of its `api.php`.
   * @default the environment variable RAYITO_WIKIPEDIA, else `https://LANGUAGE.wikipedia.org`
   */
  baseUrl?: string
  /** The longest that a look-up may take, retries included, in milliseconds. @default 5000 */
  timeout?: number
  /** How many results are kept. @default 1000 */
  cacheSize?: number
  /** How long a result is kept, in milliseconds. @default 86400000, one day */
  cacheAge?: number
  /** @default this package's name, version and repository, as Wikimedia's policy asks */
  userAgent?: string
}

/** What was found. */
export interface Lookup {
  /** The beginning of the page's plain text; 'No pages found'; or, when Wikipedia gave no answer, a sentence that says so. */
  text: string
  /** Whether `text` is a page's. */
  found: boolean
  /** Whether Wikipedia answered, now or when the cached result was made. */
  reachable: boolean
  page: { title: string; url: string } | null
  /** Only when Wikipedia did not answer and WordNet knows the term. */
  definition?: { text: string; source: 'WordNet 3.1' }
  /** Whether the result was in the cache. */
  cached: boolean
  /** Whether Wikipedia was asked for it: not where it gave no answer lately, or another look-up of the term is on its way. */
  asked: boolean
}

/** What is known of a term beside itself: helps to choose among the senses of a word. */
export interface Hints {
  /** The classifier's label, all its synonyms. @default the term */
  label?: string
  /** Labels of the other classes that the classifier thought of: a crane among herons is a bird. */
  classes?: readonly string[]
}

type Found = Pick<Lookup, 'text' | 'found' | 'page'>

interface Question {
  term: string
  chars: number
  asked: boolean
}

/** Looks terms up in Wikipedia, and in WordNet while Wikipedia gives no answer. */
export class Wikipedia {
  readonly #wiki: MediaWiki
  readonly #timeout: number
  readonly #breaker: CircuitBreakerPolicy
  readonly #cache: LRUCache<string, Found, Question>
  #reason = ''

  /** @throws INVALID_ARGUMENT for an option that is not what it says */
  constructor(options: WikipediaOptions = {}) {
    const { language = 'en', timeout = 5_000, cacheSize = 1_000, cacheAge = 86_400_000 } = options
    if (!/^[a-z][a-z0-9-]+$/i.test(language)) expected('language', "a language's code, such as 'en'", language)
    positive('timeout', timeout)
    positive('cacheSize', cacheSize)
    positive('cacheAge', cacheAge)
    const other = options.baseUrl ?? (process.env.RAYITO_WIKIPEDIA || undefined)
    const baseUrl = other ?? `https://${language.toLowerCase()}.wikipedia.org`
    if (!URL.canParse(baseUrl) || !/^https?:/i.test(baseUrl))
      expected(options.baseUrl === undefined ? 'RAYITO_WIKIPEDIA' : 'baseUrl', 'an http or https address', baseUrl)
    this.#wiki = new MediaWiki(baseUrl, options.userAgent ?? ownUserAgent())
    this.#timeout = timeout
    this.#breaker = circuitBreaker(handleType(Unreachable), {
      breaker: new ConsecutiveBreaker(1),
      halfOpenAfter: new DelegateBackoff(cooldown),
    })
    this.#cache = new LRUCache({
      max: cacheSize,
      ttl: cacheAge,
      // Otherwise a clock is kept that a timer sets right, late where the process was held up.
      ttlResolution: 0,
      // What was asked is answered, though so much was asked meanwhile that the cache has no place for it.
      ignoreFetchAbort: true,
      fetchMethod: (_key, _stale, { context }) => this.#ask(context),
    })
  }

  /**
   * Searches a term and gives the beginning of the first page found; of a page that only lists others, the first that has text.
   * Look-ups of one term at the same time are one; after a failure Wikipedia is left alone for a while.
   * @param term as a person would type it
   * @param chars how many characters (code points) of the text
   * @throws INVALID_ARGUMENT (rejects) when called wrongly, and for nothing else
   */
  async lookup(term: string, chars = 500, hints: Hints = {}): Promise<Lookup> {
    if (typeof term !== 'string') expected('term', 'a string', term)
    positive('chars', chars)
    const searched = term.trim()
    if (!searched) return { ...NOTHING, reachable: true, cached: false, asked: false }
    const status: LRUCache.Status<Found> = {}
    const context: Question = { term: searched, chars, asked: false }
    try {
      const asked = this.#cache.fetch(`${chars} ${searched}`, { context, status })
      const probing = this.#breaker.state === CircuitState.HalfOpen
      const found = await (probing ? within(asked, PROBE) : asked)
      return { ...found!, reachable: true, cached: status.fetch === 'hit', asked: context.asked }
    } catch (error) {
      if (!(error instanceof Held || isBrokenCircuitError(error))) this.#reason = (error as Error).message
      const definition = await define(searched, hints.label ?? term, hints.classes).catch(() => undefined)
      return {
        text: `Wikipedia could not be reached (${this.#reason}).`,
        found: false,
        reachable: false,
        page: null,
        ...(definition && { definition: { text: definition, source: 'WordNet 3.1' as const } }),
        cached: false,
        asked: context.asked,
      }
    }
  }

  /** Asks Wikipedia, unless it gave no answer lately: then one question at a time goes out to see whether it is back. */
  async #ask(question: Question): Promise<Found> {
    if (this.#breaker.state === CircuitState.HalfOpen) throw new Held()
    return this.#breaker.execute(() => {
      question.asked = true
      return this.#search(question.term, question.chars)
    })
  }

  async #search(term: string, chars: number): Promise<Found> {
    const end = new AbortController()
    const timeout = new Unreachable(`no answer within ${this.#timeout / 1000} s`)
    const timer = setTimeout(() => end.abort(timeout), this.#timeout)
    const deadline = { signal: end.signal, at: performance.now() + this.#timeout }
    try {
      const article = await Promise.race([this.#firstPage(term, deadline), aborted(end.signal)])
      if (!article) return NOTHING
      const { title, url, text } = article
      return { text: codePoints(text, chars), found: true, page: { title, url } }
    } finally {
      clearTimeout(timer)
      end.abort(timeout)
    }
  }

  /** The first page of the search that has text of its own, else the first that a page found links to. */
  async #firstPage(term: string, deadline: Deadline): Promise<Article | null> {
    const titles = await this.#wiki.search(term, TRIED, deadline)
    let list: string | undefined
    for (const title of titles) {
      const page = await this.#wiki.page(title, deadline)
      if (page?.disambiguation) list ??= page.title
      else if (page?.text.trim()) return page
    }
    if (list === undefined) return null
    for (const title of await this.#wiki.links(list, TRIED, deadline)) {
      const page = await this.#wiki.page(title, deadline)
      if (page?.text.trim() && !page.disambiguation) return page
    }
    return null
  }
}

/** Not asked, or not waited for, since Wikipedia gave no answer lately. */
class Held extends Error {}

const NOTHING: Found = { text: NO_PAGES, found: false, page: null }

function cooldown({ attempt, result }: IHalfOpenAfterBackoffContext): number {
  const asked = 'error' in result && result.error instanceof Unreachable ? (result.error.wait ?? 0) : 0
  return Math.max(Math.min(COOLDOWN * 2 ** (attempt - 1), LONGEST_COOLDOWN), Math.min(asked, PATIENCE))
}

/** The first characters as Python counts them: no half of a surrogate pair. */
function codePoints(text: string, count: number): string {
  // A code point has at most two units, so this is enough text to count in.
  return Array.from(text.slice(0, 2 * count))
    .slice(0, count)
    .join('')
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
}

/** What a promise gives, unless it takes longer; it goes on then, and nobody minds how it ends. */
async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Held()), milliseconds)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

function positive(name: string, value: unknown): void {
  if (!Number.isInteger(value) || (value as number) < 1) expected(name, 'a whole number, 1 or more', value)
}

/** Name, version and where to complain: https://foundation.wikimedia.org/wiki/Policy:Wikimedia_Foundation_User-Agent_Policy */
function ownUserAgent(): string {
  const { name, version, repository } = JSON.parse(
    readFileSync(new URL('../../package.json', import.meta.url), 'utf8'),
  ) as { name: string; version: string; repository: { url: string } }
  return `${name}/${version} (${repository.url.replace(/^git\+|\.git$/g, '')})`
}
