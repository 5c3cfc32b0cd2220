import { AsyncLocalStorage } from 'node:async_hooks'
import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import type { FastifyInstance, InjectOptions } from 'fastify'
import type { RunOptions } from '../types.js'
import { Access } from './access.js'
import { makeApp } from './app.js'
import type { HttpHost } from './host.js'
import { makeLog } from './log.js'
import { Metrics } from './metrics.js'
import { HttpServer } from './server.js'
import { DROPPED } from './upload.js'
import { webBody } from './web-body.js'

/** An answer with these has no body, and a Response must not be given one. */
const BODILESS = new Set([204, 205, 304])

/** By which whoever asks without a socket gives up. */
const inProcess = new AsyncLocalStorage<AbortSignal>()

/** Answers HTTP for the applications: over a socket, and without one. */
export class HttpSide {
  readonly #host: HttpHost
  #app: FastifyInstance | null = null
  #server: HttpServer | null = null
  #refreshed = Promise.resolve()
  #draining = false

  constructor({
    log: to,
    ...host
  }: Pick<HttpHost, 'requestTimeout' | 'applications' | 'status'> & { log: RunOptions['log'] }) {
    const log = makeLog(to)
    const metrics = new Metrics(() => host.applications())
    const draining = () => this.#draining
    this.#host = { ...host, log, metrics, access: new Access(log, metrics), draining, heed }
  }

  /** @returns where */
  async listen(host: string, port: number): Promise<string> {
    this.#server = new HttpServer(this.#host.requestTimeout, this.#host.access)
    return this.#server.listen(host, port)
  }

  /** The applications have changed. Requests that run go on where they are. Rejects where their routes cannot be served. */
  refresh(): Promise<void> {
    // One after the other: each knows of all that was changed before.
    this.#refreshed = this.#refreshed.catch(() => {}).then(() => this.#refresh())
    return this.#refreshed
  }

  async #refresh(): Promise<void> {
    const app = await makeApp(this.#host)
    this.#app = app
    if (this.#server) this.#server.handler = (request, response) => app.routing(request, response)
  }

  async fetch(request: Request): Promise<Response> {
    // The routes of the first application are being made.
    if (!this.#app) await this.#refreshed.catch(() => {})
    const app = this.#app
    if (!app) return starting()
    const { pathname, search, host } = new URL(request.url)
    // Those that are not there would be made up.
    const headers: Record<string, string | undefined> = {
      host,
      'user-agent': undefined,
      ...Object.fromEntries(request.headers),
    }
    // Rejects as the global one does, whenever the request is given up.
    const { signal } = request
    signal.throwIfAborted()
    if (request.bodyUsed) throw new TypeError('Body is unusable: it has been read before')
    // Read no further than the application wants it.
    const payload = request.body && Readable.fromWeb(request.body as Parameters<typeof Readable.fromWeb>[0])
    // Without either a body is taken for none.
    if (payload && !request.headers.has('content-length')) headers['transfer-encoding'] = 'chunked'
    const asked: InjectOptions & { payloadAsStream: true } = {
      method: request.method as NonNullable<InjectOptions['method']>,
      url: `${pathname}${search}`,
      headers,
      payloadAsStream: true,
      ...(payload ? { payload } : {}),
    }
    const answer = await inProcess
      .run(signal, async () => app.inject(asked))
      .catch((error) => {
        payload?.destroy()
        throw signal.aborted ? signal.reason : error
      })
    if (payload?.errored) throw payload.errored
    const given = Object.entries(answer.headers).flatMap(([name, value]) =>
      [value ?? []].flat().map((one) => [name, String(one)] as [string, string]),
    )
    const { statusCode: status } = answer
    const body = answer.stream()
    const response = answer.raw.res
    body.once('close', () => {
      // Whoever reads no further has left.
      response.destroy()
      if (payload) leave(payload, body.readableEnded)
    })
    const empty = BODILESS.has(status) || request.method === 'HEAD'
    if (empty) body.resume()
    const { requestTimeout } = this.#host
    return new Response(empty ? null : webBody(body, response, requestTimeout, signal), { status, headers: given })
  }

  async drain(milliseconds: number): Promise<void> {
    this.#draining = true
    await this.#server?.drain(milliseconds)
  }

  async close(): Promise<void> {
    await this.#server?.close()
    this.#host.log.flush()
    this.#host.metrics.end()
  }
}

/** A body that was not read to its end. @param answered whether all of the answer has been taken */
function leave(payload: Readable, answered: boolean): void {
  if (!answered) return void payload.destroy()
  // That would take a framework's socket along, by which the answer is still on its way.
  let left = DROPPED
  payload.on('data', (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) payload.destroy()
  })
}

/** As the server says it over a socket. */
function starting(): Response {
  return Response.json({ detail: 'The server is starting' }, { status: 503, headers: { 'retry-after': '1' } })
}

/** Who gives up without a socket leaves as one who hangs up. (Each request has a signal of its own.) */
function heed(response: ServerResponse): void {
  inProcess.getStore()?.addEventListener('abort', () => response.destroy(), { once: true })
}
