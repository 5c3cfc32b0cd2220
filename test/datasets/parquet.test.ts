import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFileSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { Worker } from 'node:worker_threads'
import fc from 'fast-check'
import type { SchemaElement } from 'hyparquet'
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer'
import { parquetFeatures } from '#src/datasets/features.js'
import { Dataset, Image, loadDataset } from '#src/datasets/index.js'
import { PageCache } from '#src/datasets/parquet/page-cache.js'
import { wholeChunk } from '#src/datasets/parquet/page-table.js'
import { ParquetSource } from '#src/datasets/sources/parquet-source.js'
import { noLinks } from '../windows.js'
import { FIXTURES, onePage, PICTURES, readJson, TABLES, temporary } from './support.js'

interface Rows {
  names: string[]
  labels: number[]
  pictures: string[]
  types: Record<string, unknown>[]
}
const rows = readJson<Rows>(TABLES, 'rows.json')
const file = (name: string) => join(TABLES, `${name}.parquet`)

async function open(path: string, cacheBytes = 2 ** 20) {
  const cache = new PageCache(cacheBytes)
  const source = await ParquetSource.open(
    { kind: 'parquet', files: [path], options: { cacheBytes, maxPixels: 1e6 } },
    cache,
  )
  const counter = source.files[0]!.file
  return { source, dataset: new Dataset(source), cache, read: () => counter.bytesRead }
}

