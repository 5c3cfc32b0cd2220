import type { FastifyRequest } from 'fastify'
import type { WireRequest } from '../http-request.js'
import { HttpError } from '../http-response.js'

const FIELD_BYTES = 64 * 1024
const LIMITS = { files: 8, fields: 32, parts: 40, fieldSize: FIELD_BYTES, fieldNameSize: 200, headerPairs: 20 }

export type Form = Pick<WireRequest, 'fields' | 'files'> & { bytes: Uint8Array | null }

/**
 * Reads a multipart form as it comes in, and puts its files behind each other into shared memory, where a replica reads
 * them without a further copy.
 * @param maxBytes of all files together
 * @throws HttpError 413 beyond it, 400 for what is no form
 */
export async function readForm(request: FastifyRequest, maxBytes: number): Promise<Form> {
  const fields: Record<string, string> = {}
  const files: Form['files'] = []
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const part of request.parts({ limits: { ...LIMITS, fileSize: maxBytes } })) {
      if (part.type === 'field') {
        fields[part.fieldname] = String(part.value)
        continue
      }
      const start = length
      for await (const chunk of part.file as AsyncIterable<Buffer>) {
        length += chunk.length
        // What is too much is read to its end, so that the client hears the answer, and kept no longer.
        if (length <= maxBytes) chunks.push(chunk)
      }
      if (part.file.truncated || length > maxBytes) throw tooLarge(maxBytes)
      files.push({ field: part.fieldname, filename: part.filename, contentType: part.mimetype, start, end: length })
    }
  } catch (error) {
    throw refusal(error, maxBytes)
  }
  return { fields, files, bytes: length === 0 ? null : shared(chunks, length) }
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
  if (statusCode === 413) return new HttpError(413, 'The form has too many or too large parts')
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
