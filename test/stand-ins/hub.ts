import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

/** Files of a repository by path. */
export type Files = Record<string, Uint8Array | string>

export interface Faults {
  /** So many downloads of large files break off half way. */
  cut: number
  /** So many downloads of large files fall silent half way and stay open. */
  stall: number
  /** So many downloads of large files stop half way until {@link HubStandIn.release}; each emits 'held'. */
  hold: number
  /** So many requests get 429, with `retryAfter`. */
  busy: number
  retryAfter: string | null
  /** What all answers say of the rate limit. */
  rateLimit: string | null
  /** So many requests get 503. */
  error: number
  /** So many requests to the host of the redirects get 403, as a signed address that is too old does. */
  expired: number
  /** So many downloads of large files have one byte changed. */
  wrong: number
  /** So many downloads of large files are answered by a page of a proxy; every other one says how long it is. */
  page: number
  /** Range is ignored: 200 with the whole file; or refused. */
  norange: boolean | 416
  /** Every repository answers as one that does not exist. */
  missing: boolean
  /** Every repository wants this token. */
  gated: string | null
  /** Any other token than this is refused as invalid. */
  onlyToken: string | null
  /** Answers are pages of a proxy that wants a login. */
  login: boolean
}

export interface Recorded {
  /** Which of the two hosts was asked. */
  host: 'hub' | 'cdn'
  method: string
  url: string
  range: string | undefined
  authorization: string | undefined
  status: number
}

interface File {
  path: string
  bytes: Uint8Array
  /** Git's id: of the content, or of the pointer of a large file. */
  oid: string
  sha256: string | undefined
}

const NO_FAULTS: Faults = {
  cut: 0,
  stall: 0,
  hold: 0,
  busy: 0,
  retryAfter: '0',
  rateLimit: null,
  error: 0,
  expired: 0,
  wrong: 0,
  page: 0,
  norange: false,
  missing: false,
  gated: null,
  onlyToken: null,
  login: false,
}

