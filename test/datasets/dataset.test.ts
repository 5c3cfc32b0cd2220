import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { inspect, promisify } from 'node:util'
import { Worker } from 'node:worker_threads'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { serialize, type Travel } from '#src/core/travel.js'
import { type Dataset, DatasetDict, type Image, type ImageRow, loadDataset } from '#src/datasets/index.js'
import { PICTURES, TABLES, temporary } from './support.js'

const path = join(TABLES, 'groups.parquet')
const load = () => loadDataset(path, { split: 'train' })

/** The colour of a fixture's picture is its row's number. */
const numberOf = ({ image }: { image: Image }) => image.data[0]

describe('a Dataset', () => {
  test('prints what Python prints', async () => {
    const dict = new DatasetDict({ train: await load(), valid: await load() })
    const dataset = "Dataset({\n    features: ['image', 'label'],\n    num_rows: 60\n})"
    assert.equal(inspect(dict.train), dataset)
    const inner = "Dataset({\n        features: ['image', 'label'],\n        num_rows: 60\n    })"
    assert.equal(inspect(dict), `DatasetDict({\n    train: ${inner}\n    valid: ${inner}\n})`)
    assert.deepEqual([String(dict), String(dict.train)], [inspect(dict), inspect(dict.train)])
    assert.equal(inspect(dict.train.features.label), "ClassLabel(names=['fish', 'newt', 'owl', 'fox', 'elk'])")
    assert.equal(inspect(dict.train.features.image), 'Image(mode=None, decode=True)')
  })

  test('is deeply equal to what has the same rows and columns of the same files', async () => {
    const [dataset, again] = [await load(), await load()]
    assert.deepEqual(dataset, again)
    assert.deepEqual(dataset.skip(5), again.skip(1).skip(4))
    assert.deepEqual(dataset.selectColumns('label'), again.removeColumns('image'))
    const mapped = dataset.map(({ label }) => ({ label: label + 1 }))
    const others = [dataset.take(5), dataset.skip(5).take(5), dataset.shuffle(), dataset.removeColumns('image'), mapped]
    for (const other of others) assert.notDeepEqual({ train: dataset }, { train: other })
    assert.notDeepEqual(new DatasetDict({ train: dataset }), new DatasetDict({ train: others[0]! }))
    assert.notDeepEqual(dataset, (await loadDataset(join(TABLES, 'v2.parquet'))).train)
    // Nor does it tell where its files lie.
    assert.deepEqual([JSON.stringify(dataset), structuredClone(mapped)], ['{}', {}])
  })

  test('at refuses what is no row', async () => {
    const dataset = await load()
    for (const index of [-61, 60, 1.5, Number.NaN, '3', undefined]) {
      const got = typeof index === 'number' ? index : `${index} (${typeof index})`
      await assert.rejects(dataset.at(index as number), {
        code: 'DATASET_INDEX',
        message: `Expected a row index to be a whole number from -60 to 59, got ${got}`,
      })
    }
    await assert.rejects(dataset.select([]).at(0), { code: 'DATASET_INDEX', message: /the data set has no rows/ })
  })

  test('a row in brackets, as in Python, is refused: it was undefined, whatever stood there', async () => {
    const dataset = (await load()) as unknown as Record<number, { image: unknown }> & ArrayLike<unknown>
    assert.throws(() => dataset[7]!.image, {
      code: 'DATASET_INDEX',
      message: 'Expected a row to be read with `await dataset.at(7)`, got `dataset[7]`',
    })
    assert.equal(7 in dataset, false)
    assert.equal(dataset.length, undefined)
  })

  test('at counts negative indices from the end; select refuses them, as in Python', async () => {
    const dataset = await load()
    assert.equal(numberOf(await dataset.at(-1)), 59)
    assert.equal(numberOf(await dataset.at(-60)), 0)
    assert.equal(numberOf(await dataset.select([5, 3]).at(-2)), 5)
    assert.throws(() => dataset.select([0, -1]), { code: 'DATASET_INDEX', message: /from 0 to 59, got -1/ })
  })

  test('select is a view of rows in any order', async () => {
    const dataset = await load()
    const chosen = dataset.select([40, 0, 40, 7])
    assert.equal(chosen.numRows, 4)
    const seen: unknown[] = []
    for await (const row of chosen) seen.push(numberOf(row))
    assert.deepEqual(seen, [40, 0, 40, 7])
    assert.equal(numberOf(await chosen.select([3]).at(0)), 7)
    assert.equal(numberOf(await dataset.select(new Set([9])).at(0)), 9)
    assert.throws(() => dataset.select([60]), { code: 'DATASET_INDEX' })
    for (const indices of [3, '12', undefined, { length: 2 }] as never[])
      assert.throws(() => dataset.select(indices), { code: 'INVALID_ARGUMENT', message: /`indices` to be row indices/ })
  })

  test('map adds and replaces columns as rows are read', async () => {
    let calls = 0
    const mapped = (await load())
      .map(({ label }) => {
        calls++
        return { label: `class ${label}` }
      })
      .map(async ({ label }, index) => ({ text: `${label} in row ${index}` }))
    assert.equal(calls, 0)
    const row = await mapped.at(8)
    const { text, label }: { text: string; label: string } = row
    assert.deepEqual([text, label, numberOf(row)], ['class 1 in row 8', 'class 1', 8])
    assert.equal(calls, 1)
    assert.throws(() => mapped.map(3 as never), { code: 'INVALID_ARGUMENT' })
    for (const returned of [3, 'text', [row], true] as never[])
      await assert.rejects(mapped.map(() => returned).at(0), {
        code: 'INVALID_ARGUMENT',
        message: /^Expected `fn` to return columns, got/,
      })
  })

  test('a row has the columns that map gave it wherever it is selected to', async () => {
    const mapped = (await load())
      .map((_, first) => ({ first }))
      .select([59, 8, 30])
      .map((_, second) => ({ second }))
      .select([2, 0])
    const [two, none] = [await mapped.at(0), await mapped.at(1)]
    assert.deepEqual([two.first, two.second, numberOf(two)], [30, 2, 30])
    assert.deepEqual([none.first, none.second, numberOf(none)], [59, 0, 59])
    assert.deepEqual(await mapped.select([1]).column('first'), [59])
  })

  test('a missing column is an error that names those that are there', async () => {
    const dataset: Dataset<ImageRow> = await load()
    const error = { code: 'DATASET_COLUMN_NOT_FOUND', message: 'Expected a column (image, label), got `lable`' }
    await assert.rejects(dataset.column('lable'), error)
    assert.throws(() => dataset.features.lable, error)
    await assert.rejects(dataset.map(() => ({ x: 1 })).column('y' as never), { code: 'DATASET_COLUMN_NOT_FOUND' })
  })

  test('labels have names', async () => {
    const { label } = (await load()).features
    assert.deepEqual([label.numClasses, label.int2str(2), label.str2int('fox')], [5, 'owl', 3])
    assert.throws(() => label.int2str(5), { code: 'INVALID_ARGUMENT', message: /a whole number from 0 to 4, got `5`/ })
    assert.throws(() => label.str2int('cat'), {
      code: 'INVALID_ARGUMENT',
      message: /one of the 5 class names, got `cat`/,
    })
    const { image } = (await load()).features
    const told = {
      code: 'INVALID_ARGUMENT',
      message: /^Expected a ClassLabel, whose classes have names, got Image\(/,
    } as const
    assert.throws(() => image.int2str(0), told)
    assert.throws(() => image.str2int('owl'), told)
  })

  test('leaving a loop early leaves nothing behind', async () => {
    for await (const row of await load()) {
      assert.equal(numberOf(row), 0)
      break
    }
  })
})

describe('a DatasetDict', () => {
  test('a missing split is an error, and what the language asks of any object is not', async () => {
    const dict = await loadDataset(path)
    assert.throws(() => dict.valid, {
      code: 'DATASET_SPLIT_NOT_FOUND',
      message: 'Expected a split (train), got `valid`',
    })
    assert.deepEqual(Object.keys(dict), ['train'])
    assert.equal('valid' in dict, false)
    assert.ok(dict instanceof DatasetDict)
    assert.equal(await Promise.resolve(dict), dict)
    assert.equal(`${dict}`, inspect(dict))
  })
})

/** Sends a value's luggage to a new thread, which makes the value again and answers what `report` says of it. */
async function abroad(travel: Travel, report: string): Promise<unknown> {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.module)
      .then((module) => module[workerData.name](workerData.data))
      .then(async (value) => parentPort.postMessage(await (${report})(value)))`
  const worker = new Worker(code, { eval: true, workerData: { ...travel } })
  try {
    return await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  } finally {
    await worker.terminate()
  }
}

describe('in another thread', () => {
  test('a Dataset, a selection and a DatasetDict are opened anew', async () => {
    const dict = await loadDataset(path)
    const report = 'async (data) => [data.numRows, (await data.at(1)).image.data[0], data.features.label.names.length]'
    assert.deepEqual(await abroad(dict.train[serialize](), report), [60, 1, 5])
    assert.deepEqual(await abroad(dict.train.select([50, 33])[serialize](), report), [2, 33, 5])
    const labels = dict.train.select([9, 8]).removeColumns('image').renameColumn('label', 'class')
    assert.deepEqual(await abroad(labels[serialize](), 'async (data) => [data.columnNames, await data.at(1)]'), [
      ['class'],
      { class: 1 },
    ])
    assert.equal(await abroad(dict[serialize](), 'async (dict) => (await dict.train.at(17)).label'), 2)
  })

  test('a picture shares its pixels', async () => {
    const { image } = await (await load()).at(9)
    const report = 'async (image) => { image.data[1] = 77; return [image.mode, image.data[0]] }'
    assert.deepEqual(await abroad(image[serialize](), report), ['RGB', 9])
    assert.equal(image.data[1], 77)
  })

  test('a mapped one says why it stays', async () => {
    const mapped = (await load()).map(() => ({}))
    assert.throws(() => mapped[serialize](), { code: 'RAY_NOT_SERIALIZABLE', message: /its function stays here/ })
  })
})

describe('an idle data set', () => {
  test('keeps no file open', { skip: process.platform === 'linux' ? false : '/proc is not here' }, async () => {
    const dataset = await load()
    for (let i = 0; i < 60; i += 7) await dataset.at(i)
    const open = readdirSync('/proc/self/fd').length
    const others = await Promise.all(Array.from({ length: 20 }, load))
    await Promise.all(others.map((other) => other.at(5)))
    assert.equal(readdirSync('/proc/self/fd').length, open)
  })

  const few = process.platform === 'win32' ? 'ulimit is not here' : false
  test('reads all rows at once where few files may be open', { skip: few }, async (t) => {
    const folder = temporary(t)
    const data = Array.from({ length: 100 }, (_, i) => i)
    for (const i of data) copyFileSync(join(PICTURES, 'grey.png'), join(folder, `${i}.png`))
    const columnData = [{ name: 'x', data, type: 'INT32' as const }]
    const table = join(folder, 'x.parquet')
    writeFileSync(table, new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 1 })))
    const code = `
      import { pathToFileURL } from 'node:url'
      const [, index, table, folder] = process.argv
      const { loadDataset } = await import(pathToFileURL(index))
      for (const [path, options] of [[table, {}], [folder, { dataFiles: '*.png' }]]) {
        const { train } = await loadDataset(path, options)
        console.log((await Promise.all(Array.from({ length: 100 }, (_, i) => train.at(i)))).length)
      }`
    const index = fileURLToPath(import.meta.resolve('#src/datasets/index.js'))
    const shell = ['-c', 'ulimit -n 80 && exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', code]
    const { stdout } = await promisify(execFile)('sh', [...shell, index, table, folder], { timeout: 60_000 })
    assert.equal(stdout, '100\n100\n')
  })

  test('keeps no process alive', async () => {
    const index = fileURLToPath(import.meta.resolve('#src/datasets/index.js'))
    const code = `
      import { pathToFileURL } from 'node:url'
      const { loadDataset } = await import(pathToFileURL(process.argv[1]))
      globalThis.kept = await loadDataset(process.argv[2])
      console.log((await kept.train.at(3)).label)`
    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', code, index, path], {
      timeout: 60_000,
    })
    assert.equal((await run).stdout, '0\n')
  })

  test('and importing this part does not load sharp', async () => {
    const index = fileURLToPath(import.meta.resolve('#src/datasets/index.js'))
    const code = `
      import { pathToFileURL } from 'node:url'
      await import(pathToFileURL(process.argv[1]))
      console.log(process.report.getReport().sharedObjects.filter((name) => /sharp|vips/.test(name)).length)`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', code, index])
    assert.equal(stdout, '0\n')
  })
})
