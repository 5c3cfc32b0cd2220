import { type ErrorCode, RayitoError } from '../core/errors.js'
import type { ModelFiles } from './model-files.js'
import type { Answering, Classification } from './postprocess.js'
import type { Pixels } from './preprocess.js'

/** What an inference thread is started with. */
export interface ThreadStart {
  gate: SharedArrayBuffer
  files: ModelFiles
  numThreads: number
}

/** To the thread: a picture. */
export interface Request {
  id: number
  picture: Pixels
  how: Answering
}

/** From the thread: it is ready; a line for the user; an answer; a failure (of loading, without an id). */
export type Reply =
  | { kind: 'ready' }
  | { kind: 'note'; line: string }
  | { kind: 'answer'; id: number; answer: Classification[] }
  | { kind: 'failed'; id: number | null; failure: Failure }

/** An error as plain data. */
export interface Failure {
  code: ErrorCode | null
  message: string
  stack: string | undefined
  fields: Record<string, unknown>
}

export function toFailure(error: unknown): Failure {
  if (!(error instanceof Error)) return { code: null, message: String(error), stack: undefined, fields: {} }
  const { message, stack } = error
  if (!(error instanceof RayitoError)) return { code: null, message, stack, fields: {} }
  const { code, ...fields } = error
  return { code, message, stack, fields }
}

export function fromFailure({ code, message, stack, fields }: Failure): Error {
  const error = code ? new RayitoError(code, message, { ...fields, remedy: '' }) : new Error(message)
  if (stack) error.stack = stack
  return error
}