const sha1 = (...parts: (string | Uint8Array)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha1')).digest('hex')
const gitId = (bytes: Uint8Array) => sha1(`blob ${bytes.length}\0`, bytes)

/** The files of a folder, as a repository has them. */
export function folderFiles(folder: string): Files {
  const paths = (readdirSync(folder, { recursive: true }) as string[]).filter((path) =>
    statSync(join(folder, path)).isFile(),
  )
  return Object.fromEntries(paths.map((path) => [path.replaceAll('\\', '/'), readFileSync(join(folder, path))]))
}

/**
 * A stand-in for the Hugging Face Hub on the loopback address: the routes, headers and redirects that its clients rely on,
 * with the faults of a real network, and a record of what it was asked. Large files come from another host, by a 302; the
 * others from the Hub itself, by a relative 307.
 *
 *     const hub = await HubStandIn.start({ 'datasets/owner/name': { 'README.md': 'hello' } })
 *     process.env.HF_ENDPOINT = hub.endpoint
 */
export class HubStandIn extends EventEmitter {
  readonly requests: Recorded[] = []
  faults: Faults = { ...NO_FAULTS }
  /** Files from this size on are in large-file storage. */
  largeFrom = 10_000
  /** Entries on a page of a listing. */
  pageSize = 1000
  endpoint = ''
  /** Where large files come from. */
  cdn = ''
  readonly #servers: Server[] = []
  /** Repository → branch or commit → files. */
  readonly #repos = new Map<string, Map<string, File[]>>()

  static async start(repos: Record<string, Files> = {}): Promise<HubStandIn> {
    const hub = new HubStandIn()
    for (const host of ['hub', 'cdn'] as const) {
      const server = createServer((request, response) => {
        hub.#answer(host, request, response).catch((error) => response.destroy(error))
      })
      hub.#servers.push(server)
      await once(server.listen(0, '127.0.0.1'), 'listening')
    }
    const [hubAddress, cdnAddress] = hub.#servers.map(
      (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    )
    hub.endpoint = hubAddress!
    hub.cdn = cdnAddress!
    for (const [name, files] of Object.entries(repos)) hub.commit(name, files)
    return hub
  }

  /** A further commit on a branch; earlier ones stay to be had. Its id. */
  commit(name: string, files: Files, branch = 'main'): string {
    const list = Object.entries(files)
      .map(([path, content]): File => {
        const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
        const sha256 = bytes.length >= this.largeFrom ? createHash('sha256').update(bytes).digest('hex') : undefined
        return { path, bytes, sha256, oid: sha256 ? sha1(sha256) : gitId(bytes) }
      })
      .sort((a, b) => (a.path < b.path ? -1 : 1))
    const commit = sha1(...list.map(({ path, oid }) => path + oid))
    const revisions = this.#repos.get(name) ?? new Map<string, File[]>()
    this.#repos.set(name, revisions.set(commit, list).set(branch, list))
    return commit
  }

  /** Drops all commits but the branches' newest, as a rewritten history does. */
  rewrite(name: string, files: Files): string {
    this.#repos.delete(name)
    return this.commit(name, files)
  }

  /** Lets the held downloads go on. */
  release(): void {
    this.emit('release')
  }

  /** What was asked for and answered with a file's bytes. */
  get downloads(): Recorded[] {
    return this.requests.filter(
      ({ host, url, status }) => (host === 'cdn' || url.startsWith('/api/resolve-cache/')) && status < 300,
    )
  }

  /** What was asked about repositories: commits and listings. */
  get lookups(): Recorded[] {
    return this.requests.filter(({ url }) => url.startsWith('/api/') && !url.startsWith('/api/resolve-cache/'))
  }

  /** Forgets faults and requests. */
  reset(): void {
    this.faults = { ...NO_FAULTS }
    this.requests.length = 0
  }

  async close(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    }
  }

  async #answer(host: 'hub' | 'cdn', request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request
    const entry: Recorded = { host, method, url, range: headers.range, authorization: headers.authorization, status: 0 }
    this.requests.push(entry)
    const writeHead = response.writeHead.bind(response)
    response.writeHead = ((status: number, ...rest: never[]) => {
      entry.status = status
      return writeHead(status, ...rest)
    }) as typeof response.writeHead
    this.emit('request', entry)

    const { faults } = this
    if (faults.rateLimit !== null) response.setHeader('ratelimit', faults.rateLimit)
    if (faults.login)
      return void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Welcome to the hotel</h1>')
    if (faults.error-- > 0) return refuse(response, 503, 'Unavailable', 'Service unavailable')
    if (faults.busy-- > 0)
      return void response.writeHead(429, faults.retryAfter === null ? {} : { 'retry-after': faults.retryAfter }).end()

    const { pathname, searchParams } = new URL(url, this.endpoint)
    const parts = pathname.split('/').filter(Boolean).map(decodeURIComponent)
    if (host === 'cdn') {
      if (faults.expired-- > 0) return void response.writeHead(403).end('Request has expired')
      // A signed address bears its own permission: storage hosts refuse a further one.
      if (headers.authorization) return void response.writeHead(400).end('Only one auth mechanism allowed')
      const files = [...this.#repos.values()].flatMap((revisions) => [...revisions.values()].flat())
      return this.#send(request, response, files.find(({ sha256 }) => sha256 === parts[0])!)
    }

    const api = parts[0] === 'api' && parts.shift()
    const content = api && parts[0] === 'resolve-cache' && parts.shift()
    const type = parts[0] === 'datasets' || api ? parts.shift() : 'models'
    if (content) parts.splice(2, 0, content)
    const [owner, repo, verb, revision = 'main', ...rest] = parts
    const name = `${type}/${owner}/${repo}`
    const revisions = this.#repos.get(name)
    if (faults.onlyToken && headers.authorization && headers.authorization !== `Bearer ${faults.onlyToken}`)
      return void response.writeHead(401, { 'x-error-message': 'Invalid credentials in Authorization header' }).end()
    if (faults.missing || !revisions) return refuse(response, 401, 'RepoNotFound', 'Invalid username or password.')
    if (faults.gated && headers.authorization !== `Bearer ${faults.gated}`)
      return refuse(response, headers.authorization ? 403 : 401, 'GatedRepo', `Access to ${name} is restricted.`)
    const files = revisions.get(revision)
    if (!files) return refuse(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`)
    const commit = sha1(...files.map(({ path, oid }) => path + oid))

    if (api && (verb === undefined || verb === 'revision')) {
      const siblings = files.map(({ path }) => ({ rfilename: path }))
      const about = {
        private: false,
        gated: false,
        disabled: false,
        tags: [],
        downloads: 0,
        likes: 0,
        lastModified: '2022-10-12T00:00:00.000Z',
      }
      return json(response, { id: `${owner}/${repo}`, sha: commit, siblings, ...about })
    }
    if (api && verb === 'tree') {
      const start = Number(searchParams.get('cursor') ?? 0)
      const end = start + this.pageSize
      const next = `<${this.endpoint}${pathname}?recursive=true&cursor=${end}>; rel="next"`
      return json(response, files.slice(start, end).map(treeEntry), end < files.length ? { link: next } : {})
    }
    const file = files.find(({ path }) => path === rest.join('/'))
    if ((verb !== 'resolve' && !content) || !file) return refuse(response, 404, 'EntryNotFound', 'Entry not found')
    const etag = `"${file.sha256 ?? file.oid}"`
    const linked = {
      'x-repo-commit': commit,
      'x-linked-size': file.bytes.length,
      'x-linked-etag': etag,
      etag,
      'content-length': 0,
    }
    if (file.sha256)
      return void response.writeHead(302, { ...linked, location: `${this.cdn}/${file.sha256}?signature=1` }).end()
    const path = [owner, repo, commit, ...rest].map((part) => encodeURIComponent(part!)).join('/')
    if (!content)
      return void response.writeHead(307, { ...linked, location: `/api/resolve-cache/${type}/${path}` }).end()
    return this.#send(request, response, file, { 'x-repo-commit': commit })
  }

  async #send(
    request: IncomingMessage,
    response: ServerResponse,
    { bytes, sha256, oid }: File,
    more = {},
  ): Promise<void> {
    const { faults } = this
    if (sha256 && faults.page-- > 0)
      return void response
        .writeHead(200, { 'content-type': 'text/html', ...(faults.page % 2 && { 'content-length': 7 }) })
        .end('<h1>Log')
    if (faults.norange === 416 && request.headers.range) return void response.writeHead(416).end()
    const range = faults.norange ? null : /^bytes=(\d+)-$/.exec(request.headers.range ?? '')
    const start = Number(range?.[1] ?? 0)
    response.writeHead(range ? 206 : 200, {
      'content-length': bytes.length - start,
      'accept-ranges': 'bytes',
      etag: `"${sha256 ?? oid}"`,
      ...more,
      ...(range && { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
    })
    if (request.method === 'HEAD') return void response.end()
    let body = bytes.subarray(start)
    if (sha256 && faults.wrong-- > 0) {
      body = Uint8Array.from(body)
      body[body.length >> 1]! ^= 1
    }
    const half = body.length >> 1
    const first = () => new Promise<void>((sent) => response.write(body.subarray(0, half), () => sent()))
    if (sha256 && faults.cut-- > 0) return void first().then(() => response.destroy())
    if (sha256 && faults.stall-- > 0) {
      await first()
      return void this.emit('stalled')
    }
    if (sha256 && faults.hold-- > 0) {
      await first()
      const released = once(this, 'release')
      this.emit('held')
      await Promise.race([released, once(response, 'close')])
      return void response.end(body.subarray(half))
    }
    response.end(body)
  }
}

const treeEntry = ({ path, bytes, oid, sha256 }: File) => ({
  type: 'file',
  path,
  size: bytes.length,
  oid,
  ...(sha256 && { lfs: { oid: sha256, size: bytes.length, pointerSize: 134 } }),
})

function json(response: ServerResponse, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(200, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  const headers = { 'content-type': 'application/json', 'x-error-code': code, 'x-error-message': message }
  response.writeHead(status, headers).end(JSON.stringify({ error: message }))
}
