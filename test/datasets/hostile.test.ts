import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import type { Encoding } from 'hyparquet'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { snappyCompress } from 'hysnappy'
import { RayitoError } from '#src/core/errors.js'
import { Image, loadDataset } from '#src/datasets/index.js'
import { compressorsFor } from '#src/datasets/parquet/compressors.js'
import { loadHyparquet } from '#src/datasets/parquet/hyparquet.js'
import { onePage, onlyFooter, PICTURES, TABLES, temporary } from './support.js'

const pictures = [
  'colour-420.jpg',
  'colour-444-progressive.jpg',
  'cmyk.jpg',
  'palette.png',
  'alpha.png',
  'alpha.webp',
  'offset.gif',
]
const files = new Map(pictures.map((file) => [file, readFileSync(join(PICTURES, file))]))

/** A picture or one of our errors: anything else, a crash or a hang included, fails the test. */
async function tryOpen(bytes: Uint8Array): Promise<void> {
  try {
    const image = await Image.open(bytes, { maxPixels: 1e6 })
    assert.equal(image.data.length, image.width * image.height * image.channels)
  } catch (error) {
    assert.ok(error instanceof RayitoError && error.code.startsWith('IMAGE_'), String(error))
  }
}

describe('whatever the bytes are, there is a picture or a clear error', () => {
  test('cut anywhere', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...pictures), fc.double({ min: 0, max: 1, noNaN: true }), async (file, part) => {
        const whole = files.get(file)!
        await tryOpen(whole.subarray(0, Math.floor(part * whole.length)))
      }),
    )
  })

  test('with bytes changed', async () => {
    const change = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), to: fc.nat(255) })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...pictures),
        fc.array(change, { minLength: 1, maxLength: 8 }),
        async (file, changes) => {
          const bytes = Uint8Array.from(files.get(file)!)
          for (const { at, to } of changes) bytes[Math.min(bytes.length - 1, Math.floor(at * bytes.length))] = to
          await tryOpen(bytes)
        },
      ),
    )
  })

  test('noise behind a true beginning', async () => {
    const beginnings = pictures.map((file) => files.get(file)!.subarray(0, 40))
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...beginnings), fc.uint8Array({ maxLength: 200 }), async (beginning, noise) => {
        await tryOpen(Buffer.concat([beginning, noise]))
      }),
    )
  })
})

describe('whatever is in a Parquet file, there are rows or a clear error', () => {
  const tables = [
    'groups',
    'types',
    'index',
    'types-index',
    'types-v2',
    'v2-index-gzip',
    'index-dictionary-zstd',
    'brotli',
    'lz4',
    'differences-v1',
    'differences-v2',
  ]
  const bytes = new Map(tables.map((name) => [name, readFileSync(join(TABLES, `${name}.parquet`))]))
  const change = fc.record({ at: fc.double({ min: 0, max: 1, noNaN: true }), to: fc.nat(255), inFooter: fc.boolean() })

  test('with bytes changed', async (t) => {
    const path = join(temporary(t), 'changed.parquet')
    const property = fc.asyncProperty(
      fc.constantFrom(...tables),
      fc.array(change, { maxLength: 6 }),
      async (name, changes) => {
        const changed = Uint8Array.from(bytes.get(name)!)
        for (const { at, to, inFooter } of changes) {
          const span = inFooter ? Math.min(3000, changed.length) : changed.length
          changed[changed.length - 1 - Math.floor(at * (span - 1))] = to
        }
        writeFileSync(path, changed)
        try {
          const rows = await loadDataset(path, { split: 'train', maxPixels: 1e6 })
          for (const index of [0, 13, 35, 59]) if (index < rows.numRows) await rows.at(index)
        } catch (error) {
          assert.ok(error instanceof RayitoError && /^(DATASET|IMAGE)_/.test(error.code), String(error))
        }
      },
    )
    await fc.assert(property, { numRuns: 300 })
  })
})

