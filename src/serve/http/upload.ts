import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { WireRequest } from '../http-request.js'
import { HttpError } from '../http-response.js'

/** The content type of a form with files. */
export const FORM = /^multipart\/form-data\b/i

const FIELD_BYTES = 64 * 1024
const FILES = 8
/** Bytes that are still taken in of a form that is refused. */
export const DROPPED = 32 * 1024 * 1024
const LIMITS = { fields: 32, parts: 40, fieldSize: FIELD_BYTES, headerPairs: 20 }

export type Form = Pick<WireRequest, 'fields' | 'files'> & { bytes: Uint8Array | null }

/**
 * Reads a multipart form as it comes in, and puts its files behind each other into shared memory, where a replica reads
 * them without a further copy.
 * @param maxBytes of all files together
 * @throws HttpError 413 beyond it, 400 for what is no form
 */
export async function readForm(request: FastifyRequest, maxBytes: number): Promise<Form> {
  const fields: Form['fields'] = []
  const files: Form['files'] = []
  const chunks: Buffer[] = []
  let length = 0
  const options = { limits: { ...LIMITS, fileSize: Math.max(maxBytes, FIELD_BYTES) + 1 }, isPartAFile }
  try {
    for await (const part of request.parts(options)) {
      if (part.type === 'field') {
        if (part.valueTruncated) throw tooMuch()
        fields.push([part.fieldname, String(part.value)])
        continue
      }
      if (isJson(part.mimetype, part.filename)) {
        const text: Buffer[] = []
        if ((await read(part.file, text, FIELD_BYTES)) > FIELD_BYTES) throw tooMuch()
        fields.push([part.fieldname, Buffer.concat(text).toString('utf8')])
        continue
      }
      const start = length
      length += await read(part.file, chunks, maxBytes - start)
      if (part.file.truncated || length > maxBytes) throw tooLarge(maxBytes)
      if (files.length === FILES) throw tooMuch()
      files.push({
        field: part.fieldname,
        filename: part.filename ?? '',
        contentType: part.mimetype,
        start,
        end: length,
      })
    }
  } catch (error) {
    const refused = refusal(error, maxBytes)
    const whole = await drop(request.raw)
    if (whole || !(refused instanceof HttpError)) throw refused
    throw new HttpError(refused.status, refused.detail, { connection: 'close' })
  }
  return { fields, files, bytes: length === 0 ? null : shared(chunks, length) }
}

/**
 * The texts of a form without files (`application/x-www-form-urlencoded`), within the limits of one with them.
 * @throws HttpError 413 beyond them
 */
export function textsOf(body: Buffer): Form['fields'] {
  // Counted before they are taken apart: two bytes each here, a hundred there.
  let count = 1
  for (let at = body.indexOf('&'); at >= 0; at = body.indexOf('&', at + 1)) if (++count > LIMITS.fields) throw tooMuch()
  const fields = [...new URLSearchParams(body.toString('utf8'))]
  if (fields.flat().some((text) => Buffer.byteLength(text) > FIELD_BYTES)) throw tooMuch()
  return fields
}

/** A text that the form calls JSON, which the plugin would parse; it is to arrive as it was sent. */
function isJson(type: string, filename: string | undefined): boolean {
  return filename === undefined && type.startsWith('application/json')
}

function isPartAFile(_name: string | undefined, type: string | undefined, filename: string | undefined): boolean {
  return filename !== undefined || type === 'application/octet-stream' || isJson(type ?? '', filename)
}

/** @returns its length; of what has more than `most` bytes, how far it was read */
async function read(file: AsyncIterable<Buffer>, chunks: Buffer[], most: number): Promise<number> {
  let length = 0
  for await (const chunk of file) {
    length += chunk.length
    if (length > most) break
    chunks.push(chunk)
  }
  return length
}

/**
 * Takes in what still comes of a form that is refused: many a client hears no answer before it has sent all.
 * @returns whether that was all
 */
function drop(request: IncomingMessage): Promise<boolean> {
  return new Promise((resolve) => {
    let left = DROPPED
    request.unpipe()
    if (request.readableEnded || request.destroyed) return resolve(true)
    for (const end of ['end', 'close']) request.once(end, () => resolve(true))
    request.on('data', (chunk: Buffer) => {
      left -= chunk.length
      if (left >= 0) return
      request.pause()
      resolve(false)
    })
    request.resume()
  })
}

function tooMuch(): HttpError {
  return new HttpError(413, 'The form has too many or too large parts')
}

export function tooLarge(maxBytes: number): HttpError {
  return new HttpError(413, `The body is larger than ${megabytes(maxBytes)}`)
}

function megabytes(bytes: number): string {
  return bytes >= 1024 * 1024 ? `${Math.round(bytes / 1024 / 102.4) / 10} MB` : `${bytes} bytes`
}

function refusal(error: unknown, maxBytes: number): unknown {
  if (error instanceof HttpError) return error
  const { code, statusCode } = error as { code?: string; statusCode?: number }
  if (code === 'FST_REQ_FILE_TOO_LARGE') return tooLarge(maxBytes)
  if (statusCode === 413) return tooMuch()
  // The client has gone: nobody hears it.
  if (code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE') return error
  return new HttpError(400, 'There was an error parsing the body')
}

export function shared(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(new SharedArrayBuffer(length))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