describe('rows written by pyarrow', () => {
  for (const name of rows.pictures)
    test(`${name}: every row, forwards and at random`, async () => {
      const { dataset } = await open(file(name))
      assert.equal(dataset.numRows, 60)
      let i = 0
      for await (const row of dataset) check(row, i++)
      assert.equal(i, 60)
      const fresh = (await open(file(name))).dataset
      for (const index of [59, 0, 31, 30, 29, 16, 15, 47]) check(await fresh.at(index), index)
    })

  function check(
    { image, label }: { image: { data: Uint8Array; mode: string; width: number }; label: number },
    i: number,
  ) {
    assert.deepEqual([image.mode, image.width, ...image.data.subarray(0, 3)], ['RGB', 4, i, 2 * i, 255 - i])
    assert.equal(label, rows.labels[i])
  }

  for (const name of ['types', 'types-index', 'types-v2'])
    test(`${name}: every type, nulls, lists and records`, async () => {
      const { dataset } = await open(file(name))
      for (const i of [59, 3, 0, 24, 25, 26, ...rows.types.keys()])
        assert.deepEqual(plain(await dataset.at(i)), rows.types[i])
    })

  test('a column of nothing but nulls, packed with LZ4', async () => {
    const { dataset } = await open(file('nothing-lz4'))
    for (const i of [0, 1, 2]) assert.deepEqual(await dataset.at(i), { nothing: null, whole: i + 1 })
  })

  for (const name of ['decimals', 'decimals-whole'])
    test(`${name}: a decimal is the number nearest to it, in a list too`, async () => {
      const { dataset } = await open(file(name))
      for (const [i, price] of [1.15, 0.3, null, -0.07, 123.45, 0.99].entries())
        assert.deepEqual(await dataset.at(i), { price, prices: [price, price] })
    })

  test('a decimal of more digits than a number holds is a text, or a bigint where it is whole', async () => {
    const long = [90071992547409.91, '90071992547409.92', '-1234567890123456.78', null, 0.1, -0.01]
    const whole = [1, 1e15, 10n ** 16n, 10n ** 37n, 1000, 100000]
    const small = [1e-30, 7e-30, 1.000000000000001e-15, '0.000000000001000000000000000001', 3e-30, -9e-30]
    const { dataset } = await open(file('decimals-long'))
    const { dataset: integers } = await open(file('decimals-long-whole'))
    for (let i = 0; i < 6; i++) {
      const wide = [`${10n ** 60n + BigInt(i)}.0`, null]
      assert.deepEqual(await dataset.at(i), { long: long[i], whole: whole[i], small: small[i], wide })
      assert.deepEqual(await integers.at(i), { long: long[i] })
    }
  })

  for (const name of ['differences-v1', 'differences-v2'])
    test(`${name}: whole numbers and texts by their differences, truth values in runs`, async () => {
      const { dataset } = await open(file(name))
      const texts = (i: number) =>
        String(i)
          .padStart(6, '0')
          .slice(0, i % 6) + 'x'.repeat(i % 3)
      for (let i = 0; i < 1000; i++) {
        const values = { whole: (-1) ** i * i ** 5, small: i * i - 9000, text: texts(i), other: 'y'.repeat(i % 40) }
        const row = { ...values, flag: i % 5 < 2 }
        const nothing = Object.fromEntries(Object.keys(row).map((name) => [name, null]))
        assert.deepEqual(await dataset.at(i), i % 7 === 3 ? nothing : row)
      }
    })

  test('a whole number of 32 bits, with which differences begin, may be written with 33, as by DuckDB', async (t) => {
    const path = join(temporary(t), 'begin.parquet')
    const data_page_header = {
      num_values: 3,
      encoding: 'DELTA_BINARY_PACKED',
      definition_level_encoding: 'RLE',
      repetition_level_encoding: 'RLE',
    } as const
    // 2^32 - 1 without a sign, then one less twice.
    const first = [0b1111_1110, 255, 255, 255, 0b1_1111]
    writeFileSync(path, onePage('INT32', 'REQUIRED', { data_page_header }, [128, 1, 4, 3, ...first, 1, 0, 0, 0, 0]))
    const { dataset } = await open(path)
    assert.deepEqual(await dataset.column('x'), [-1, -2, -3])
  })

  test('a column begins with its data where a dictionary is told of behind them, as to pyarrow', () => {
    const sizes = { total_compressed_size: 50n, total_uncompressed_size: 50n, num_values: 1n, encodings: [] }
    const places = { data_page_offset: 4n, dictionary_page_offset: 90n }
    const kind = { type: 'INT32', codec: 'UNCOMPRESSED' } as const
    const { pages } = wholeChunk({
      file_offset: 0n,
      meta_data: { ...kind, path_in_schema: ['x'], ...sizes, ...places },
    })
    assert.deepEqual(pages, [{ offset: 4, length: 50, firstRow: 0 }])
  })

  test('an interval is its twelve bytes, and so is BSON bytes, as to pyarrow', async (t) => {
    const path = join(temporary(t), 'interval.parquet')
    const data = [Uint8Array.from({ length: 12 }, (_, i) => i), null]
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 2 },
      {
        name: 'x',
        type: 'FIXED_LEN_BYTE_ARRAY',
        type_length: 12,
        repetition_type: 'OPTIONAL',
        converted_type: 'INTERVAL',
      },
      { name: 'y', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL', converted_type: 'BSON' },
    ]
    const columnData = ['x', 'y'].map((name) => ({ name, data }))
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData, schema })))
    const { dataset } = await open(path)
    assert.equal(inspect(dataset.features.x), "Value('fixed_size_binary[12]')")
    assert.equal(inspect(dataset.features.y), "Value('binary')")
    for (const name of ['x', 'y']) assert.deepEqual(await dataset.column(name), data)
  })

  test('a variant of Spark is the record of bytes that its features tell of, as to pyarrow', async (t) => {
    const path = join(temporary(t), 'variant.parquet')
    writeFileSync(
      path,
      new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'x', data: [true, 'a'], type: 'VARIANT' }] })),
    )
    const { dataset } = await open(path)
    assert.equal(inspect(dataset.features.x), "{'metadata': Value('binary'), 'value': Value('binary')}")
    const metadata = Uint8Array.of(17, 0, 0)
    const data = [
      { metadata, value: Uint8Array.of(4) },
      { metadata, value: Uint8Array.of(5, 97) },
    ]
    assert.deepEqual(await dataset.column('x'), data)
    assert.deepEqual(await dataset.at(1), { x: data[1] })
  })

  test('packed values may be filled up by more than to the next eight', async (t) => {
    const path = join(temporary(t), 'filled.parquet')
    const data_page_header = {
      num_values: 3,
      encoding: 'PLAIN',
      definition_level_encoding: 'RLE',
      repetition_level_encoding: 'RLE',
    } as const
    // Eight times eight levels in eight bytes, of which three are values': there, not there, there.
    const levels = [9, 0, 0, 0, 2 * 8 + 1, 0b101, 0, 0, 0, 0, 0, 0, 0]
    const values = [7, 0, 0, 0, 9, 0, 0, 0]
    writeFileSync(path, onePage('INT32', 'OPTIONAL', { data_page_header }, [...levels, ...values]))
    const { dataset } = await open(path)
    assert.deepEqual(await dataset.column('x'), [7, null, 9])
  })

  test('nulls within lists and records are null', async () => {
    const { dataset } = await open(file('nulls'))
    const pairs = [{ a: 1, s: null }, null, { a: null, s: { t: null } }, { a: 2, s: { t: 'x' } }]
    const lists = [[[1], null, []], null, [], [null, [null, 2]]]
    const inLists = [pairs, null, [], [null]]
    for (const [i, pair] of pairs.entries())
      assert.deepEqual(await dataset.at(i), { lists: lists[i], pair, pairs: inLists[i] })
  })

  function plain(value: unknown): unknown {
    if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
    if (value instanceof Date) return { time: value.toISOString().replace('.000Z', '+00:00') }
    if (typeof value === 'bigint') return { big: String(value) }
    if (Array.isArray(value)) return value.map(plain)
    if (value === null || typeof value !== 'object') return value
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]))
  }

  test('the note of datasets names the classes; without it the schema tells the types', async () => {
    const { features } = (await open(file('groups'))).dataset
    assert.deepEqual(
      [features.image.type, features.label.type, features.label.names],
      ['Image', 'ClassLabel', rows.names],
    )
    const other = (await open(file('no-note'))).dataset.features
    assert.deepEqual([other.image.type, other.label.type, other.label.dtype], ['Image', 'Value', 'int64'])
    const types = (await open(file('types'))).dataset.features
    assert.deepEqual(
      [types.text!.dtype, types.real!.dtype, types.list!.type, types.record!.type],
      ['string', 'float64', 'List', 'Struct'],
    )
  })

  test('a record of bytes and a path is a picture where its types fit and nobody says what it holds', async (t) => {
    const folder = temporary(t)
    const field = (name: string, more: object) => ({ name, repetition_type: 'OPTIONAL' as const, ...more })
    const text = { type: 'BYTE_ARRAY', converted_type: 'UTF8' }
    const rowsOf = async (bytes: object, data: unknown[], note?: object) => {
      const fields = [field('path', text), field('bytes', bytes)]
      const schema = [{ name: 'root', num_children: 1 }, field('file', { num_children: 2 }), ...fields]
      const features = note && JSON.stringify({ info: { features: { file: note } } })
      const options = {
        columnData: [{ name: 'file', data }],
        schema: schema as SchemaElement[],
        kvMetadata: features ? [{ key: 'huggingface', value: features }] : [],
      }
      writeFileSync(join(folder, 'file.parquet'), new Uint8Array(parquetWriteBuffer(options)))
      const { dataset } = await open(join(folder, 'file.parquet'))
      const rows = await Promise.all(data.map(async (_, i) => (await dataset.at(i)).file))
      return [dataset.features.file!.type, rows] as const
    }
    const sizes = [{ path: 'a.py', bytes: 120 }, null]
    assert.deepEqual(await rowsOf({ type: 'INT32' }, sizes), ['Struct', sizes])
    const sources = [{ path: 'a.py', bytes: 'print(1)' }]
    assert.deepEqual(await rowsOf(text, sources), ['Struct', sources])
    const value = (dtype: string) => ({ _type: 'Value', dtype })
    const noted = { path: value('string'), bytes: value('binary') }
    const files = [{ path: 'a.py', bytes: null }]
    assert.deepEqual(await rowsOf({ type: 'BYTE_ARRAY' }, files, noted), ['Struct', files])
    // No picture is opened by a name that nobody calls one.
    assert.deepEqual(await rowsOf({ type: 'BYTE_ARRAY' }, files), ['Image', files])
    const [type, [row]] = await rowsOf({ type: 'BYTE_ARRAY' }, [
      { path: null, bytes: readFileSync(join(PICTURES, 'colour.png')) },
    ])
    assert.equal(type, 'Image')
    assert.ok(row instanceof Image)
    const called = { _type: 'Image' }
    await assert.rejects(rowsOf({ type: 'BYTE_ARRAY' }, files, called), { code: 'IMAGE_NOT_FOUND' })
  })

  test('a note may have the classes by their numbers, a length of -1 where lists differ, and shapes', async () => {
    const noted = async (name: string, features: object) => {
      const { columns } = (await open(file(name))).source.files[0]!
      return parquetFeatures(columns, JSON.stringify({ info: { features } }))
    }
    const label = { _type: 'ClassLabel', names: { 0: 'fish', 1: 'newt' } }
    assert.deepEqual((await noted('no-note', { label })).label.names, ['fish', 'newt'])
    const list = (length: number) => ({ _type: 'Sequence', length, feature: { _type: 'Value', dtype: 'int32' } })
    assert.equal(inspect((await noted('types', { list: list(-1) })).list), "List(Value('int32'))")
    assert.equal(inspect((await noted('types', { list: list(2) })).list), "List(Value('int32'), length=2)")
    const array = (shape: (number | null)[]) => ({ _type: 'Array2D', shape, dtype: 'int32' })
    const { list: fixed } = await noted('types', { list: array([2, 3]) })
    assert.deepEqual([inspect(fixed), fixed!.shape], ["Array2D(shape=(2, 3), dtype='int32')", [2, 3]])
    assert.match(inspect((await noted('types', { list: array([null, 3]) })).list), /shape=\(None, 3\)/)
  })

  test('pictures and classes inside of lists and records are as in Python', async () => {
    const { dataset } = await open(file('pictures-inside'))
    const classes = "ClassLabel(names=['fish', 'newt', 'owl', 'fox', 'elk'])"
    const image = 'Image(mode=None, decode=True)'
    assert.deepEqual(
      Object.entries(dataset.features).map(([name, feature]) => `${name} ${inspect(feature)}`),
      [
        `list List(${image})`,
        `record {'shown': ${image}, 'kind': ${classes}}`,
        `records List({'shown': ${image}, 'kinds': List(${classes})})`,
        `old List(${image})`,
        `older {'shown': List(${image}), 'kind': List(${classes})}`,
        "numbers List(Value('float32'), length=2)",
      ],
    )
    assert.equal(dataset.features.records!.feature!.fields!.kinds!.feature!.int2str(1), 'newt')
    assert.equal((await open(file('types'))).dataset.features.list!.feature!.dtype, 'int32')
    /** Pictures by their first pixel. */
    const shown = (value: unknown): unknown => {
      if (value instanceof Image) return [...value.data.subarray(0, 3)].join()
      if (Array.isArray(value)) return value.map(shown)
      if (value === null || typeof value !== 'object') return value
      return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shown(part)]))
    }
    const row = (one: string, two: string, number: number) => ({
      list: [one, null, two],
      record: { shown: one, kind: 2 },
      records: [{ shown: two, kinds: [1, 3] }, null, { shown: null, kinds: [] }],
      old: [two],
      older: { shown: [one, two], kind: [0, 1] },
      numbers: [0.5, number],
    })
    assert.deepEqual(shown(await dataset.at(0)), row('0,0,255', '1,2,254', 0))
    assert.deepEqual(shown(await dataset.at(2)), row('4,8,251', '5,10,250', 2))
    assert.deepEqual(Object.values(await dataset.at(1)), new Array(6).fill(null))
  })

  test('a note that wants pictures in RGB, or left as they are, is heeded, and so is that of JSON', async (t) => {
    const grey = await Image.fromPixels(Uint8Array.of(7, 9), 2, 1).toPng()
    const columnData = ['rgb', 'rgba', 'file', 'bytes'].map((name) => ({
      name,
      data: [grey],
      type: 'BYTE_ARRAY' as const,
    }))
    const json = { name: 'json', data: ['{"a":[1,null]}'], type: 'STRING' as const }
    const note = {
      rgb: { _type: 'Image', mode: 'RGB' },
      rgba: { _type: 'Image', mode: 'RGBA' },
      file: { _type: 'Image', decode: false },
      json: { _type: 'Json' },
    }
    const kvMetadata = [{ key: 'huggingface', value: JSON.stringify({ info: { features: note } }) }]
    const path = join(temporary(t), 'noted.parquet')
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData: [...columnData, json], kvMetadata })))
    const { dataset } = await open(path)
    assert.deepEqual(
      ['rgb', 'file', 'json'].map((name) => inspect(dataset.features[name])),
      ["Image(mode='RGB', decode=True)", 'Image(mode=None, decode=False)', 'Json(decode=True)'],
    )
    const row = (await dataset.removeColumns('rgba' as never).at(0)) as Record<string, unknown>
    assert.deepEqual([...(row.rgb as Image).data], [7, 7, 7, 9, 9, 9])
    assert.deepEqual(row.file, { bytes: row.bytes, path: null })
    assert.deepEqual([row.json, await dataset.column('json')], [{ a: [1, null] }, [{ a: [1, null] }]])
    await assert.rejects(dataset.at(0), { code: 'DATASET_UNSUPPORTED', message: /of the mode RGBA, got L\. Write/ })
  })

  test('a picture that a row names by its path alone is that file', async (t) => {
    const folder = temporary(t)
    const grey = join(folder, 'grey.png')
    writeFileSync(grey, await Image.fromPixels(Uint8Array.of(7, 9), 2, 1).toPng())
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 1 },
      { name: 'image', num_children: 2, repetition_type: 'OPTIONAL' },
      { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
      { name: 'path', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL', converted_type: 'UTF8' },
    ]
    const kvMetadata = [
      { key: 'huggingface', value: JSON.stringify({ info: { features: { image: { _type: 'Image' } } } }) },
    ]
    const columnData = [{ name: 'image', data: [{ bytes: null, path: grey }, null] }]
    const path = join(folder, 'paths.parquet')
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData, schema, kvMetadata })))
    const { dataset } = await open(path)
    assert.deepEqual([...((await dataset.at(0)).image as unknown as Image).data], [7, 9])
    assert.equal((await dataset.at(1)).image, null)
  })

  test('the kinds of values are called as Python calls them', () => {
    const int = (bitWidth: number, isSigned: boolean) => ({ type: 'INTEGER' as const, bitWidth, isSigned })
    const time = (type: 'TIME' | 'TIMESTAMP', unit: 'MILLIS' | 'MICROS' | 'NANOS', isAdjustedToUTC = false) => ({
      logical_type: { type, unit, isAdjustedToUTC },
    })
    // What pyarrow writes, and what datasets.Features.from_arrow_schema makes of it.
    const cases: [string, Omit<SchemaElement, 'name'>][] = [
      ['int8', { type: 'INT32', converted_type: 'INT_8', logical_type: int(8, true) }],
      ['uint32', { type: 'INT32', converted_type: 'UINT_32' }],
      ['uint64', { type: 'INT64', logical_type: int(64, false) }],
      ['int32', { type: 'INT32' }],
      ['float16', { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 2, logical_type: { type: 'FLOAT16' } }],
      ['float32', { type: 'FLOAT' }],
      ['float64', { type: 'DOUBLE' }],
      ['bool', { type: 'BOOLEAN' }],
      ['string', { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } }],
      ['binary', { type: 'BYTE_ARRAY' }],
      ['fixed_size_binary[5]', { type: 'FIXED_LEN_BYTE_ARRAY', type_length: 5 }],
      ['date32', { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } }],
      ['timestamp[ms]', { type: 'INT64', ...time('TIMESTAMP', 'MILLIS') }],
      ['timestamp[ns]', { type: 'INT64', ...time('TIMESTAMP', 'NANOS') }],
      ['timestamp[ns]', { type: 'INT96' }],
      ['timestamp[us, tz=UTC]', { type: 'INT64', converted_type: 'TIMESTAMP_MICROS' }],
      ['timestamp[us, tz=UTC]', { type: 'INT64', ...time('TIMESTAMP', 'MICROS', true) }],
      ['time32[ms]', { type: 'INT32', converted_type: 'TIME_MILLIS' }],
      ['time64[us]', { type: 'INT64', ...time('TIME', 'MICROS') }],
      ['decimal128(9, 2)', { type: 'FIXED_LEN_BYTE_ARRAY', converted_type: 'DECIMAL', precision: 9, scale: 2 }],
      ['decimal256(50, 0)', { type: 'FIXED_LEN_BYTE_ARRAY', converted_type: 'DECIMAL', precision: 50 }],
      ['null', { type: 'INT32', logical_type: { type: 'NULL' } }],
    ]
    for (const [dtype, element] of cases) {
      const column = { element: { name: 'x', ...element }, children: [], count: 1, path: ['x'] }
      assert.equal(inspect(parquetFeatures([column], null).x), `Value('${dtype}')`)
    }
  })

  test('a file of parquet-go by xitongsys is read, whose index is wrong', async () => {
    const { dataset, source } = await open(join(FIXTURES, 'parquet-go.parquet'))
    const rowOf = (i: number) => ({
      id: i,
      text: `text ${i % 3}`,
      list: Array.from({ length: i % 4 }, (_, k) => i + k),
    })
    for (const i of [119, 0, 60, ...Array(120).keys()]) assert.deepEqual(await dataset.at(i), rowOf(i))
    assert.equal(source.numRows, 120)
  })

  test('a file of Polars of 2023 is read, whose pages tell other numbers of nulls and end early', async () => {
    const { dataset } = await open(join(FIXTURES, 'old-polars.parquet'))
    const rows = Array.from({ length: 60 }, (_, i) => ({
      list: i % 4 ? [i, null].slice(0, i % 3) : null,
      text: i % 7 ? `text ${i % 9}` : null,
    }))
    for (const [i, row] of rows.entries()) assert.deepEqual(await dataset.at(i), row)
  })

  test('a page has as many rows as values where it tells otherwise, as those of parquet-go by fraugster', async (t) => {
    const path = join(temporary(t), 'rows.parquet')
    const data_page_header_v2 = {
      num_values: 3,
      num_nulls: 0,
      num_rows: 2,
      encoding: 'PLAIN',
      definition_levels_byte_length: 0,
      repetition_levels_byte_length: 0,
      is_compressed: false,
    } as const
    writeFileSync(path, onePage('INT32', 'REQUIRED', { data_page_header_v2 }, [7, 0, 0, 0, 8, 0, 0, 0, 9, 0, 0, 0]))
    const { dataset } = await open(path)
    assert.deepEqual(await dataset.column('x'), [7, 8, 9])
  })

  test('a plain kind of values is the one that the file has, as in Python, where datasets noted one that Parquet lacks', () => {
    const element = { name: 'x', type: 'INT32', converted_type: 'TIME_MILLIS' } as const
    const note = JSON.stringify({ info: { features: { x: { _type: 'Value', dtype: 'time32[s]' } } } })
    const { x } = parquetFeatures([{ element, children: [], count: 1, path: ['x'] }], note)
    assert.equal(inspect(x), "Value('time32[ms]')")
  })

  test('lists and maps are what they are to Python, whichever groups Avro, Protobuf, Thrift or Hive put around their items', async () => {
    const answers = readJson<{ features: object; rows: Record<string, unknown>[] }>(FIXTURES, 'old-lists.json')
    const { dataset } = await open(join(FIXTURES, 'old-lists.parquet'))
    const { map, ...features } = Object.fromEntries(
      Object.entries(dataset.features).map(([name, feature]) => [name, inspect(feature, { breakLength: Infinity })]),
    )
    assert.deepEqual([map, features], ['Struct', answers.features])
    for (const [i, row] of answers.rows.entries()) assert.deepEqual(await dataset.at(i), row)
    for (const name of Object.keys(answers.rows[0]!))
      assert.deepEqual(
        await dataset.column(name),
        answers.rows.map((row) => row[name]),
      )
  })

  test('what Parquet has no types for is as Python gives it: durations, time zones, large texts', async () => {
    const milliseconds = (_: string, value: unknown) =>
      typeof value === 'string' && /^\d{4}-.*Z$/.test(value) ? Date.parse(value) : value
    const answers = readJson<Record<string, { features: object; row: object }>>(FIXTURES, 'arrow-types.json')
    for (const [name, { features, row }] of Object.entries(answers)) {
      const { dataset } = await open(join(FIXTURES, `${name}.parquet`))
      const ours = Object.entries(dataset.features).map(([column, feature]) => [column, inspect(feature)])
      assert.deepEqual(Object.fromEntries(ours), features, name)
      assert.deepEqual(JSON.parse(JSON.stringify(await dataset.at(0)), milliseconds), row, name)
    }
  })

  test("a damaged note of pyarrow's is no damaged file", async () => {
    const { files } = (await open(join(FIXTURES, 'arrow-types.parquet'))).source
    const { columns } = files[0]!
    const note = Buffer.from(files[0]!.note('ARROW:schema')!, 'base64')
    const read = (bytes: Buffer) => Object.keys(parquetFeatures(columns, null, bytes.toString('base64'))).length
    for (let at = 0; at < note.length; at++) {
      const damaged = Buffer.from(note)
      damaged[at]! ^= 0xff
      assert.deepEqual([read(damaged), read(note.subarray(0, at))], [columns.length, columns.length])
    }
  })

  test("of a note of pyarrow's that was left beside other columns, nothing counts for them", async () => {
    const { files } = (await open(join(FIXTURES, 'arrow-types.parquet'))).source
    const turned = [...files[0]!.columns].reverse()
    const told = (note: string | null) => inspect(Object.entries(parquetFeatures(turned, null, note)), { depth: 9 })
    assert.equal(turned.length % 2, 0, 'none in the middle, which stays where it was')
    assert.equal(told(files[0]!.note('ARROW:schema')), told(null))
  })

  test('what a row gives may be written to', async () => {
    const { dataset } = await open(file('types'))
    const first = (await dataset.at(1)) as unknown as { raw: Uint8Array; list: number[]; when: Date }
    first.raw.fill(0)
    first.list.push(99)
    first.when.setTime(0)
    assert.deepEqual(plain(await dataset.at(1)), rows.types[1])
  })
})

