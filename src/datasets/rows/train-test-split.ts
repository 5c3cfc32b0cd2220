import { expected, RayitoError } from '../../core/errors.js'
import { Generator } from './generator.js'
import { type Seed, seedOf } from './seed.js'
import { stratifiedPlaces } from './stratified-split.js'

/** How `trainTestSplit` parts the rows: Python's options. */
export interface TrainTestSplitOptions {
  /**
   * Rows of `test`: a whole number of them, or a part between 0 and 1, rounded up.
   * @default what trainSize leaves, else 0.25
   */
  testSize?: number | undefined
  /**
   * Rows of `train`: a whole number of them, or a part between 0 and 1, rounded down.
   * @default what testSize leaves
   */
  trainSize?: number | undefined
  /**
   * Whether rows are drawn at random; else the first ones go to `train`, the next to `test`.
   * @default true
   */
  shuffle?: boolean | undefined
  /**
   * The same seed draws the same rows, and those that Python draws.
   * @default a random one
   */
  seed?: Seed | undefined
}

/**
 * Which rows Python's `train_test_split` gives to `train` and to `test`; of one row at least. Throws INVALID_ARGUMENT.
 * @param classes what to stratify by: the column's name and values
 */
export function trainTestPlaces(
  rows: number,
  { testSize, trainSize, shuffle = true, seed }: TrainTestSplitOptions,
  classes?: { column: string; labels: readonly unknown[] },
): { train: Uint32Array; test: Uint32Array } {
  if (typeof shuffle !== 'boolean') expected('shuffle', 'true or false', shuffle)
  const generator = new Generator(seedOf(seed))
  const both = sizes(rows, testSize, trainSize)
  const { train, test } = both
  if (!shuffle) {
    if (classes) expected('shuffle', 'true, to stratify', shuffle)
    const places = Uint32Array.from({ length: train + test }, (_, place) => place)
    return { train: places.slice(0, train), test: places.slice(train) }
  }
  if (classes) return stratifiedPlaces(classes.labels, both, generator, classes.column)
  const places = generator.permutation(rows)
  return { train: places.slice(test, test + train), test: places.slice(0, test) }
}

function sizes(rows: number, testSize?: number, trainSize?: number): { train: number; test: number } {
  const parts = { testSize: testSize ?? (trainSize === undefined ? 0.25 : undefined), trainSize }
  const test = countOf('testSize', parts.testSize, rows, Math.ceil)
  const train = countOf('trainSize', parts.trainSize, rows, Math.floor)
  const both = { train: train ?? rows - test!, test: test ?? rows - train! }
  // Parts of more than the whole are refused even where rounding would make them fit, as in Python.
  const isTooMuch = testSize! < 1 && trainSize! < 1 && testSize! + trainSize! > 1
  if (isTooMuch || both.train + both.test > rows || both.train === 0)
    throw new RayitoError(
      'INVALID_ARGUMENT',
      `Expected \`testSize\` and \`trainSize\` to share ${rows} rows and leave some to train, got ${parts.testSize} and ${trainSize}`,
    )
  return both
}

function countOf(name: string, size: number | undefined, rows: number, round: (part: number) => number): number | null {
  if (size === undefined) return null
  if (Number.isInteger(size) && size > 0 && size < rows) return size
  if (size > 0 && size < 1) return round(size * rows)
  return expected(name, `a whole number from 1 to ${rows - 1}, or a part between 0 and 1`, size)
}
