import { readFile, realpath } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { InferenceSession } from 'onnxruntime-node'
import { RayitoError } from '../core/errors.js'
import { native } from '../core/gate.js'
import { dataFiles, type ModelFiles } from './model-files.js'

/** What a session is made from. */
export interface Source {
  /** The file, or its bytes. */
  model: string | Uint8Array
  /** The files of weights beside it, where onnxruntime would not read them itself. */
  externalData?: { path: string; data: Uint8Array }[]
}

/**
 * The file, or, for q8, its bytes with signed weights, which onnxruntime multiplies about three times as fast with the same
 * results (where this processor's kernels are exact; see signedIsExact).
 */
export async function modelSource(
  runtime: typeof import('onnxruntime-node'),
  { dtype, onnx }: ModelFiles,
): Promise<Source> {
  const beside = await dataFiles(onnx)
  if (beside.length > 0) return besideSource(onnx, beside)
  if (dtype !== 'q8') return { model: onnx }
  // imported when needed: a worker on optimised weights needs neither these nor protobufjs
  const [{ signedWeights }, { signedIsExact }] = await Promise.all([
    import('./signed-weights.js'),
    import('./signed-probe.js'),
  ])
  const bytes = await readFile(onnx)
  try {
    const signed = signedWeights(bytes)
    return { model: signed && (await signedIsExact(runtime)) ? signed : onnx }
  } catch {
    return { model: onnx } // no model: onnxruntime says what is wrong with it
  }
}

/** onnxruntime finds weights beside a graph itself, but follows no links out of the graph's folder, as a cache may have. */
async function besideSource(onnx: string, beside: string[]): Promise<Source> {
  const [home, ...folders] = await Promise.all([onnx, ...beside].map(async (path) => dirname(await realpath(path))))
  if (folders.every((folder) => folder === home)) return { model: onnx }
  const externalData = beside.map(async (path) => ({ path: basename(path), data: await readFile(path) }))
  return { model: await readFile(onnx), externalData: await Promise.all(externalData) }
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
export async function createSession(
  runtime: typeof import('onnxruntime-node'),
  { model, externalData }: Source,
  options: InferenceSession.SessionOptions,
): Promise<InferenceSession> {
  const { InferenceSession: Session } = runtime
  const isOptimised = options.graphOptimizationLevel === 'disabled'
  const right = isOptimised ? {} : await (await import('./pad-fusion.js')).withoutPadFusion(model)
  const all = { ...options, extra: { ...options.extra, ...right.extra }, ...(externalData && { externalData }) }
  return native(() => (typeof model === 'string' ? Session.create(model, all) : Session.create(model, all)))
}
