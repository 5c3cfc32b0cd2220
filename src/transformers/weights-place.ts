import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { readFile, realpath, stat } from 'node:fs/promises'
import { cpus } from 'node:os'
import { basename, join } from 'node:path'
import { rayitoCache } from '../core/paths.js'
import { CONFIGURATIONS, dataFiles, type ModelFiles } from './model-files.js'

/** Raised when what is kept changes its form. */
const FORMAT = 7

/** Where the optimised weights of a model are kept. */
export interface Place {
  /** Holds all entries. */
  root: string
  /** The entry's folder in it: `prefix` and what its content depends on. */
  name: string
  /** Entries of the same model, dtype and processor begin with it: once this one is there, the others are old. */
  prefix: string
}

/**
 * RAYITO_CACHE/weights/…: named by all that the optimised weights depend on. The model's files, the dtype, onnxruntime's
 * version and the processor, since optimised and prepacked weights fit one kind of processor only.
 */
export async function placeOf(files: ModelFiles, runtimeVersion: string): Promise<Place> {
  const revision = files.asked === 'main' || !files.asked ? '' : `@${files.asked}`
  const model = files.revision ? files.model : `${basename(files.folder)}-${digest(files.folder, 8)}`
  const readable = `${model.replace('/', '--')}${revision}`.replace(/[^\w.@-]/g, '_').slice(-100)
  const prefix = `${readable}-${files.dtype}-${digest(processor(), 8)}-`
  const content = JSON.stringify([FORMAT, runtimeVersion, await identities(files)])
  return { root: join(rayitoCache(), 'weights'), prefix, name: prefix + digest(content, 16) }
}

const digest = (text: string, length: number) => createHash('sha256').update(text).digest('hex').slice(0, length)

/** The files that a loaded model is made of, by their content. */
export async function identities({ folder, onnx }: ModelFiles): Promise<string[]> {
  const small = CONFIGURATIONS.map(async (name) =>
    digest(await readFile(join(folder, name), 'utf8').catch(() => ''), 64),
  )
  const large = [onnx, ...(await dataFiles(onnx))].map(identity)
  return Promise.all([...small, ...large])
}

/** A file in the Hub's cache is named by its hash; any other is known by place, size and time. */
async function identity(path: string): Promise<string> {
  const real = await realpath(path)
  if (/^[0-9a-f]{64}$/.test(basename(real))) return basename(real)
  const { size, mtimeMs } = await stat(real)
  return `${real} ${size} ${mtimeMs}`
}

let known: string | undefined

/** The kind of processor, as far as onnxruntime may tell the difference. */
function processor(): string {
  if (known) return known
  let features = process.env.PROCESSOR_IDENTIFIER ?? ''
  try {
    // a virtual machine's processors may have one name and different instructions
    features = /^(flags|Features)\s*:.*$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[0] ?? features
  } catch {
    // not Linux: the name must do
  }
  known = [process.platform, process.arch, cpus()[0]?.model ?? '', features].join('\n')
  return known
}
