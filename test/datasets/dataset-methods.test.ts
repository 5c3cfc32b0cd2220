import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { type Dataset, DatasetDict, type ImageRow, loadDataset, type SortOptions } from '#src/datasets/index.js'
import { Generator } from '#src/datasets/rows/generator.js'
import type { Seed, TrainTestSplitOptions } from '#src/index.js'
import { FIXTURES, readJson, sha256, TABLES } from './support.js'

type Answer = number[] | null

/** What Python answers; see test/fixtures/dataset-methods.py. */
interface Answers {
  permutations: { seed: string; count: number; order?: number[]; sha256?: string }[]
  shuffle: { seed: number; answer: number[] }[]
  choices: { count: number; size: number; answer?: number[]; sha256?: string }[]
  stratified: {
    count: number
    options: TrainTestSplitOptions & { stratifyByColumn: 'label' }
    answer: { train: number[]; test: number[] } | null
  }[]
  split: { count: number; options: TrainTestSplitOptions; answer: { train: number[]; test: number[] } | null }[]
  sort: ({ columns: Column[]; answer: Answer } & SortOptions)[]
  sortOfView: number[]
  unique: { column: Column; answer: unknown[] | null }[]
  shard: { count: number; numShards: number; index: number; contiguous: boolean; answer: Answer }[]
  take: { n: number; answer: number[] }[]
  skip: { n: number; answer: number[] }[]
  filter: number[]
}

interface Row {
  row: number
  number: number | null
  whole: number | bigint | null
  text: string | null
  flag: boolean | null
  bytes: Uint8Array | null
  time: Date | null
  list: number[]
  label: number
}
type Column = keyof Row

const answers = readJson<Answers>(FIXTURES, 'dataset-methods.json')
const load = () => loadDataset<Row>(join(FIXTURES, 'dataset-methods.parquet'), { split: 'train' })
const pictures = () => loadDataset(join(TABLES, 'groups.parquet'), { split: 'train' })
const rows = (dataset: Dataset<Row>) => dataset.column('row')

/** What Python answered, where it failed null; ours may fail in one way only. */
async function answerOf<T>(ask: () => T | Promise<T>, code = 'INVALID_ARGUMENT'): Promise<T | null> {
  try {
    return await ask()
  } catch (error) {
    assert.equal((error as { code?: string }).code, code)
    return null
  }
}

