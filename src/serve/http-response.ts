import { createRequire } from 'node:module'
import { types } from 'node:util'
import { expected } from '../core/errors.js'
import { knownOptions } from '../core/options.js'
import { COPY, isOthers, OTHER_COPY, THIS_COPY } from '../core/travel.js'
import { userStack } from '../core/user-stack.js'
import { NotSerializableError } from '../ray/errors.js'
import { isRef } from '../ray/object-ref.js'
import { keyStep } from '../ray/pack/path.js'
import { type AnswerHeaders, areHeaders, headersOf } from './http-headers.js'
import type { Measured } from './measured.js'

/** Whether an answer may have this status. Those below announce one. */
const isStatus = (status: unknown) => Number.isInteger(status) && (status as number) >= 200 && (status as number) <= 599

function checkStatus(status: number): void {
  if (!isStatus(status)) expected('status', 'a whole number from 200 to 599', status)
}

/** An answer that is more than a value: another status, headers, or a body that is no JSON. */
export class HttpResponse {
  /** @internal */
  get [COPY](): object {
    return THIS_COPY
  }

  readonly status: number
  readonly headers: AnswerHeaders
  /**
   * @param body a text or bytes as they are; an async iterable or generator piece by piece, as it goes on (texts and bytes as they are,
   * anything else as a line of JSON); anything else as JSON, typed arrays as lists
   * @param options.headers `content-type` instead of what the body is by itself, as `application/problem+json`; a list for one that is to come several times, as `set-cookie`; how the body is framed the server says itself
   * @throws RayitoError INVALID_ARGUMENT for a status or an option that there is not, and for headers that are neither an object of texts nor `Headers`
   */
  constructor(
    readonly body: unknown,
    options: { status?: number | undefined; headers?: AnswerHeaders | Headers | undefined } = {},
  ) {
    knownOptions(options, ['status', 'headers'])
    const { status = 200, headers = {} } = options
    checkStatus(status)
    this.status = status
    this.headers = headersOf(headers)
  }
}

const require = createRequire(import.meta.url)

/** What a status means; '' where nothing is agreed. Replicas are ready sooner without node:http. */
function meaningOf(status: number): string {
  const { STATUS_CODES } = require('node:http') as typeof import('node:http')
  return STATUS_CODES[status] ?? ''
}

/** An answer to be thrown: FastAPI's HTTPException. The client gets `{"detail": …}`. */
export class HttpError extends Error {
  readonly headers: AnswerHeaders
  /**
   * @param detail what the client is told: a text, or FastAPI's list of what is wrong; by default what the status means
   * @throws NotSerializableError where JSON cannot hold `detail`
   * @throws RayitoError INVALID_ARGUMENT for a status that there is not, and for headers that are neither an object of texts nor `Headers`
   */
  constructor(
    readonly status: number,
    readonly detail: unknown = meaningOf(status),
    headers: AnswerHeaders | Headers = {},
  ) {
    super(typeof detail === 'string' ? detail : jsonOf(detail))
    checkStatus(status)
    this.headers = headersOf(headers)
  }
  override get name(): string {
    return 'HttpError'
  }
}

/** A call through so many deployments and more is none; causes may go round in a circle. */
const DEEPEST = 32

/** What a client is told of a deployment for which too many requests wait. */
export const tooManyWait = (): HttpError => new HttpError(503, 'Too many requests wait', { 'retry-after': '1' })

/** The HttpError that an error is or comes from: one of a deployment below arrives as a cause, without its class. */
export function httpErrorOf(error: unknown): HttpError | null {
  let one = error as (Partial<HttpError> & { code?: unknown; cause?: unknown }) | null | undefined
  for (let depth = 0; one && depth < DEEPEST; depth++) {
    if (one instanceof HttpError) return one
    // Other libraries have errors of this name, without a detail.
    if (one.name === 'HttpError' && isStatus(one.status) && one.detail !== undefined)
      return new HttpError(one.status!, one.detail, areHeaders(one.headers) ? one.headers : {})
    if (one.code === 'SERVE_BACK_PRESSURE') return tooManyWait()
    one = one.cause as typeof one
  }
  return null
}

/** FastAPI's body of a 422 for a field that is not there. */
export function missingField(...loc: string[]): object[] {
  return [{ type: 'missing', loc, msg: 'Field required', input: null }]
}

/** An answer on its way from a replica to the HTTP thread: flat, so that it crosses cheaply. */
export interface WireResponse extends Measured {
  status: number
  /** Empty JSON: an error of which no more is told than its status. */
  body: string | Uint8Array
  /** Empty: application/json. */
  contentType: string
  /** JSON of further headers, or empty. */
  headers: string
  /** Whether its body comes piece by piece. */
  streams: boolean
  /** Stack of an unknown failure, for the log; never for the client. */
  failure: string
}

/** What is sent as it is: of a buffer its bytes. */
export const asBytes = (value: unknown): unknown => (types.isAnyArrayBuffer(value) ? new Uint8Array(value) : value)

