import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { pathToFileURL } from 'node:url'

/** A page: its text; another page's name that it leads to; or a list of pages with its name. */
export type WikiPage = string | { redirect: string } | { disambiguation: string[] }

/** What a request meets instead of its answer. */
export type Fault =
  | { status: number; retryAfter?: string }
  /** Status 200 with this body. */
  | { body: string }
  /** An error of the API, which comes with status 200. */
  | { error: string }
  /** No answer, ever; `left` is emitted when whoever asked has gone. */
  | 'silence'
  /** The connection is cut before the answer, or in the middle of it. */
  | 'cut'
  | 'cut-half-way'

export interface Asked {
  method: string
  /** As it came, still encoded. */
  url: string
  /** The parameters of the query, decoded. */
  params: Record<string, string>
  userAgent: string | undefined
  /** What browsers say it in, which Wikipedia believes before the other. */
  apiUserAgent: string | string[] | undefined
}

/** Pages of our own about what the test pictures and the exercise show. */
export const PAGES: Record<string, WikiPage> = {
  Hammer:
    'A hammer is a tool with a heavy head on a handle, swung by hand to strike a small area: to drive a nail, to shape metal or to break stone. ' +
    'Its parts have names of their own: the face strikes, the peen behind it shapes, and the claw of a joiner’s hammer draws nails.\n\n\n' +
    '== Kinds ==\nJoiners, smiths, masons, doctors and pianos have hammers, each with the weight and the head that its work wants. ' +
    'A sledgehammer is swung with both hands, a mallet has a head of wood or rubber, and a gavel asks for silence.',
  Tench: 'The tench is a freshwater fish with an olive skin, small scales and red eyes, which lives in still water.',
  Goldfish: 'The goldfish is a small fish that people have kept in ponds and bowls for a thousand years.',
  Crane: { disambiguation: ['Crane (bird)', 'Crane (machine)'] },
  'Crane (bird)': 'Cranes are tall birds with long legs and necks, which fly with the neck stretched out.',
  'Crane (machine)': 'A crane is a machine that lifts loads by a rope and moves them sideways.',
  Bullfrog: { redirect: 'American bullfrog' },
  'American bullfrog': 'The American bullfrog is a large frog whose call is heard far across the water.',
  'AT&T': 'AT&T is a company that carries calls and data.',
  'C++': 'C++ is a programming language that grew out of C.',
  'What?': 'What? is a question in one word.',
  '50%': '50% is one half.',
  '1984': '1984 was a leap year that began on a Sunday.',
  'Emoji 😀': `${'😀'.repeat(300)} and so on`,
}

/**
 * A stand-in for Wikipedia on the loopback address: MediaWiki's API as far as its clients search and read pages, with the
 * faults of a real network, and a record of what it was asked. The base URL is `endpoint`.
 *
 *     const wiki = await MediaWikiStandIn.start()
 *     process.env.RAYITO_WIKIPEDIA = wiki.endpoint
 *
 * As a program: `node .build/test/stand-ins/mediawiki.js --port 8080`.
 */
export class MediaWikiStandIn extends EventEmitter {
  readonly requests: Asked[] = []
  pages: Record<string, WikiPage>
  /** Results of a search, where they are not to be found by title. */
  results: Record<string, string[]> = {}
  /** Taken one a request, from the front. */
  faults: Fault[] = []
  /** What every request meets, once `faults` is empty. */
  fault: Fault | null = null
  endpoint = ''
  #server!: Server

  private constructor(pages: Record<string, WikiPage>) {
    super()
    this.pages = { ...pages }
  }

  static async start({ port = 0, pages = PAGES } = {}): Promise<MediaWikiStandIn> {
    const wiki = new MediaWikiStandIn(pages)
    await wiki.listen(port)
    return wiki
  }

