import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { RayitoError } from '../../core/errors.js'

type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** Milliseconds a client may take for its headers, and an idle connection may stay open. */
const HEADERS = 15_000
const KEEP_ALIVE = 65_000

/** The socket. What answers may be changed while it is open. */
export class HttpServer {
  handler: Handler | null = null
  draining = false
  #ongoing = 0
  #idle: (() => void) | null = null
  readonly #server: Server

  /** @param requestTimeout milliseconds for a request to have come in whole; then it gets 408 */
  constructor(requestTimeout: number) {
    const limits = {
      requestTimeout,
      headersTimeout: Math.min(HEADERS, requestTimeout),
      keepAliveTimeout: KEEP_ALIVE,
      connectionsCheckingInterval: Math.min(1000, requestTimeout),
    }
    this.#server = createServer(limits, (request, response) => this.#take(request, response))
    this.#server.on('clientError', refuseMalformed)
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
    if (this.draining || !this.handler) return refuse(response, 'The server is stopping')
    this.#ongoing++
    response.once('close', () => {
      if (--this.#ongoing === 0) this.#idle?.()
    })
    this.handler(request, response)
  }

  /** New requests get 503 from now on; resolves when those that run are answered, or after `milliseconds`. */
  async drain(milliseconds: number): Promise<void> {
    this.draining = true
    this.#server.closeIdleConnections()
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
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    await closed
  }
}

function refuse(response: ServerResponse, why: string): void {
  const body = JSON.stringify({ detail: why })
  const headers = { 'content-type': 'application/json; charset=utf-8', 'retry-after': '1', connection: 'close' }
  response.writeHead(503, headers).end(body)
}

/** Before there is a request: what Node could not read, or waited for too long. */
function refuseMalformed(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy()
  const status =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? '408 Request Timeout'
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? '431 Request Header Fields Too Large'
        : '400 Bad Request'
  const body = JSON.stringify({ detail: status.slice(4) })
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  )
}