/** @param streams whether the body is to come piece by piece */
export function wireResponse(value: unknown, streams = false): WireResponse {
  const bytes = asBytes(value)
  if (bytes instanceof Uint8Array) return wireResponse(new HttpResponse(bytes))
  if (isOthers(value)) throw new NotSerializableError('the answer', ...OTHER_COPY)
  if (!(value instanceof HttpResponse))
    return streams ? { ...json(200, null), body: '', contentType: 'application/x-ndjson', streams } : json(200, value)
  const { status } = value
  const body = streams ? '' : asBytes(value.body)
  // How long pieces are is known at their end: their sender frames them.
  const apart = streams ? ['content-type', 'content-length'] : ['content-type']
  const headers = Object.entries(value.headers).filter(([name]) => !apart.includes(name.toLowerCase()))
  const rest = headers.length ? JSON.stringify(Object.fromEntries(headers)) : ''
  const named = Object.entries(value.headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1]
  const said = named === undefined ? undefined : String(named)
  if (typeof body !== 'string' && !(body instanceof Uint8Array))
    return { ...json(status, body), contentType: said ?? '', headers: rest }
  const contentType = said ?? (typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/octet-stream')
  return { status, body, contentType, headers: rest, streams, failure: '', measured: '' }
}

/** The field of an error's body, as FastAPI has it. */
export const DETAIL = 'detail'

/** What an error's client is told. @param key any other than FastAPI's holds a text */
export function errorBody(detail: unknown, key = DETAIL): object {
  return { [key]: key === DETAIL || typeof detail === 'string' ? detail : JSON.stringify(detail) }
}

export function wireError({ status, detail, headers }: HttpError, key: string): WireResponse {
  const told = json(status, errorBody(detail, key))
  return {
    ...told,
    body: detail === '' ? '' : told.body,
    headers: Object.keys(headers).length ? JSON.stringify(headers) : '',
  }
}

export function wireFailure(error: unknown, key: string): WireResponse {
  const told = error instanceof Error ? (userStack(error.stack) ?? String(error)) : String(error)
  return { ...json(500, errorBody('Internal Server Error', key)), failure: told }
}

/** Where it may say nothing of a value, as of a Map or an ObjectRef, or have typed arrays as records, by their numbers or as Node's Buffer. */
const UNCLEAR = ['{}', '{"0":', 'Buffer']
const REF = /\{"id":"[^"]*"\}/

/** Typed arrays are lists. @throws NotSerializableError for what it cannot say, or would say nothing of: of a Map the client would get `{}` */
export function jsonOf(value: unknown): string {
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    // A BigInt or a circle, of which it does not say where.
    JSON.stringify(value, said())
    throw error
  }
  const unclear =
    text === undefined ? value !== undefined : UNCLEAR.some((part) => text.includes(part)) || REF.test(text)
  return (unclear ? JSON.stringify(value, said()) : text) ?? 'null'
}

/** What JSON.stringify shows each value to, beside the one that it stands in. */
function said(): (this: unknown, key: string, value: unknown) => unknown {
  const paths = new Map<unknown, string>()
  const holders = new Map<unknown, unknown>()
  return function (key, value) {
    if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'bigint') return value
    const around = paths.get(this)
    const path = around === undefined ? '' : around + (Array.isArray(this) ? `[${key}]` : keyStep(key))
    for (let holder: unknown = this; holder !== undefined; holder = holders.get(holder))
      if (holder === value)
        throw unsayable(path, `is what it lies in, ${placeOf(paths.get(value)!)}, and would have no end`)
    const list = listOf(value, (this as Record<string, unknown>)[key])
    const shown = list ?? value
    paths.set(shown, path)
    holders.set(shown, this)
    if (list) return list
    if (typeof value === 'bigint')
      throw unsayable(
        path,
        'is a BigInt, which JSON does not have',
        'Answer Number(n), or String(n) for all its digits.',
      )
    const what = path === '' && typeof value === 'function' ? 'function' : unsaid(value)
    if (what === null) return value
    const article = /^[AEIO]/.test(what) ? 'an' : 'a'
    throw unsayable(path, `is ${article} ${what}, of which JSON says nothing`, REMEDIES[what])
  }
}

/** What to answer instead of what is no plain data. */
const REMEDIES: Record<string, string> = {
  Response: 'Answer new HttpResponse(body, { status, headers }).',
  ArrayBuffer: 'Answer new Uint8Array(buffer).',
  SharedArrayBuffer: 'Answer new Uint8Array(buffer).',
  Blob: 'Answer new Uint8Array(await blob.arrayBuffer()).',
  File: 'Answer new Uint8Array(await file.arrayBuffer()).',
}

const placeOf = (path: string) => path.replace(/^\./, '') || 'the answer'

function unsayable(path: string, reason: string, remedy = 'Answer plain data.'): NotSerializableError {
  return new NotSerializableError(placeOf(path), reason, remedy)
}

/** The numbers of a typed array. @param own what a value was before its `toJSON`, of which Node's Buffers have one */
function listOf(value: unknown, own: unknown): unknown[] | null {
  const array = Buffer.isBuffer(own) ? own : value
  return types.isTypedArray(array) ? Array.from<unknown>(array) : null
}

/** The class of an object, where that is the language's or Node's, not somebody's own. */
function unsaid(value: unknown): string | null {
  if (isRef(value)) return 'ObjectRef'
  if (typeof value !== 'object' || value === null || Array.isArray(value) || Object.keys(value).length > 0) return null
  const type: unknown = value.constructor
  if (typeof type !== 'function' || type === Object) return null
  return (globalThis as Record<string, unknown>)[type.name] === type ? type.name : null
}

function json(status: number, value: unknown): WireResponse {
  return {
    status,
    body: jsonOf(value),
    contentType: '',
    headers: '',
    streams: false,
    failure: '',
    measured: '',
  }
}