describe('rows written by hyparquet-writer', () => {
  test('are read', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const numbers = Array.from({ length: 1000 }, (_, i) => i * 3)
    const buffer = parquetWriteBuffer({
      columnData: [
        { name: 'n', data: numbers, type: 'INT32' },
        { name: 's', data: numbers.map((n) => `s${n % 7}`), type: 'STRING' },
      ],
      rowGroupSize: 300,
    })
    writeFileSync(path, new Uint8Array(buffer))
    const { dataset } = await open(path)
    assert.deepEqual(await dataset.at(0), { n: 0, s: 's0' })
    assert.deepEqual(await dataset.at(999), { n: 2997, s: `s${2997 % 7}` })
    assert.deepEqual(await dataset.column('n'), numbers)
  })

  test('with a repetition that is a truth instead of a number, as by fastparquet: no value is missing, as to pyarrow', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 1 },
      { name: 'x', type: 'INT32', repetition_type: 'REQUIRED' },
    ]
    const written = Buffer.from(parquetWriteBuffer({ columnData: [{ name: 'x', data: [1, 2, 3] }], schema }))
    // Thrift's compact protocol: field 3 as the number 0, and field 4, the name.
    const at = written.indexOf(Buffer.from([0x25, 0, 0x18, 1, 'x'.charCodeAt(0)]))
    assert.ok(at > 0)
    const file = Buffer.concat([written.subarray(0, at), Buffer.of(0x22), written.subarray(at + 2)])
    file.writeUInt32LE(written.readUInt32LE(written.length - 8) - 1, file.length - 8)
    writeFileSync(path, file)
    assert.deepEqual(await (await open(path)).dataset.column('x'), [1, 2, 3])
  })

  test('whatever the names of the columns, numbers among them', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const columnData = ['label', '1', '0'].map((name, i) => ({ name, data: [i, i + 10], type: 'INT32' as const }))
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData })))
    assert.deepEqual(await (await open(path)).dataset.at(1), { label: 10, 1: 11, 0: 12 })
  })

  test('what is JSON is the value that it tells, as to datasets, and a UUID sixteen bytes, as to pyarrow', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const uuid = '00112233-4455-6677-8899-aabbccddeeff'
    const columnData = [
      { name: 'json', data: [{ a: [1] }, null, 'text'], type: 'JSON' as const },
      { name: 'uuid', data: [uuid, uuid, uuid], type: 'UUID' as const },
    ]
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData })))
    const { dataset } = await open(path)
    assert.deepEqual(await dataset.column('json'), [{ a: [1] }, null, 'text'])
    assert.equal(inspect(dataset.features.json), 'Json(decode=True)')
    await assert.rejects(dataset.unique('json'), { code: 'INVALID_ARGUMENT' })
    const { uuid: bytes } = (await dataset.at(2)) as unknown as { uuid: Uint8Array }
    assert.equal(Buffer.from(bytes).toString('hex'), uuid.replaceAll('-', ''))
  })

  test('whole numbers in JSON are exact, as in columns of them', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const texts = [
      '{"id":9007199254740993,"n":[-1234567890123456789,1234567890123456],"s":"9007199254740993 \\" 12345678901234567"}',
      '18446744073709551615',
      '[0.12345678901234567, 12345678901234567.5, 12345678901234567e2, 1e-17]',
    ]
    const note = JSON.stringify({ info: { features: { json: { _type: 'Json' } } } })
    const columnData = [{ name: 'json', data: texts, type: 'STRING' as const }]
    const kvMetadata = [{ key: 'huggingface', value: note }]
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData, kvMetadata })))
    const { dataset } = await open(path)
    assert.deepEqual(await dataset.column('json'), [
      {
        id: 9007199254740993n,
        n: [-1234567890123456789n, 1234567890123456],
        s: '9007199254740993 " 12345678901234567',
      },
      18446744073709551615n,
      JSON.parse(texts[2]!),
    ])
  })

  test('a text that is no UTF-8 fails in its row only, as in Python', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 1 },
      { name: 'text', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' },
    ]
    const data = ['é', 'xyz', '\u{1f600}']
    const bytes = Buffer.from(
      parquetWriteBuffer({ columnData: [{ name: 'text', data }], schema, codec: 'UNCOMPRESSED' }),
    )
    for (let at = bytes.indexOf('xyz'); at >= 0; at = bytes.indexOf('xyz')) bytes[at] = 0xff
    writeFileSync(path, bytes)
    const { dataset } = await open(path)
    assert.deepEqual(
      [await dataset.at(0), await dataset.at(2)],
      [data[0], data[2]].map((text) => ({ text })),
    )
    const broken = { code: 'DATASET_BROKEN', message: /a text in it is no UTF-8/ }
    for (const read of [() => dataset.at(1), () => dataset.column('text')]) await assert.rejects(read, broken)
  })

  test('two columns of one name are refused, as by Python', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const columnData = [1, 2].map((value) => ({ name: 'x', data: [value], type: 'INT32' as const }))
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData })))
    await assert.rejects(open(path), {
      code: 'DATASET_UNSUPPORTED',
      message: /to have one column x, got several\. Write/,
    })
  })

  test('a text keeps a byte order mark, and a moment before 1970 its digits', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const time = { type: 'INT64' as const, repetition_type: 'OPTIONAL' as const }
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 3 },
      { name: 'text', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
      { name: 'micros', ...time, converted_type: 'TIMESTAMP_MICROS' },
      { name: 'nanos', ...time, logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'NANOS' } },
    ]
    const columnData = [
      { name: 'text', data: ['\ufeffx', null, '\ufeff\ufeff'] },
      { name: 'micros', data: [-1n, -1000n, 1999n] },
      { name: 'nanos', data: [-1_000_001n, null, 1_999_999n] },
    ]
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData, schema })))
    const { dataset } = await open(path)
    assert.deepEqual(await dataset.column('text'), ['\ufeffx', null, '\ufeff\ufeff'])
    assert.deepEqual(await dataset.column('micros'), [new Date(-1), new Date(-1), new Date(1)])
    assert.deepEqual(await dataset.column('nanos'), [new Date(-2), null, new Date(1)])
  })

  test('a column with a point in its name beside the field of a record that reads the same', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const schema: SchemaElement[] = [
      { name: 'root', num_children: 2 },
      { name: 'a.b', type: 'INT32', repetition_type: 'REQUIRED' },
      { name: 'a', num_children: 1, repetition_type: 'REQUIRED' },
      { name: 'b', type: 'INT32', repetition_type: 'REQUIRED' },
    ]
    const columnData = [
      { name: 'a.b', data: [1, 2] },
      { name: 'a', data: [{ b: 10 }, { b: 20 }] },
    ]
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ schema, columnData })))
    const { dataset } = await open(path)
    assert.deepEqual(await dataset.at(1), { 'a.b': 2, a: { b: 20 } })
    assert.deepEqual(await dataset.column('a'), [{ b: 10 }, { b: 20 }])
  })

  test('a page of nothing but nulls, whose no values are packed into no bytes', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const columnData = [{ name: 'real', data: [null, null], type: 'DOUBLE' as const, encoding: 'PLAIN' as const }]
    for (const codec of ['SNAPPY', 'GZIP'] as const) {
      // As parquet-java does.
      const pack = (bytes: Uint8Array) => (bytes.length === 0 ? bytes : assert.fail())
      writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData, codec, compressors: { [codec]: pack } })))
      assert.deepEqual(await (await open(path)).dataset.at(1), { real: null })
    }
  })
})

