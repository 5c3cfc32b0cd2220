import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { RayitoError } from '../../core/errors.js'
import { errorBody } from '../http-response.js'
import type { Access } from './access.js'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Milliseconds a client may take for its headers, and an idle connection may stay open. */
const HEADERS = 15_000
const KEEP_ALIVE = 65_000
/** Milliseconds a client that was refused may take to hang up; if it is ended at once, it may not hear why. */
const HANG_UP = 1_000
/** The same for one that was answered, between two pieces of what it still sends. */
const LINGER = 5_000
/** Connections that may wait to be taken: Node's default. */
const BACKLOG = 511

/** What a client is told by Node's code; else 400. */
const REFUSALS: Record<string, [status: number, reason: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'Request Timeout'],
  HPE_HEADER_OVERFLOW: [431, 'Request Header Fields Too Large'],
}

/** The socket. What answers may be changed while it is open. */
export class HttpServer {
  handler: Handler | null = null
  #ongoing = 0
  /** Connections. */
  #taken = 0
  #idle: (() => void) | null = null
  #drained: Promise<void> | null = null
  readonly #server: Server
  /** Requests that are not whole, or not answered, of each connection, in order. */
  readonly #pending = new WeakMap<Socket, ServerResponse[]>()

  /**
   * @param requestTimeout milliseconds for a request to have come in whole; then it gets 408. Who takes nothing of an answer for so
   * long has left
   */
  constructor(
    private readonly requestTimeout: number,
    private readonly access: Access,
  ) {
    const limits = {
      requestTimeout,
      headersTimeout: Math.min(HEADERS, requestTimeout),
      keepAliveTimeout: KEEP_ALIVE,
      connectionsCheckingInterval: Math.min(1000, requestTimeout),
    }
    this.#server = createServer(limits, (request, response) => this.#take(request, response))
    this.#server.on('checkContinue', (request, response) => {
      // A body that is refused by its head is not asked for.
      request.once('resume', () => response.headersSent || response.writeContinue())
      this.#take(request, response)
    })
    this.#server.on('clientError', (error, socket) => this.#refuse(error, socket as Socket))
    this.#server.on('connection', (socket) => {
      this.#taken++
      // By which Node hangs up after an answer.
      const destroySoon = socket.destroySoon.bind(socket)
      socket.destroySoon = () => this.#linger(socket) || destroySoon()
    })
  }

  /** @returns the address. @throws RayitoError SERVE_ADDRESS (rejects) */
  async listen(host: string, port: number): Promise<string> {
    try {
      await once(this.#server.listen(port, host), 'listening')
    } catch (cause) {
      const { code, message } = cause as NodeJS.ErrnoException
      const why =
        code === 'EADDRINUSE'
          ? `Port ${port} of ${host} is in use already`
          : code === 'EACCES'
            ? `Port ${port} of ${host} may not be used by this user`
            : `${host}:${port} cannot be listened on (${message})`
      throw new RayitoError('SERVE_ADDRESS', why, { cause })
    }
    const { address, port: got, family } = this.#server.address() as AddressInfo
    const shown = address === '0.0.0.0' || address === '::' ? '127.0.0.1' : family === 'IPv6' ? `[${address}]` : address
    return `http://${shown}:${got}`
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request
    // It was told that its connection ends.
    if (socket.writableEnded) return void socket.destroy()
    if (!this.#pending.has(socket)) socket.once('close', () => this.#gone(socket))
    this.#pending.set(socket, [...this.#pendingOf(socket), response])
    this.#ongoing++
    response.setTimeout(this.requestTimeout, () => {
      if (socket.writableLength > 0) socket.destroy()
    })
    response.once('close', () => {
      this.#pending.set(socket, this.#pendingOf(socket))
      this.#over()
    })
    if (!this.handler) return refuse(response, 'The server is starting')
    this.handler(request, response)
  }

  #over(): void {
    if (--this.#ongoing === 0) this.#idle?.()
  }

  /**
   * Takes in what a client still sends that was answered early: many a client, and proxies, would not hear the answer
   * if the connection were ended meanwhile.
   * @returns false where nothing is to come, or nobody reads it
   */
  #linger(socket: Socket): boolean {
    const { req } = this.#pendingOf(socket).find(({ writableFinished }) => writableFinished) ?? {}
    if (!req || req.isPaused()) return false
    this.#ongoing++
    socket.once('close', () => this.#over())
    req.once('end', () => socket.destroy())
    socket.setTimeout(LINGER).end()
    return true
  }

  #pendingOf(socket: Socket): ServerResponse[] {
    const responses = this.#pending.get(socket) ?? []
    return responses.filter(({ writableFinished, req }) => !writableFinished || !req.complete)
  }

  /** Node tells it those only whose turn it is. */
  #gone(socket: Socket): void {
    for (const response of this.#pendingOf(socket))
      if (!response.socket && !response.writableFinished) response.destroy().emit('close')
  }

  /** What Node could not read, or waited for too long. */
  #refuse(error: NodeJS.ErrnoException, socket: Socket): void {
    const pending = this.#pendingOf(socket)
    // What has begun would take it for a part of itself.
    const begun = pending.some(({ headersSent }) => headersSent)
    if (error.code === 'ECONNRESET' || !socket.writable || begun) return void socket.destroy()
    const [status, reason] = REFUSALS[error.code ?? ''] ?? [400, 'Bad Request']
    const [errorKey] = pending.map((response) => this.access.refuse(response, status))
    const body = JSON.stringify(errorBody(reason, errorKey))
    socket.end(
      `HTTP/1.1 ${status} ${reason}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
    )
    // Who does not hang up would hold what waits for the rest of the request.
    setTimeout(() => socket.destroy(), HANG_UP).unref()
  }

  /** New requests get 503 from now on; resolves when those that run are answered, or after `milliseconds`. */
  drain(milliseconds: number): Promise<void> {
    this.#drained ??= this.#drain(milliseconds)
    return this.#drained
  }

  async #drain(milliseconds: number): Promise<void> {
    await this.#catchUp()
    // Connections that are idle stay: on one that is closed a client may just be asking, and would not hear of it.
    await this.#rest(milliseconds)
  }

  /** Has read what has come by now. Node takes one connection a turn. */
  async #catchUp(): Promise<void> {
    await turn()
    for (let left = BACKLOG, taken = -1; left > 0 && taken < this.#taken; left--) {
      taken = this.#taken
      await turn()
    }
  }

  async #rest(milliseconds: number): Promise<void> {
    if (this.#ongoing === 0) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, milliseconds)
      this.#idle = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }

  async close(): Promise<void> {
    await this.#catchUp()
    const closed = new Promise((resolve) => this.#server.close(resolve))
    await this.#catchUp()
    // Who is told only now that the server ends hears it.
    await this.#rest(HANG_UP)
    this.#server.closeAllConnections()
    await closed
  }
}

function refuse(response: ServerResponse, why: string): void {
  const body = JSON.stringify({ detail: why })
  const headers = { 'content-type': 'application/json; charset=utf-8', 'retry-after': '1', connection: 'close' }
  response.writeHead(503, headers).end(body)
}