  /** Listens (again, after `close`). */
  async listen(port = 0): Promise<void> {
    this.#server = createServer((request, response) => this.#answer(request, response))
    await once(this.#server.listen(port, '127.0.0.1'), 'listening')
    this.endpoint = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** How often it was asked to search this. */
  searches(term: string): number {
    return this.requests.filter(({ params }) => params.srsearch === term).length
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((done) => this.#server.close(done))
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { method = '', url = '', headers } = request
    const { pathname, searchParams } = new URL(url, this.endpoint)
    const params = Object.fromEntries(searchParams)
    this.requests.push({
      method,
      url,
      params,
      userAgent: headers['user-agent'],
      apiUserAgent: headers['api-user-agent'],
    })
    this.emit('request')
    const fault = this.faults.shift() ?? this.fault
    const type = { 'content-type': 'application/json; charset=utf-8' }
    const body = () => JSON.stringify(this.#query(params))
    if (fault === 'silence') return void response.once('close', () => this.emit('left'))
    if (fault === 'cut') return void request.socket.destroy()
    if (fault === 'cut-half-way') {
      const whole = body()
      response.writeHead(200, { ...type, 'content-length': Buffer.byteLength(whole) })
      return void response.write(whole.slice(0, whole.length / 2), () => request.socket.destroy())
    }
    if (fault && 'body' in fault) return void response.writeHead(200, type).end(fault.body)
    if (fault && 'error' in fault) {
      const error = { code: fault.error, info: 'The wiki cannot answer now.' }
      return void response
        .writeHead(200, { ...type, 'mediawiki-api-error': fault.error })
        .end(JSON.stringify({ error }))
    }
    if (fault) {
      const wait = fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter }
      return void response.writeHead(fault.status, { 'content-type': 'text/html', ...wait }).end('<h1>Not now</h1>')
    }
    if (pathname !== '/w/api.php') return void response.writeHead(404).end()
    response.writeHead(200, type).end(body())
  }

  #query(params: Record<string, string>): unknown {
    if (params.action !== 'query' || params.format !== 'json') return refusal('badvalue', 'Unrecognized value.')
    if (params.list === 'search') {
      if (!params.srsearch) return refusal('missingparam', 'The "srsearch" parameter must be set.')
      if (params.srsearch.length > 300) return refusal('search-too-long', 'The search request is too long.')
      const found = (own(this.results, params.srsearch) ?? this.#search(params.srsearch)).slice(
        0,
        Number(params.srlimit),
      )
      const search = found.map((title) => ({ ns: 0, title, pageid: this.#id(title) }))
      return { batchcomplete: '', query: { searchinfo: { totalhits: search.length }, search } }
    }
    return { batchcomplete: '', query: this.#describe(params) }
  }

  #search(term: string): string[] {
    const words = term.toLowerCase().split(/\s+/)
    const titles = Object.keys(this.pages).filter((title) => words.every((word) => title.toLowerCase().includes(word)))
    // The page of that name comes first, then shorter names; a redirect is found as the page it leads to.
    const exact = (title: string) => Number(title.toLowerCase() === term.toLowerCase())
    titles.sort((a, b) => exact(b) - exact(a) || a.length - b.length)
    return [...new Set(titles.map((title) => this.#target(title)))]
  }

  #target(title: string): string {
    const page = own(this.pages, title)
    return typeof page === 'object' && 'redirect' in page ? page.redirect : title
  }

  #id(title: string): number {
    return Object.keys(this.pages).indexOf(title) + 1001
  }

  #describe(params: Record<string, string>): unknown {
    if (params.pageids !== undefined) {
      const title = Object.keys(this.pages)[Number(params.pageids) - 1001]
      if (title === undefined) return { pages: { [params.pageids]: { pageid: Number(params.pageids), missing: '' } } }
      return { pages: { [params.pageids]: this.#page(title, params) } }
    }
    const asked = params.titles ?? ''
    if (/[[\]{}|<>#]/.test(asked)) return { pages: { '-1': { title: asked, invalidreason: 'Bad title', invalid: '' } } }
    const normalised = asked.charAt(0).toUpperCase() + asked.slice(1).replaceAll('_', ' ')
    const title = this.#target(normalised)
    const ways = {
      ...(normalised !== asked && { normalized: [{ from: asked, to: normalised }] }),
      ...(title !== normalised && { redirects: [{ from: normalised, to: title }] }),
    }
    if (own(this.pages, title) === undefined) return { ...ways, pages: { '-1': { ns: 0, title, missing: '' } } }
    return { ...ways, pages: { [this.#id(title)]: this.#page(title, params) } }
  }

  #page(title: string, { prop = '', ppprop }: Record<string, string>): unknown {
    const page = this.pages[title]!
    const list = typeof page === 'object' && 'disambiguation' in page ? page.disambiguation : undefined
    const props = prop.split('|')
    const url = `${this.endpoint}/wiki/${encodeURIComponent(title.replaceAll(' ', '_'))}`
    return {
      pageid: this.#id(title),
      ns: 0,
      title,
      ...(props.includes('info') && { contentmodel: 'wikitext', fullurl: url, editurl: url, canonicalurl: url }),
      ...(props.includes('pageprops') && list && ppprop === 'disambiguation' && { pageprops: { disambiguation: '' } }),
      ...(props.includes('extracts') && { extract: list ? `${title} may refer to:\n${list.join('\n')}` : page }),
      ...(props.includes('revisions') && { revisions: [{ revid: 2, parentid: 1 }] }),
      ...(props.includes('links') && { links: (list ?? []).map((linked) => ({ ns: 0, title: linked })) }),
    }
  }
}

const own = <T>(record: Record<string, T>, name: string): T | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined

const refusal = (code: string, info: string) => ({ error: { code, info } })

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { endpoint } = await MediaWikiStandIn.start({ port: Number(process.argv[process.argv.indexOf('--port') + 1]) })
  console.log(`Wikipedia's stand-in listens at ${endpoint}`)
}