describe('whatever is in a packed page, unpacking it ends', () => {
  /** Literals only: a block that needs no packer. */
  const lz4 = (bytes: Uint8Array) => Uint8Array.of(bytes.length << 4, ...bytes)
  /** One block as it is. */
  const zstd = (bytes: Uint8Array) =>
    Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0x20, bytes.length, (bytes.length << 3) | 1, bytes.length >> 5, 0, ...bytes)
  const packers = {
    SNAPPY: snappyCompress,
    GZIP: gzipSync,
    BROTLI: brotliCompressSync,
    ZSTD: zstd,
    LZ4_RAW: lz4,
    LZ4: (bytes: Uint8Array) => Uint8Array.of(0, 0, 0, bytes.length, 0, 0, 0, bytes.length + 1, ...lz4(bytes)),
  }
  // Few values, so that much repeats.
  const content = (maxLength: number) =>
    fc.array(fc.oneof(fc.nat(3), fc.nat(255)), { maxLength }).map((bytes) => Uint8Array.from(bytes))
  // Bytes that make a length negative among them.
  const change = fc.record({ at: fc.nat(400), to: fc.oneof(fc.nat(255), fc.constantFrom(0, 248, 252, 255)) })

  for (const [codec, pack] of Object.entries(packers) as [keyof typeof packers, (bytes: Uint8Array) => Uint8Array][])
    test(`${codec}: with the bytes, or an error`, async () => {
      const unpack = (await compressorsFor(codec))![codec]!
      const bytes = content(codec.startsWith('LZ4') ? 14 : 255)
      const property = fc.property(bytes, fc.array(change, { maxLength: 8 }), (bytes, changes) => {
        const packed = Uint8Array.from(pack(bytes))
        for (const { at, to } of changes) packed[at % packed.length] = to
        try {
          const unpacked = unpack(packed, bytes.length)
          if (changes.length === 0) assert.deepEqual([...unpacked], [...bytes])
        } catch (error) {
          assert.notEqual(changes.length, 0, String(error))
        }
      })
      fc.assert(property, { numRuns: 2_000 })
    })

  test('and nothing that has fewer or more bytes than its header says', async () => {
    const { decompressPage } = await loadHyparquet()
    const bytes = Uint8Array.of(5, 6, 7, 8, 9)
    for (const codec of Object.keys(packers) as (keyof typeof packers)[]) {
      const compressors = (await compressorsFor(codec))!
      const packed = new Uint8Array(packers[codec](bytes))
      assert.deepEqual([...decompressPage(packed, 5, codec, compressors)], [...bytes], codec)
      for (const size of [3, 4, 6, 9])
        assert.throws(() => decompressPage(packed, size, codec, compressors), `${codec}: ${size} bytes`)
    }
  })

  test('where a tree of Huffman codes is weighed with one weight alone', async () => {
    const { ZSTD } = (await compressorsFor('ZSTD'))!
    const unpack = () => ZSTD!(Buffer.from('28b52ffd20107d000002c1020af003ffffffffffffffff00', 'hex'), 16)
    assert.throws(unpack)
  })

  test('where a length is negative', async () => {
    const { SNAPPY } = (await compressorsFor('SNAPPY'))!
    assert.throws(() =>
      SNAPPY!(Uint8Array.of(16, 252, 122, 52, 180, 198, 181, 18, 62, 56, 217, 104, 27, 208, 7, 214, 43, 179), 16),
    )
    const { LZ4 } = (await compressorsFor('LZ4'))!
    assert.throws(() => LZ4!(Uint8Array.of(0, 0, 0, 0, 255, 255, 255, 248, 1, 1, 1, 1, 1, 1, 1, 1, 1), 16))
  })
})

