import { expected } from '../../core/errors.js'
import { knownOptions } from '../../core/options.js'

/** Which part of a data set. */
export interface ShardOptions {
  /** How many parts there are. */
  numShards: number
  /** Which of them, from 0. */
  index: number
  /**
   * Whether its rows lie side by side; else they are each `numShards`th.
   * @default true
   */
  contiguous?: boolean | undefined
}

/** The places from `start` to `end` − 1, every `step`th; none where the range runs backwards. */
export function range(start: number, end: number, step = 1): Uint32Array {
  return Uint32Array.from({ length: Math.max(0, Math.ceil((end - start) / step)) }, (_, i) => start + i * step)
}

/** The places of a shard: where rows do not go up evenly, the first shards have one more. Throws INVALID_ARGUMENT. */
export function shardRange(rows: number, options: ShardOptions): Uint32Array {
  knownOptions(options, ['numShards', 'index', 'contiguous'])
  const { numShards, index, contiguous = true } = options
  wholeFrom(1, 'numShards', numShards)
  if (wholeFrom(0, 'index', index) >= numShards) expected('index', `from 0 to ${numShards - 1}`, index)
  if (typeof contiguous !== 'boolean') expected('contiguous', 'true or false', contiguous)
  if (!contiguous) return range(index, rows, numShards)
  const least = Math.floor(rows / numShards)
  const larger = rows % numShards
  const startOf = (shard: number) => least * shard + Math.min(shard, larger)
  return range(startOf(index), startOf(index + 1))
}

export function wholeFrom(least: number, name: string, value: number): number {
  const isWhole = Number.isSafeInteger(value) && value >= least
  return isWhole ? value : expected(name, `a whole number of at least ${least}`, value)
}