describe('reading is lazy', () => {
  test('opening reads the metadata alone, a row its own pages', async () => {
    for (const name of ['no-dictionary', 'index', 'v2']) {
      const { source, dataset, cache, read } = await open(file(name))
      const footer = metadataLength(file(name))
      assert.ok(read() <= Math.max(footer, statSync(file(name)).size), name)
      assert.equal(cache.bytes, 0)
      await dataset.at(37)
      // Two pages of four rows each: of the pictures and of the labels; the paths are left alone.
      const { columns } = source.files[0]!
      assert.equal(columns.length, 2)
      assert.ok(cache.bytes > 0 && cache.bytes < 12_000, `${name}: ${cache.bytes}`)
    }
  })

  test('in a large group only the page that holds the row is read and unpacked', async (t) => {
    const { dataset, read, cache } = await open(large(t))
    const before = read()
    const { raw } = (await dataset.at(3210)) as unknown as { raw: Uint8Array }
    assert.deepEqual([raw.length, raw[0]], [1000, 3210 % 251])
    // Forty headers, read through windows of 4 KB, and one page of 100 KB, of 4 MB.
    const cost = read() - before
    assert.ok(cost < 300_000, `${cost}`)
    assert.ok(cache.bytes < 150_000, `${cache.bytes}`)
    const again = read()
    await dataset.at(3211)
    assert.equal(read(), again)
  })

  test('one after the other, no page is read twice, however small the cache', async (t) => {
    const path = large(t)
    const { dataset, read, cache } = await open(path, 250_000)
    let rows = 0
    for await (const _ of dataset) rows++
    assert.equal(rows, 4000)
    assert.ok(cache.bytes <= 250_000, `${cache.bytes}`)
    // The metadata once, the headers by themselves, and each page once.
    const { size } = statSync(path)
    assert.ok(read() < 2 * metadataLength(path) + 524_288 + 40 * 4096 + size, `${read()} of ${size}`)
  })

  test("nor where a row's pages together are larger than the cache", async (t) => {
    const path = join(temporary(t), 'wide.parquet')
    const names = ['a', 'b', 'c', 'd', 'e']
    const data = Array.from({ length: 500 }, (_, i) => `text ${i % 50}`)
    const columnData = names.map((name) => ({ name, data, type: 'STRING' as const }))
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 250 })))
    const { dataset, read } = await open(path, 1)
    let rows = 0
    for await (const row of dataset)
      assert.equal(Object.values(row).join(), names.map(() => data[rows]).join(), `${rows++}`)
    assert.equal(rows, 500)
    const { size } = statSync(path)
    assert.ok(read() < 4 * size, `${read()} of ${size}`)
  })

  test('a row of thousands of columns takes little memory', async (t) => {
    const names = Array.from({ length: 2000 }, (_, i) => `gene ${i}`)
    const columnData: ColumnSource[] = names.map((name, i) => ({ name, data: [0, i], type: 'INT32' }))
    const path = join(temporary(t), 'wide.parquet')
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData })))
    const read = `
      const { parentPort, workerData } = require('node:worker_threads')
      import(workerData.module).then(async ({ loadDataset }) => {
        const dataset = await loadDataset(workerData.path, { split: 'train' })
        const row = await dataset.at(1)
        parentPort.postMessage([Object.keys(row).join(), Object.values(row).join()])
      })`
    const workerData = { path, module: import.meta.resolve('#src/datasets/index.js') }
    const worker = new Worker(read, { eval: true, workerData, resourceLimits: { maxOldGenerationSizeMb: 100 } })
    const [told] = await once(worker, 'message')
    assert.deepEqual(told, [names.join(), names.map((_, i) => i).join()])
  })

  test('what is asked for twice at once is read once', async () => {
    const { dataset, read } = await open(file('no-dictionary'))
    await Promise.all([dataset.at(37), dataset.at(37), dataset.at(38)])
    const cost = read()
    const other = await open(file('no-dictionary'))
    await other.dataset.at(37)
    assert.equal(cost, other.read())
  })

  test('a column alone leaves the others unread', async () => {
    const { dataset, read } = await open(file('no-dictionary'))
    const before = read()
    assert.deepEqual(await dataset.column('label'), rows.labels)
    const labels = read() - before
    await dataset.at(0)
    assert.ok(labels < 6000, `${labels}`)
  })

  test('a column is what the rows have, in whatever order these are chosen', async () => {
    for (const name of ['types', 'index', 'v2', 'groups']) {
      const { dataset } = await open(file(name))
      const columns = dataset.columnNames.filter((column) => dataset.features[column]!.type !== 'Image')
      const places = fc.array(fc.nat(dataset.numRows - 1), { maxLength: 20 })
      await fc.assert(
        fc.asyncProperty(places, async (indices) => {
          const chosen = dataset.select(indices).selectColumns(columns)
          const each = await Promise.all(indices.map((_, i) => chosen.at(i)))
          for (const column of columns)
            assert.deepEqual(
              await chosen.column(column),
              each.map((row) => row[column]),
            )
        }),
        { numRuns: 20 },
      )
    }
  })

  test('a column of lists and records reads no chunk twice, however small the cache', async () => {
    const { dataset, read } = await open(file('nulls'), 1)
    const before = read()
    assert.equal((await dataset.column('pairs')).length, 4)
    const cost = read() - before
    const fresh = await open(file('nulls'), 1)
    const start = fresh.read()
    await fresh.dataset.selectColumns('pairs').at(0)
    assert.equal(cost, fresh.read() - start)
  })

  test('a column of shuffled rows reads no page twice, however small the cache', async (t) => {
    const path = large(t)
    const { dataset, read } = await open(path, 250_000)
    const column = await dataset.shuffle({ seed: 1 }).column('raw')
    assert.equal(column.length, 4000)
    const { size } = statSync(path)
    assert.ok(read() < 2 * metadataLength(path) + 524_288 + 40 * 4096 + size, `${read()} of ${size}`)
  })
})