describe('whatever a page claims to hold, reading it ends', () => {
  /** A header of version 1 or 2, of 100 values. */
  const first = (encoding: Encoding, num_values = 100) => ({
    data_page_header: {
      num_values,
      encoding,
      definition_level_encoding: 'RLE' as const,
      repetition_level_encoding: 'RLE' as const,
    },
  })
  const second = (encoding: Encoding, levels: number, num_values = 100, num_nulls = 0) => ({
    data_page_header_v2: {
      num_values,
      num_nulls,
      num_rows: num_values,
      encoding,
      definition_levels_byte_length: levels,
      repetition_levels_byte_length: 0,
      is_compressed: false,
    },
  })

  async function rejects(t: TestContext, file: Uint8Array, message: RegExp, code = 'DATASET_BROKEN'): Promise<void> {
    const path = join(temporary(t), 'a.parquet')
    writeFileSync(path, file)
    const read = async () => (await loadDataset(path, { split: 'train' })).at(0)
    await assert.rejects(read(), { code, message })
  }

  /** As differences are written down: whole numbers that begin with one and differ by the same. */
  const steps = (count: number, start: number, step: number) => [
    ...[128, 1, 4, ...varint(count), ...varint(zigzag(start))],
    ...Array.from({ length: Math.ceil((count - 1) / 128) }, () => [...varint(zigzag(step)), 0, 0, 0, 0]).flat(),
  ]
  const zigzag = (value: number) => (value < 0 ? -2 * value - 1 : 2 * value)
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]

  test('differences in blocks of a negative size or number of parts', async (t) => {
    const minusOne = [255, 255, 255, 255, 15]
    const blocks = [
      [128, 1, ...minusOne],
      [0, ...minusOne],
      [...minusOne, 4],
      [128, 1, 0],
      [128, 1, 8],
    ]
    // 100 empty texts: no differences between lengths of 0.
    const zeroes = [128, 1, 4, 100, 0, 0, 0, 0, 0, 0]
    for (const block of blocks)
      for (const [type, encoding, before] of [
        ['INT32', 'DELTA_BINARY_PACKED', []],
        ['INT64', 'DELTA_BINARY_PACKED', []],
        ['BYTE_ARRAY', 'DELTA_LENGTH_BYTE_ARRAY', []],
        ['BYTE_ARRAY', 'DELTA_BYTE_ARRAY', []],
        ['BYTE_ARRAY', 'DELTA_BYTE_ARRAY', zeroes],
      ] as const) {
        const bytes = [...before, ...block, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        await rejects(t, onePage(type, 'REQUIRED', first(encoding), bytes), /differences of a page are damaged/)
        await rejects(t, onePage(type, 'REQUIRED', second(encoding, 0), bytes), /differences of a page are damaged/)
        // Behind levels: 100 times 1.
        const levels = [200, 1, 1]
        const optional = [3, 0, 0, 0, ...levels, ...bytes]
        await rejects(t, onePage(type, 'OPTIONAL', first(encoding), optional), /differences of a page are damaged/)
      }
  })

  test('levels that end before all values have one, with a claim of millions behind them', async (t) => {
    // A run of one level, then behind the levels one of 2^24.
    const run = [2, 1]
    const claim = [128, 128, 128, 16, 1]
    const file = onePage('INT32', 'OPTIONAL', first('PLAIN'), [2, 0, 0, 0, ...run, ...claim])
    await rejects(t, file, /levels of a page end too early/)
    await rejects(
      t,
      onePage('INT32', 'OPTIONAL', second('PLAIN', 2), [...run, ...claim]),
      /levels of a page end too early/,
    )
    // Of a negative length, so that values would be taken from the end.
    const fromEnd = onePage('BOOLEAN', 'REQUIRED', second('RLE', -9), [0, 0, 0, 0, 0, ...claim])
    await rejects(t, fromEnd, /values of a page are damaged/)
    // In eight bytes, where five are the most.
    const long = [130, 128, 128, 128, 128, 128, 128, 0, 1]
    await rejects(
      t,
      onePage('INT32', 'OPTIONAL', second('PLAIN', 9), [...long, ...claim]),
      /values of a page are damaged/,
    )
  })

  test('a page that holds other rows than its index says, is longer than its column, or has more nulls than values', async (t) => {
    // Of the labels' second page the place, the length and the first row: 4, which becomes 3.
    const indexed = readFileSync(join(TABLES, 'index.parquet'))
    const location = Buffer.from([0x16, 0x9a, 0x15, 0x15, 0x38, 0x16, 8])
    const at = indexed.indexOf(location)
    assert.ok(at > 0)
    const wrong = Uint8Array.from(indexed)
    wrong[at + location.length - 1] = 6
    await rejects(t, wrong, /a page holds 4 rows instead of 3/)
    const longer = { ...first('PLAIN'), compressed_page_size: 500 }
    const values = new Array<number>(400).fill(0)
    await rejects(t, onePage('INT32', 'REQUIRED', longer, values), /a page is longer than its column/)
    for (const nulls of [101, -1])
      await rejects(
        t,
        onePage('INT32', 'OPTIONAL', second('PLAIN', 0, 100, nulls), values),
        /nulls in a page of 100 values/,
      )
  })

  test('truth values and whole numbers in runs that claim more than there are', async (t) => {
    const claim = [128, 128, 128, 16, 1]
    const behind = [2, 0, 0, 0, 2, 1, ...claim]
    await rejects(t, onePage('BOOLEAN', 'REQUIRED', first('RLE'), behind), /a run of 16777216 values/)
    await rejects(t, onePage('BOOLEAN', 'REQUIRED', second('RLE', 0), behind), /a run of 16777216 values/)
    await rejects(t, onePage('INT32', 'REQUIRED', first('RLE'), [1, ...claim]), /a run of 16777216 values/)
  })

  test('texts that share more with those before them than those have', async (t) => {
    const none = steps(100, 0, 0)
    // Each shares 2^28 characters more.
    const hostile = [...steps(100, 0, 2 ** 28), ...none]
    for (const lengths of [hostile, [...steps(100, 1, 0), ...none], [...steps(100, 0, -1), ...none]]) {
      const file = onePage('BYTE_ARRAY', 'REQUIRED', first('DELTA_BYTE_ARRAY'), lengths)
      await rejects(t, file, /texts of a page begin as none before them/)
      await rejects(
        t,
        onePage('BYTE_ARRAY', 'REQUIRED', second('DELTA_BYTE_ARRAY', 0), lengths),
        /texts of a page begin as none before them/,
      )
    }
  })

  test('texts that grow, each by a character, to more than a gigabyte', async (t) => {
    const count = 50_000
    const bytes = [...steps(count, 0, 1), ...steps(count, 1, 0), ...new Array<number>(count).fill(97)]
    const file = onePage('BYTE_ARRAY', 'REQUIRED', first('DELTA_BYTE_ARRAY', count), bytes)
    await rejects(t, file, /pages larger than a gigabyte are not supported/, 'DATASET_UNSUPPORTED')
  })

  test('billions of nulls, or of one value, in a few bytes', async (t) => {
    const count = 2 ** 31 - 1
    const run = varint(2 * count)
    for (const file of [
      onePage('INT32', 'OPTIONAL', first('PLAIN', count), [6, 0, 0, 0, ...run, 0]),
      onePage('INT32', 'OPTIONAL', second('PLAIN', 6, count, count), [...run, 0]),
      onePage('INT32', 'REQUIRED', first('DELTA_BINARY_PACKED', count), steps(200, 0, 0)),
      onePage('BOOLEAN', 'REQUIRED', first('RLE', count), [6, 0, 0, 0, ...run, 1]),
    ])
      await rejects(t, file, /pages of 2147483647 values are not supported/, 'DATASET_UNSUPPORTED')
    // Empty lists.
    const many = 2 ** 24
    const levels = [5, 0, 0, 0, ...varint(2 * many), 0]
    const lists = onePage('INT32', 'REPEATED', first('PLAIN', many), [...levels, ...levels], 5)
    await rejects(t, lists, /lists of 83886080 values in a row group are not supported/, 'DATASET_UNSUPPORTED')
  })

  test('a footer that claims more rows than there are, also where a whole column is asked for', async (t) => {
    const path = join(temporary(t), 'a.parquet')
    for (const claimed of [2n ** 31n, 2n ** 40n]) {
      writeFileSync(path, onePage('INT32', 'REQUIRED', first('PLAIN', 2), [1, 0, 0, 0, 2, 0, 0, 0], 1, claimed))
      const dataset = await loadDataset<{ x: number }>(path, { split: 'train' })
      await assert.rejects(dataset.column('x'), { code: 'DATASET_BROKEN', message: /hold 2 rows instead of \d+/ })
    }
    // Also in a column that the file lacks, and whose rows are null then.
    const columnData = ['x', 'y'].map((name) => ({ name, data: [1], type: 'INT32' as const }))
    writeFileSync(join(dirname(path), '0.parquet'), new Uint8Array(parquetWriteBuffer({ columnData })))
    const { train } = await loadDataset<{ y: number }>(dirname(path))
    await assert.rejects(train.column('y'), { code: 'DATASET_BROKEN', message: /hold 2 rows instead of \d+/ })
    // Two lists of one number each.
    const lists = [...[2, 0, 0, 0, 2 * 2, 0], ...[2, 0, 0, 0, 2 * 2, 1], ...[1, 0, 0, 0, 2, 0, 0, 0]]
    const file = onePage('INT32', 'REPEATED', first('PLAIN', 2), lists, 1, 5n)
    await rejects(t, file, /a column holds 2 rows instead of 5/)
  })

  test('a schema of thousands of groups, each in the one before, or of long names that are in many paths', async (t) => {
    const text = (name: string) => [...varint(name.length), ...Buffer.from(name)]
    const group = (name: string, children: number) => [
      0x35,
      0,
      0x18,
      ...text(name),
      0x15,
      ...varint(zigzag(children)),
      0,
    ]
    const leaf = [0x15, 2, 0x25, 0, 0x18, ...text('x'), 0]
    const footer = (elements: number[][]) =>
      onlyFooter([0x15, 4, 0x19, 0xfc, ...varint(elements.length), ...elements.flat(), 0x16, 0, 0x19, 0x0c, 0])
    const nested = (levels: number, name: string, leaves = 1) =>
      footer([
        ...new Array<number[]>(levels).fill(group(name, 1)),
        group(name, leaves),
        ...new Array(leaves).fill(leaf),
      ])
    for (const levels of [300, 20_000])
      await rejects(t, nested(levels, 'group'), /columns in more than 256 groups/, 'DATASET_UNSUPPORTED')
    const long = nested(200, 'a'.repeat(1000), 2000)
    await rejects(t, long, /names of columns that are too long together/, 'DATASET_UNSUPPORTED')
    // As many as pyarrow reads.
    await rejects(t, nested(98, 'group'), /a row index/, 'DATASET_INDEX')
  })

  test('a footer that claims lists of millions in lists of millions, or a number that never ends', async (t) => {
    const list = [0xf9, 255, 255, 255, 14]
    const lists = [0x15, 4, 0x19, ...new Array<number[]>(30).fill(list).flat()]
    await rejects(t, onlyFooter(lists), /a header claims a list of 31457279/)
    await rejects(t, onlyFooter([0x15, 4, 0x26, ...new Array<number>(1e6).fill(255)]), /a number that never ends/)
    await rejects(t, onlyFooter(new Array<number>(1e6).fill(0x1c)), /nested too deep/)
    await rejects(t, onlyFooter([0x15, 4]), /a header ends too early/)
  })
})
