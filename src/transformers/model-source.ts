import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { InferenceSession } from 'onnxruntime-node'
import { RayitoError } from '../core/errors.js'
import { native } from '../core/gate.js'
import type { ModelFiles } from './model-files.js'

/**
 * What a session is made from: the file, or, for q8, its bytes with signed weights, which onnxruntime multiplies about
 * three times as fast with the same results (where this processor's kernels are exact; see signedIsExact).
 */
export async function modelSource(
  runtime: typeof import('onnxruntime-node'),
  { dtype, onnx }: ModelFiles,
): Promise<string | Uint8Array> {
  if (dtype !== 'q8') return onnx
  // weights in files beside the graph are found from its path only
  const names = await readdir(dirname(onnx))
  if (names.some((name) => name.startsWith(`${basename(onnx)}_data`))) return onnx
  // imported when needed: a worker on optimised weights needs neither these nor protobufjs
  const [{ signedWeights }, { signedIsExact }] = await Promise.all([
    import('./signed-weights.js'),
    import('./signed-probe.js'),
  ])
  const bytes = await readFile(onnx)
  try {
    const signed = signedWeights(bytes)
    return signed && (await signedIsExact(runtime)) ? signed : onnx
  } catch {
    return onnx // no model: onnxruntime says what is wrong with it
  }
}

/** What onnxruntime's refusal means: MODEL_INVALID, on one line. */
export function refusal({ model, onnx }: ModelFiles, verb: 'load' | 'run', cause: Error): RayitoError {
  return new RayitoError('MODEL_INVALID', `${model}: onnxruntime cannot ${verb} ${onnx} (${reason(cause)})`, { cause })
}

/** onnxruntime's own words on one line, without the places in its source that stand before them. */
export function reason({ message }: Error): string {
  return message
    .replace(/\s+/g, ' ')
    .replace(/^.*\[ONNXRuntimeError\] : \d+ : \w+ : /, '')
    .trim()
}

/** A session from a file or bytes, behind the thread's gate. */
export function createSession(
  runtime: typeof import('onnxruntime-node'),
  source: string | Uint8Array,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  const { InferenceSession: Session } = runtime
  return native(() => (typeof source === 'string' ? Session.create(source, options) : Session.create(source, options)))
}