/** 4,000 rows of a kilobyte in one row group of forty pages, without an index. */
function large(t: TestContext): string {
  const path = join(temporary(t), 'large.parquet')
  const data = Array.from({ length: 4000 }, (_, i) => Buffer.alloc(1000, i % 251))
  const columnData = [{ name: 'raw', data, type: 'BYTE_ARRAY' as const, encoding: 'PLAIN' as const }]
  const options = { pageSize: 100_000, codec: 'UNCOMPRESSED' as const, rowGroupSize: 4000 }
  writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData, ...options })))
  return path
}

function metadataLength(path: string): number {
  const bytes = readFileSync(path)
  return bytes.readUInt32LE(bytes.length - 8) + 8
}

describe('the page cache', () => {
  test('keeps within its budget and lets go of what was used longest ago', async () => {
    const cache = new PageCache(100)
    const reads: string[] = []
    const get = (key: string) =>
      cache.get(
        key,
        async () => {
          reads.push(key)
          return 40
        },
        (bytes) => bytes,
      )
    await get('a')
    await get('b')
    await get('a')
    await get('c')
    assert.equal(cache.bytes, 80)
    await get('a')
    await get('b')
    assert.deepEqual(reads, ['a', 'b', 'c', 'b'])
  })

  test('lets go of nothing that is being read, and counts it once it is there', async () => {
    const cache = new PageCache(100)
    const bytes = (size: number) => size
    let reads = 0
    let arrive = (_size: number) => {}
    const read = () => {
      reads++
      return new Promise<number>((resolve) => {
        arrive = resolve
      })
    }
    const slow = () => cache.get('slow', read, bytes)
    const first = slow()
    for (const key of ['a', 'b', 'c']) await cache.get(key, async () => 60, bytes)
    const second = slow()
    arrive(50)
    assert.deepEqual([await first, await second, reads], [50, 50, 1])
    assert.equal(cache.bytes, 50)
    await cache.get('d', async () => 100, bytes)
    assert.equal(cache.bytes, 100)
  })

  test('keeps the newest even if it is too large, and nothing that failed', async () => {
    const cache = new PageCache(10)
    const get = (key: string, size: number) =>
      cache.get(
        key,
        () => Promise.resolve(size),
        (bytes) => bytes,
      )
    await get('small', 5)
    await get('large', 50)
    assert.equal(cache.bytes, 50)
    await get('small', 5)
    assert.equal(cache.bytes, 5)
    const failing = () => Promise.reject(new Error('no'))
    await assert.rejects(
      cache.get('x', failing, () => 1),
      /no/,
    )
    assert.equal(await get('x', 2), 2)
  })
})

