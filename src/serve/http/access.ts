import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { DETAIL } from '../http-response.js'
import type { Log } from './log.js'
import type { Metrics } from './metrics.js'
import { pathOf } from './request-path.js'

/** What a client may call its request: goes into headers and logs. */
const REQUEST_ID = /^[\w.:+/=@-]{1,128}$/

/** A request that is being answered. */
interface Asked {
  began: number
  /** The field of an error's body. */
  errorKey: string
  /** Only the first time. @param refusal what its client was told past its answer */
  note(refusal?: number): void
}

/** The access log and the metrics of requests: each is noted once, when its answer has left or nothing more of it can leave. */
export class Access {
  readonly #asked = new WeakMap<ServerResponse, Asked>()

  constructor(
    private readonly log: Log,
    private readonly metrics: Metrics,
  ) {}

  begin({ raw: request, id, routeOptions }: FastifyRequest, reply: FastifyReply): void {
    const response = reply.raw
    const began = performance.now()
    // Its pattern: of addresses there would be too many for a metric.
    const route = routeOptions.url ?? 'none'
    let whole = false
    let noted = false
    const note = (refusal = 0) => {
      if (noted) return
      noted = true
      const took = performance.now() - began
      const { method = '', url = '' } = request
      // Nobody heard an answer: 499 is what nginx notes.
      const status = refusal || (response.headersSent ? response.statusCode : 499)
      const brokenOff = !refusal && response.headersSent && !whole
      this.metrics.answered(method, route, status, took)
      if (brokenOff) this.metrics.brokenOff(route)
      const path = pathOf(url).slice(0, 500)
      const line = { requestId: id, method, path, status, milliseconds: round(took), ...(brokenOff && { brokenOff }) }
      this.log.request(line, `${method} ${path} ${status} ${took.toFixed(1)}ms${brokenOff ? ', broken off' : ''}`)
    }
    this.#asked.set(response, { began, errorKey: errorKeyOf(reply), note })
    response.once('finish', () => {
      whole = true
    })
    response.once('close', () => note())
  }

  /** Milliseconds since a request came. */
  elapsed(response: ServerResponse): number {
    const asked = this.#asked.get(response)
    return asked ? performance.now() - asked.began : 0
  }

  /** Its client is told this status, past its answer. @returns the field of an error's body */
  refuse(response: ServerResponse, status: number): string {
    const asked = this.#asked.get(response)
    asked?.note(status)
    return asked?.errorKey ?? DETAIL
  }
}

/** The field that an error of the route is in. */
export function errorKeyOf({ request }: FastifyReply): string {
  return (request.routeOptions.config as { errorKey?: string } | undefined)?.errorKey ?? DETAIL
}

/** X-Request-ID: the client's, if it is one, or one made here. */
export function requestId({ headers }: IncomingMessage): string {
  const given = headers['x-request-id']
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID()
}

const round = (milliseconds: number) => Math.round(milliseconds * 1000) / 1000