describe("the methods of a Dataset answer as Python's:", () => {
  test('permutations of a seed are those of numpy', () => {
    for (const { seed, count, order, sha256: digest } of answers.permutations) {
      const ours = new Generator(BigInt(seed)).permutation(count)
      if (order) assert.deepEqual([...ours], order, `${seed}, ${count}`)
      else assert.equal(sha256(new Uint8Array(ours.buffer)), digest, `${seed}, ${count}`)
    }
  })

  test('choices of a seed are those of numpy', () => {
    // A large part of many comes from a shuffled end.
    for (const { count, size, answer, sha256: digest } of answers.choices) {
      const ours = new Generator(42n).choose(count, size)
      if (answer) assert.deepEqual([...ours], answer, `${size} of ${count}`)
      else assert.equal(sha256(new Uint8Array(ours.buffer)), digest, `${size} of ${count}`)
    }
  })

  test('shuffle is a view of all rows, in the order of its seed', async () => {
    const table = await load()
    for (const { seed, answer } of answers.shuffle) {
      assert.deepEqual(await rows(table.shuffle({ seed })), answer)
      assert.deepEqual(await rows(table.shuffle({ seed: BigInt(seed) })), answer)
    }
    const [first, second] = [await rows(table.shuffle()), await rows(table.shuffle())]
    assert.notDeepEqual(first, second)
    assert.deepEqual(
      first.sort((a, b) => a - b),
      await rows(table),
    )
    assert.equal(table.select([]).shuffle({ seed: 1 }).numRows, 0)
    for (const seed of [-1, -1n, 1.5, Number.NaN, '3', null] as Seed[])
      assert.throws(() => table.shuffle({ seed }), { code: 'INVALID_ARGUMENT' }, String(seed))
    assert.throws(() => table.shuffle({ sead: 1 } as never), { code: 'INVALID_ARGUMENT', message: /no option `sead`/ })
  })

  test('trainTestSplit', async () => {
    const table = await load()
    for (const { count, options, answer } of answers.split) {
      const ours = await answerOf(async () => {
        const { train, test: rest } = table.take(count).trainTestSplit(options)
        return { train: await rows(train), test: await rows(rest) }
      })
      assert.deepEqual(ours, answer, JSON.stringify({ count, options }))
    }
    const dict = table.trainTestSplit({ testSize: 10 })
    assert.deepEqual([dict instanceof DatasetDict, dict.numRows], [true, { train: 30, test: 10 }])
    assert.deepEqual(table.take(0).trainTestSplit({ testSize: 3 }).numRows, { train: 0, test: 0 })
  })

  test('trainTestSplit with as large a part of each class', async () => {
    const table = await load()
    for (const { count, options, answer } of answers.stratified) {
      const ours = await answerOf(async () => {
        const { train, test: rest } = await table.take(count).trainTestSplit(options)
        return { train: await rows(train), test: await rows(rest) }
      })
      assert.deepEqual(ours, answer, JSON.stringify({ count, options }))
    }
    for (const name of ['whole', 'nothing' as never] as const)
      await assert.rejects(table.trainTestSplit({ stratifyByColumn: name }), {
        code: 'INVALID_ARGUMENT',
        message: /of the type ClassLabel/,
      })
    assert.deepEqual((await table.take(0).trainTestSplit({ stratifyByColumn: 'label' })).numRows, { train: 0, test: 0 })
    // The first class has one row, though both parts have room for a row of each.
    const lone = table.select([0, 1, 2, 3, 4, 5, 10, 11, 12, 13])
    await assert.rejects(lone.trainTestSplit({ testSize: 5, stratifyByColumn: 'label' }), {
      code: 'INVALID_ARGUMENT',
      message: /at least two rows of each class of `label`.* got 1 row, and sizes of 5 and 5/,
    })
  })

  test('trainTestSplit by classes draws the same rows, whichever class comes first', async () => {
    const table = await load()
    const drawn = await Promise.all(
      [false, true].map(async (reverse) => {
        const sorted = await table.sort('label', { reverse })
        const { train, test: rest } = await sorted.trainTestSplit({ seed: 7, stratifyByColumn: 'label' })
        return [await rows(train), await rows(rest)]
      }),
    )
    assert.deepEqual(drawn[0], drawn[1])
  })

  test('sort', async () => {
    const table = await load()
    for (const { columns, answer, ...options } of answers.sort) {
      const code = columns.includes('nothing' as never) ? 'DATASET_COLUMN_NOT_FOUND' : 'INVALID_ARGUMENT'
      const ours = await answerOf(async () => rows(await table.sort(columns, options)), code)
      assert.deepEqual(ours, answer, JSON.stringify({ columns, ...options }))
    }
    assert.deepEqual(await rows(await table.select([8, 6, 4, 2, 0, 4]).sort('flag')), answers.sortOfView)
    const signed = table.map(({ row }) => ({ minus: -row }))
    assert.deepEqual(await (await signed.take(3).sort('minus')).column('row'), [2, 1, 0])
    await assert.rejects((await pictures()).sort('image'), { code: 'INVALID_ARGUMENT' })
    const mixed = table.map(({ row }) => ({ mixed: row % 2 ? 'a' : 1 }))
    await assert.rejects(mixed.sort('mixed'), { code: 'INVALID_ARGUMENT', message: /a column to sort by of numbers/ })
    const decimals = await loadDataset<{ long: string }>(join(TABLES, 'decimals-long.parquet'), { split: 'train' })
    await assert.rejects(decimals.sort('long'), { code: 'INVALID_ARGUMENT', message: /decimals of few digits/ })
  })

  test('unique', async () => {
    const plain = (value: unknown) => {
      if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('hex')}`
      if (value instanceof Date) return `time ${value.toISOString().slice(0, 19)}`
      if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value).replace('Infinity', 'inf')
      return typeof value === 'bigint' ? String(value) : value
    }
    const table = await load()
    for (const { column, answer } of answers.unique) {
      const code = column === ('nothing' as never) ? 'DATASET_COLUMN_NOT_FOUND' : 'INVALID_ARGUMENT'
      const ours = await answerOf(async () => (await table.unique(column)).map(plain), code)
      const theirs = answer?.map((value) => (typeof value === 'string' ? value.replace(/^(number|whole) /, '') : value))
      assert.deepEqual(ours?.map((value) => (value === 'NaN' ? 'nan' : value)) ?? null, theirs ?? null, column)
    }
    await assert.rejects((await pictures()).unique('image'), { code: 'INVALID_ARGUMENT' })
    // Of a column that map made, values of several kinds that read alike.
    const values = [-0, '-0', new Date(5), 'time 5', Uint8Array.of(97), 'bytes a', 1, '1']
    const mixed = table.take(2 * values.length).map(({ row }) => ({ value: values[row % values.length] }))
    assert.deepEqual(await mixed.unique('value'), values)
  })

  test('shard, take and skip', async () => {
    const table = await load()
    for (const { count, answer, ...options } of answers.shard) {
      const ours = await answerOf(() => rows(table.take(count).shard(options)))
      assert.deepEqual(ours, answer, JSON.stringify(options))
    }
    for (const { n, answer } of answers.take) assert.deepEqual(await rows(table.take(n)), answer)
    for (const { n, answer } of answers.skip) assert.deepEqual(await rows(table.skip(n)), answer)
    assert.equal(table.take(50).numRows, 40)
    // Here Python takes the end of its range for a row.
    assert.equal(table.skip(40).numRows, 0)
    assert.equal(table.take(3).shard({ numShards: 5, index: 4 }).numRows, 0)
    for (const n of [-1, 1.5, Number.NaN, '3'] as number[]) {
      assert.throws(() => table.take(n), { code: 'INVALID_ARGUMENT' })
      assert.throws(() => table.skip(n), { code: 'INVALID_ARGUMENT' })
    }
    for (const contiguous of ['x', null, 0] as never[])
      assert.throws(() => table.shard({ numShards: 2, index: 0, contiguous }), {
        code: 'INVALID_ARGUMENT',
        message: /^Expected `contiguous` to be true or false, got /,
      })
  })

  test('filter', async () => {
    const some = (await load()).select([8, 6, 4, 2, 0])
    const kept = await some.filter(({ text }, index) => text && index !== 3)
    assert.deepEqual(await rows(kept), answers.filter)
    assert.deepEqual(await rows(await some.filter(async ({ text }, index) => text && index !== 3)), answers.filter)
    const mapped = some.map(({ row }, index) => ({ sum: row + index })).filter(({ sum }) => sum > 5)
    assert.deepEqual(await (await mapped).column('sum'), [8, 7, 6])
    await assert.rejects(some.filter(3 as never), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(
      some.filter(() => assert.fail('no')),
      { message: 'no' },
    )
  })
})

describe('what is not asked for is not read:', () => {
  /** A data set whose pictures cannot be decoded. */
  const damaged = () => loadDataset(join(TABLES, 'groups.parquet'), { split: 'train', maxPixels: 1 })

  test('a filter decodes no picture unless it asks for one', async () => {
    const calls: number[] = []
    const kept = await (await damaged()).filter((row, index) => {
      calls.push(index)
      return row.label === 2
    })
    // The first row's call was stopped at the label, and made again.
    assert.deepEqual(calls, [0, ...Array.from({ length: 60 }, (_, i) => i)])
    assert.deepEqual(new Set(await kept.column('label')), new Set([2]))
    await assert.rejects(
      (await damaged()).filter(({ image }) => image.width),
      { code: 'IMAGE_TOO_LARGE', message: /^Row 0/ },
    )
    const numbered = await (await pictures()).filter(({ label, image }) => label === 3 && image.data[0]! % 2 === 0)
    for await (const { label, image } of numbered) assert.deepEqual([label, image.data[0]! % 2], [3, 0])
    const all = await (await pictures()).take(2).filter((row) => Object.keys({ ...row }).join() === 'image,label')
    assert.equal(all.numRows, 2)
  })

  test('a filter that keeps no row and asked for no column, as where its name is misspelt, is told of the columns', async () => {
    const warned = once(process, 'warning')
    const none = await (await pictures()).filter(({ lable }) => lable === 3)
    assert.equal(none.numRows, 0)
    assert.match(String(await warned), /kept no row, and asked for none of the columns \(image, label\)/)
    let told = 0
    const count = () => told++
    process.on('warning', count)
    await none.filter(({ lable }) => lable)
    await (await pictures()).filter((_, index) => index < 0)
    await (await pictures()).filter(({ label }) => label < 0)
    await (await pictures()).filter(({ lable = 3 }) => lable === 3)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', count)
    assert.equal(told, 0)
  })

  test('a filter that swallows its being stopped answers all the same, and a row it kept says what it lacks', async () => {
    const seen: ImageRow[] = []
    const kept = await (await damaged()).filter((row) => {
      seen.push(row)
      try {
        return row.label === 0
      } catch {
        return true
      }
    })
    assert.deepEqual(await kept.unique('label'), [0])
    assert.throws(() => seen[1]!.image, { code: 'INVALID_ARGUMENT', message: /`image` while it ran/ })
  })

  test('columns that are not selected, or removed', async () => {
    const labels: Dataset<{ label: number }> = (await damaged()).selectColumns('label')
    assert.deepEqual(await labels.at(-1), { label: (await labels.column('label'))[59] })
    assert.deepEqual([labels.columnNames, Object.keys(labels.features)], [['label'], ['label']])
    const without = (await damaged()).removeColumns(['image']).shuffle({ seed: 3 }).take(1)
    for await (const row of without) assert.deepEqual(Object.keys(row), ['label'])
  })
})

describe('columns of a Dataset', () => {
  test('are selected, removed and renamed as in Python, before map and after it', async () => {
    const table = await load()
    const few = table.selectColumns(['text', 'row', 'flag']).renameColumn('text', 'word')
    assert.deepEqual([few.columnNames, await few.at(3)], [['word', 'row', 'flag'], { word: 'a', row: 3, flag: true }])
    const word: string | null = (await few.at(0)).word
    assert.equal(word, 'b')
    assert.equal(String(few.features.word), String(table.features.text))
    const mapped = few.map(({ row }) => ({ twice: 2 * row })).removeColumns('row')
    const last = mapped.renameColumn('twice', 'double').select([5, 4])
    assert.deepEqual(await last.at(1), { word: null, flag: false, double: 8 })
    assert.deepEqual(last.columnNames, ['word', 'flag'])
    assert.deepEqual(await last.selectColumns('double').column('double'), [10, 8])
    assert.deepEqual(Object.keys(await few.selectColumns([]).at(0)), [])
  })

  test('that are not there, or are there already, are refused', async () => {
    const table = await load()
    const lost = { code: 'DATASET_COLUMN_NOT_FOUND', message: /^Expected a column \(row, .*, got `nothing`/ } as const
    assert.throws(() => table.selectColumns(['row', 'nothing' as never]), lost)
    assert.throws(() => table.removeColumns('nothing' as never), lost)
    assert.throws(() => table.renameColumn('nothing' as never, 'x'), lost)
    await assert.rejects(
      table
        .map(() => ({ x: 1 }))
        .removeColumns('nothing' as never)
        .at(0),
      lost,
    )
    for (const name of ['row', 'text', '', 3 as never])
      assert.throws(() => table.renameColumn('text', name), { code: 'INVALID_ARGUMENT' })
    assert.throws(() => table.selectColumns(3 as never), { code: 'INVALID_ARGUMENT' })
  })
})

describe('the methods of a DatasetDict', () => {
  test('do it with each split', async () => {
    const { train, valid } = { train: await load(), valid: (await load()).take(6) }
    const dict = new DatasetDict({ train, valid })
    assert.deepEqual(dict.numRows, { train: 40, valid: 6 })
    const shuffled = dict.shuffle({ seed: 42 })
    assert.deepEqual(await rows(shuffled.train), answers.shuffle[1]!.answer)
    assert.deepEqual(await rows(shuffled.valid), await rows(valid.shuffle({ seed: 42 })))
    const asked: number[] = []
    const kept = await dict.filter(({ row }) => asked.push(row) && row > 3)
    assert.deepEqual(kept.numRows, { train: 36, valid: 2 })
    assert.deepEqual(asked, [...Array(40).keys(), ...Array(6).keys()])
    assert.deepEqual(await rows((await dict.sort('row', { reverse: true })).valid), [5, 4, 3, 2, 1, 0])
    assert.deepEqual(await dict.unique('flag'), { train: [true, false, null], valid: [true, false, null] })
    const columns = dict
      .selectColumns(['row', 'text'])
      .renameColumn('text', 'word')
      .map(({ row }) => ({ next: row + 1 }))
    assert.deepEqual(columns.columnNames, { train: ['row', 'word'], valid: ['row', 'word'] })
    assert.deepEqual(await columns.removeColumns('row').valid.at(-1), { word: '', next: 6 })
    assert.throws(() => shuffled.test, { code: 'DATASET_SPLIT_NOT_FOUND' })
  })

  test('do not keep a split from being called as they are', async () => {
    const dict = new DatasetDict({ numRows: (await load()).take(3), map: (await load()).take(2) })
    assert.deepEqual(Object.keys(dict), ['numRows', 'map'])
    assert.deepEqual(Object.keys(dict.shuffle()), ['numRows', 'map'])
    assert.equal((dict.map as unknown as Dataset<Row>).numRows, 2)
  })
})