describe('a damaged file', () => {
  test('cut anywhere is a clear error', async (t) => {
    const path = join(temporary(t), 'cut.parquet')
    for (const length of [0, 3, 7, 100, 5000, 8000, statSync(file('groups')).size - 1]) {
      copyFileSync(file('groups'), path)
      truncateSync(path, length)
      await assert.rejects(loadDataset(path), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'DATASET_BROKEN')
        assert.match(error.message, /^Expected .*cut\.parquet to be a whole Parquet file: .*Delete the file/)
        return true
      })
    }
  })

  test('cut after it was opened, damaged or gone: the row says so', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    copyFileSync(file('no-dictionary'), path)
    const { dataset } = await open(path)
    truncateSync(path, 2000)
    await assert.rejects(dataset.at(50), {
      code: 'DATASET_BROKEN',
      message: /to be a whole Parquet file: it ends before byte \d+\./,
    })
    const bytes = readFileSync(file('no-dictionary'))
    bytes.fill(0xff, 1000, 1800)
    writeFileSync(path, bytes)
    const damaged = await open(path)
    await assert.rejects(damaged.dataset.at(30), { code: 'DATASET_BROKEN' })
    rmSync(path)
    await assert.rejects(damaged.dataset.at(0), { code: 'DATASET_NOT_FOUND', message: /a\.parquet is gone/ })
  })

  test('is none where it is encrypted, whole or a column of it', async (t) => {
    const encrypted = join(FIXTURES, 'encrypted.parquet')
    const { dataset } = await open(encrypted)
    assert.deepEqual(await dataset.column('plain'), [3, 4])
    const code = 'DATASET_UNSUPPORTED'
    await assert.rejects(dataset.column('secret'), {
      code,
      message: /encrypted\.parquet .*the encrypted column secret/,
    })
    const path = join(temporary(t), 'a.parquet')
    writeFileSync(path, Buffer.concat([readFileSync(encrypted).subarray(0, -4), Buffer.from('PARE')]))
    await assert.rejects(open(path), { code, message: /a\.parquet .*encrypted metadata/ })
  })

  test('that has a column without a name is an error when it is loaded', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const columnData = [{ name: 'column', data: [1], type: 'INT32' as const }]
    const bytes = Buffer.from(parquetWriteBuffer({ columnData }))
    // Thrift's field 4, a text of six bytes, in the schema behind the data: made a field that nobody knows.
    const at = bytes.lastIndexOf('column', bytes.lastIndexOf('column') - 1)
    assert.equal(bytes[at - 1], 6)
    bytes[at - 2]! += 0x70
    writeFileSync(path, bytes)
    await assert.rejects(open(path), { code: 'DATASET_BROKEN', message: /a column in its schema has no name/ })
  })

  test('gone for a while is read again once it is back', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    copyFileSync(file('no-dictionary'), path)
    const { dataset } = await open(path)
    rmSync(path)
    const pictures = dataset.selectColumns('image')
    await assert.rejects(pictures.at(50), { code: 'DATASET_NOT_FOUND' })
    copyFileSync(file('no-dictionary'), path)
    assert.equal((await pictures.at(50)).image.data[0], 50)
  })

  test('is none where the system will not open it, or where what it holds is not supported', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    if (!noLinks) {
      symlinkSync(path, path)
      await assert.rejects(loadDataset(pathToFileURL(dirname(path))), {
        code: 'DATASET_UNREADABLE',
        message: /^Expected to read .*a\.parquet, got ELOOP\. Check that/,
      })
      rmSync(path)
    }
    const columnData = [{ name: 'whole', data: [1, 2], type: 'INT32' as const }]
    const options = { columnData, codec: 'LZO' as const, compressors: { LZO: (bytes: Uint8Array) => bytes } }
    writeFileSync(path, new Uint8Array(parquetWriteBuffer(options)))
    await assert.rejects((await open(path)).dataset.at(0), {
      code: 'DATASET_UNSUPPORTED',
      message: /^Expected .*a\.parquet to hold .*, got parquet unsupported compression codec: LZO\. Write it again/,
    })
  })

  const RECORD = (name: string): SchemaElement[] => [
    { name, num_children: 2, repetition_type: 'OPTIONAL' },
    { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
    { name: 'path', type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
  ]

  test('a picture that is none names its row', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const image = [0, 1, 2].map(() => ({ bytes: Buffer.from('no picture'), path: null }))
    const schema = [{ name: 'root', num_children: 1 }, ...RECORD('image')]
    const value = JSON.stringify({ info: { features: { image: { _type: 'Image' } } } })
    const kvMetadata = [{ key: 'huggingface', value }]
    const columnData = [{ name: 'image', data: image }]
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData, schema, kvMetadata })))
    const { dataset } = await open(path)
    await assert.rejects(dataset.at(2), { code: 'IMAGE_INVALID', message: /^Row 2: Expected a picture, got 10 bytes/ })
  })

  test('what lies as pictures do and is none is bytes and a path where nobody calls it a picture, as in Python', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    const sound = { bytes: Buffer.from('RIFF....WAVE'), path: 'a.wav' }
    const picture = { bytes: readFileSync(join(FIXTURES, 'pictures', 'colour.png')), path: null }
    const columnData = [
      { name: 'file', data: [sound, picture, null] },
      { name: 'inside', data: [{ file: sound }, { file: picture }, { file: null }] },
    ]
    const around: SchemaElement = { name: 'inside', num_children: 1, repetition_type: 'OPTIONAL' }
    const schema = [{ name: 'root', num_children: 2 }, ...RECORD('file'), around, ...RECORD('file')]
    writeFileSync(path, new Uint8Array(parquetWriteBuffer({ columnData, schema })))
    const source = (await open(path)).dataset
    const rows = []
    for await (const row of source as Dataset<object> as Dataset<{ file: unknown; inside: { file: unknown } }>)
      rows.push(row)
    const asItLies = { bytes: Uint8Array.from(sound.bytes), path: 'a.wav' }
    for (const [first, second, third] of [rows.map(({ file }) => file), rows.map(({ inside }) => inside.file)]) {
      assert.deepEqual(first, asItLies)
      assert.equal(inspect(second), '<Image mode=RGB size=34x26>')
      assert.equal(third, null)
    }
  })
})
