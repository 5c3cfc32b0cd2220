import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { userStack } from '../../core/user-stack.js'
import type { Call } from '../call.js'
import { DETAIL, errorBody, HttpError, missingField, type WireResponse } from '../http-response.js'
import { passOn } from '../measured.js'
import { received } from '../response-generator.js'
import type { RunningApplication } from '../running-application.js'
import type { Route } from '../types.js'
import type { HttpHost } from './host.js'
import { pathBelow, pathOf } from './request-path.js'
import { FORM, type Form, readForm, shared, textsOf } from './upload.js'

const URLENCODED = /^application\/x-www-form-urlencoded\b/i

/** Hands a request to a replica, and its answer to the client. */
export async function answer(
  host: HttpHost,
  application: RunningApplication,
  route: Route<unknown>,
  maxBytes: number,
  prefix: string,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const form = await bodyOf(request, maxBytes)
  // A browser sends a file without name and content where none was chosen.
  const given = form.files.filter(({ filename, start, end }) => filename !== '' || end > start)
  if (route.file && !given.some(({ field }) => field === route.file))
    throw new HttpError(422, missingField('body', route.file))
  const { method, id, params, query } = request
  const { fields, files, kind } = form
  const path = pathBelow(prefix, request.url)
  const { errorKey = DETAIL } = route
  const wire = JSON.stringify({
    id,
    method,
    path,
    params,
    query,
    headers: request.headers,
    fields,
    files,
    kind,
    errorKey,
  })
  const began = performance.now()
  const { bytes } = form
  let body: Readable | null = null
  const { router } = application.ingress
  const call = router.send(
    (actor, callId) => actor.http.remote(callId, route.call, wire, bytes),
    ({ streams }, actor, callId) => {
      if (!streams) return null
      body = Readable.from(received(actor, actor.pieces, callId), { objectMode: false })
      // Half a body is told by Fastify, which breaks the connection off.
      return finished(body).catch((error) => failed(host, request, error))
    },
  )
  router.expectNoMore(request)
  const response = await patiently(call, host.requestTimeout - host.access.elapsed(reply.raw), reply).finally(() => {
    const took = performance.now() - began
    const { name } = application.ingress
    const sent = call.tries > 0
    host.metrics.waited(name, sent ? call.waited : took)
    if (sent) host.metrics.processed(name, took - call.waited)
  })
  passOn(response.measured)
  if (response.failure)
    host.log.failure({ requestId: id, failure: response.failure }, `${method} ${pathOf(request.url)} failed`)
  // Its client may leave, too; or it cannot be sent.
  if (body) reply.raw.once('close', () => call.cancel())
  const type = response.contentType || 'application/json; charset=utf-8'
  const headers = response.headers ? (JSON.parse(response.headers) as Headers) : {}
  reply.code(response.status).headers(sendable({ 'content-type': type, ...headers }))
  if (body) return reply.send(body)
  // Fastify takes bytes in shared memory for an object, to be written as JSON or refused.
  if (typeof response.body !== 'string') return reply.send(Buffer.from(response.body))
  const bare = response.body === '' && response.contentType === ''
  return reply.send(bare ? JSON.stringify(errorBody(STATUS_CODES[response.status] ?? '', errorKey)) : response.body)
}

type Headers = Record<string, string | string[]>

/** Headers of how a body is framed, which the server says itself (content-length it corrects). */
const FRAMING = new Set(['transfer-encoding', 'trailer'])

/**
 * Without what the server says itself.
 * @throws where Node would when they are sent, and they stand in the way of any other answer
 */
function sendable(headers: Headers): Headers {
  const given = Object.entries(headers).filter(([name]) => !FRAMING.has(name.toLowerCase()))
  for (const [name, values] of given) {
    validateHeaderName(name)
    for (const value of [values].flat()) validateHeaderValue(name, value)
  }
  return Object.fromEntries(given)
}

/** The rest of an answer did not come. */
function failed(host: HttpHost, { id, method, url }: FastifyRequest, error: Error): void {
  const { code } = error as { code?: string }
  // Its client has left.
  if (code === 'ERR_STREAM_PREMATURE_CLOSE' || code === 'ABORT_ERR') return
  const cause = error.cause instanceof Error ? error.cause : error
  host.log.failure(
    { requestId: id, failure: userStack(cause.stack) ?? String(cause) },
    `${method} ${pathOf(url)} broke off`,
  )
}

/** The answer, unless time runs out or the client leaves first: then the call is cancelled. */
async function patiently(call: Call<WireResponse>, timeout: number, reply: FastifyReply): Promise<WireResponse> {
  let late = false
  const timer = setTimeout(
    () => {
      late = true
      call.cancel()
    },
    Math.max(0, timeout),
  )
  const left = () => {
    if (!reply.raw.writableFinished) call.cancel()
  }
  if (reply.raw.destroyed) left()
  else reply.raw.once('close', left)
  try {
    return await call.answer
  } catch (error) {
    if (late) throw new HttpError(408, 'Request Timeout')
    throw error
  } finally {
    clearTimeout(timer)
    reply.raw.off('close', left)
  }
}

async function bodyOf(request: FastifyRequest, maxBytes: number): Promise<Form & { kind: string }> {
  const type = request.headers['content-type'] ?? ''
  // A GET may say so, too, and has no body.
  if (FORM.test(type) && request.isMultipart()) return { ...(await readForm(request, maxBytes)), kind: 'files' }
  const body = request.body as Buffer | undefined
  if (!body || body.length === 0) return { fields: [], files: [], bytes: null, kind: 'none' }
  if (URLENCODED.test(type)) return { fields: textsOf(body), files: [], bytes: null, kind: 'none' }
  const kind = /^application\/(.+\+)?json\b/i.test(type) ? 'json' : /^text\//i.test(type) ? 'text' : 'bytes'
  return { fields: [], files: [], bytes: shared([body], body.length), kind }
}
