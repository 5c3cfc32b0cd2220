import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { expected } from '../core/errors.js'
import { knownOptions } from '../core/options.js'
import { pathOf } from '../core/paths.js'
import { readSource, type Source } from '../core/source.js'
import type { HubOptions } from '../hub/index.js'
import { HUB_OPTIONS } from '../hub/options.js'
import type { FunctionToApply } from './plan.js'
import type { Answering } from './postprocess.js'

/** How the weights are stored: 32-bit floats, or 8-bit integers (a quarter of the size; two to four times as fast on a processor with VNNI, little faster on others). */
export type Dtype = 'fp32' | 'q8'

/** What a pipeline may be told; what it is not told comes from the defaults. */
export interface PipelineOptions extends HubOptions {
  /** @default 'fp32' */
  dtype?: Dtype | undefined
  /**
   * Threads that compute one picture.
   * @default the number of processors on the main thread, 1 in a worker thread
   */
  numThreads?: number | undefined
  /**
   * How many classes an answer has, best first; null for all.
   * @default 5
   */
  topK?: number | null | undefined
  /**
   * From logits to scores; null for what suits the model: softmax, for several labels at once sigmoid, for a regression none.
   * @default null
   */
  functionToApply?: FunctionToApply | null | undefined
  /**
   * Where the default model comes from: the Hub, this package, or (`auto`) the Hub where its cache has the files or it
   * answers within 3 s, else this package. A model that is named comes from where its name says.
   * @default RAYITO_SOURCE, else 'auto'
   */
  source?: Source | undefined
  /**
   * Branch, tag or commit of the model's repository.
   * @default 'main'
   */
  revision?: string | undefined
}

/** What one call may be told. */
export interface CallOptions {
  /** @default the pipeline's topK */
  topK?: number | null | undefined
  /** @default the pipeline's functionToApply */
  functionToApply?: FunctionToApply | null | undefined
}

/** The options the pipeline relies on. */
export interface FilledOptions extends HubOptions, Answering {
  dtype: Dtype
  numThreads: number
  source: Source
  revision: string
}

const DTYPES: readonly string[] = ['fp32', 'q8'] satisfies Dtype[]

/** Fills in the defaults; rejects what no pipeline takes (INVALID_ARGUMENT). */
export function fillOptions(options: PipelineOptions = {}): FilledOptions {
  knownOptions(options, ['dtype', 'numThreads', 'topK', 'functionToApply', 'source', 'revision', ...HUB_OPTIONS])
  const {
    dtype = 'fp32',
    numThreads = isMainThread ? availableParallelism() : 1,
    topK = 5,
    functionToApply = null,
    source,
    revision = 'main',
    ...hub
  } = options
  if (!DTYPES.includes(dtype)) expected('dtype', "'fp32' or 'q8'", dtype)
  if (!Number.isInteger(numThreads) || numThreads < 1) expected('numThreads', 'a whole number from 1 up', numThreads)
  if (typeof revision !== 'string' || !revision) expected('revision', 'a branch, tag or commit', revision)
  checkAnswering({ topK, functionToApply })
  const cacheDir = hub.cacheDir === undefined ? undefined : resolve(pathOf('cacheDir', hub.cacheDir))
  return { ...hub, cacheDir, dtype, numThreads, topK, functionToApply, source: readSource(source), revision }
}

const FUNCTIONS: readonly string[] = ['softmax', 'sigmoid', 'none'] satisfies FunctionToApply[]

/** The same for what one call may be told. */
export function checkAnswering({ topK, functionToApply }: Answering): void {
  if (topK !== null && (!Number.isInteger(topK) || topK < 1))
    expected('topK', 'a whole number from 1 up, or null', topK)
  if (functionToApply !== null && !FUNCTIONS.includes(functionToApply))
    expected('functionToApply', "'softmax', 'sigmoid', 'none' or null", functionToApply)
}
