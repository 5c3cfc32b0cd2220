import assert from 'node:assert/strict'
import { once } from 'node:events'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, type TestContext, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inspect, isDeepStrictEqual } from 'node:util'
import { Worker } from 'node:worker_threads'
import { type BasicType, parquetWriteBuffer } from 'hyparquet-writer'
import { serialize } from '#src/core/travel.js'
import { Feature } from '#src/datasets/features.js'
import { loadDataset } from '#src/datasets/index.js'
import { readConfigurations } from '#src/datasets/repository/configurations.js'
import { chooseFiles } from '#src/datasets/repository/data-files.js'
import { fitting, splitsOf } from '#src/datasets/repository/splits.js'
import { canFollow } from '#src/datasets/sources/type-order.js'
import { setEnvironment } from '../hub/support.js'
import { type Files, HubStandIn } from '../stand-ins/hub.js'
import { noLinks } from '../windows.js'
import { FIXTURES, PICTURES, readJson, TABLES, temporary } from './support.js'

const table = join(TABLES, 'groups.parquet')
const picture = join(PICTURES, 'colour.png')

/** A folder with copies of a file at these places. */
function folderOf(t: TestContext, from: string, places: string[]): string {
  const folder = temporary(t)
  for (const place of places) {
    mkdirSync(join(folder, dirname(place)), { recursive: true })
    cpSync(from, join(folder, place))
  }
  return folder
}

describe('which files make up which split', () => {
  const cases: [string, string[], Record<string, string[]>][] = [
    [
      'pieces under data/, by any name',
      [
        'data/valid-00000-of-00001-70d.parquet',
        'data/train-00001-of-00002.parquet',
        'data/train-00000-of-00002.parquet',
        'x.parquet',
      ],
      {
        train: ['data/train-00000-of-00002.parquet', 'data/train-00001-of-00002.parquet'],
        valid: ['data/valid-00000-of-00001-70d.parquet'],
      },
    ],
    [
      'words in names',
      ['my-dev.parquet', 'my_train_1.parquet', 'other.parquet'],
      { train: ['my_train_1.parquet'], validation: ['my-dev.parquet'] },
    ],
    [
      'words in folders',
      ['c/test/0.parquet', 'c/training/0.parquet'],
      { train: ['c/training/0.parquet'], test: ['c/test/0.parquet'] },
    ],
    [
      'folders go before names, and a file in two belongs to two',
      ['train/test.parquet', 'test/train/0.parquet', 'my_test.parquet'],
      { train: ['test/train/0.parquet', 'train/test.parquet'], test: ['test/train/0.parquet'] },
    ],
    [
      'pieces elsewhere by words, as any file',
      ['texts/train-00000-of-00001.parquet', 'texts/unsupervised-00000-of-00001.parquet', 'texts/other.parquet'],
      { train: ['texts/train-00000-of-00001.parquet'] },
    ],
    [
      'pieces of no known name are of one split',
      ['part-00000-of-00002.parquet', 'part-00001-of-00002.parquet'],
      { train: ['part-00000-of-00002.parquet', 'part-00001-of-00002.parquet'] },
    ],
    [
      'pieces of no known name in folders',
      ['train/part-00000-of-00001.parquet', 'test/part-00000-of-00001.parquet'],
      { train: ['train/part-00000-of-00001.parquet'], test: ['test/part-00000-of-00001.parquet'] },
    ],
    ['no word at all', ['b.parquet', 'a.parquet'], { train: ['a.parquet', 'b.parquet'] }],
    [
      'a word inside another is none',
      ['trainer.parquet', 'latest.parquet'],
      { train: ['latest.parquet', 'trainer.parquet'] },
    ],
    ['nothing', [], {}],
  ]
  for (const [what, paths, expected] of cases)
    test(what, () => assert.deepEqual(Object.fromEntries(splitsOf(paths)), expected))

  test('splits with a known name come first', () => {
    const pieces = ['test', 'extra', 'train', 'another'].map((name) => `data/${name}-00000-of-00001.parquet`)
    assert.deepEqual([...splitsOf(pieces).keys()], ['train', 'test', 'another', 'extra'])
  })

  test('patterns', () => {
    const paths = ['a.parquet', 'data/a.parquet', 'data/x/b1.parquet', 'data/x/c[1].parquet', 'data/x/^.parquet']
    const chosen = (pattern: string) => paths.filter(fitting(pattern))
    assert.deepEqual(chosen('*.parquet'), ['a.parquet'])
    assert.deepEqual(chosen('**/*.parquet'), paths)
    assert.deepEqual(chosen('data/**'), paths.slice(1))
    assert.deepEqual(chosen('data/x/b?.parquet'), paths.slice(2, 3))
    assert.deepEqual(chosen('data/x/b1+parquet'), [])
    assert.deepEqual(chosen('data/x/[a-c][0-9].parquet'), paths.slice(2, 3))
    assert.deepEqual(chosen('data/x/[!b]*.parquet'), paths.slice(3))
    assert.deepEqual(chosen('data/x/c[[]1].parquet'), paths.slice(3, 4))
    assert.deepEqual(chosen('data/x/[^a].parquet'), paths.slice(4))
    assert.deepEqual(chosen('data/x/[z-a].parquet'), [])
    assert.deepEqual(chosen('data/x/c[1'), [])
    assert.deepEqual(chosen('**/x/**/*.p*q*et'), paths.slice(2))
    assert.deepEqual(chosen('**/x/**.parquet'), paths.slice(2))
    assert.deepEqual(chosen('**/*[1a]*.parquet'), paths.slice(0, 4))
    assert.deepEqual(chosen('d**a/**/?[!a]*[t]'), paths.slice(1, 5))
    // The first x is in a folder before that of the y, and the first yz not at the end.
    assert.ok(fitting('**x*y')('x/xy'))
    assert.ok(fitting('**/x*yz')('x/xyz/xyzyz'))
    assert.ok(fitting('**/**/*')('x'))
  })

  test('patterns of an untrusted README.md take no longer, however many places their parts fit', () => {
    const path = 'a/'.repeat(500)
    for (const pattern of ['**/', '**/a/', '**/*/', '**', '**a/', '*a*/', '?**', '[ab]'])
      for (const times of [50, Math.floor(4095 / pattern.length), 1e5])
        assert.equal(fitting(`${pattern.repeat(times)}b`)(`${path}c`), false, pattern)
    assert.equal(fitting(`${'*a'.repeat(100)}b`)('a'.repeat(1000)), false)
    assert.equal(fitting(`${'**/'.repeat(50)}c`)(`${path}c`), true)
    assert.equal(fitting(`${'*a'.repeat(100)}b`)(`${'a'.repeat(1000)}b`), true)
  })

  test('and need no stack that a thread may not have', async () => {
    const module = new URL('../../../dist/datasets/repository/splits.js', import.meta.url)
    const program = `import(${JSON.stringify(module.href)}).then(({ fitting }) =>
      require('node:worker_threads').parentPort.postMessage(['*a', '**/'].map((one) => fitting(one.repeat(1300))('b'))))`
    const thread = new Worker(program, { eval: true, resourceLimits: { stackSizeMb: 0.4 } })
    assert.deepEqual(await once(thread, 'message'), [[false, false]])
  })
})

describe('as Python loads a folder', () => {
  type Layout = { paths: string[]; card: string | null; name: string | null } & (
    | { splits: Record<string, string[]>; error?: undefined }
    | { error: keyof typeof CODES }
  )
  const CODES = {
    ambiguous: 'DATASET_AMBIGUOUS',
    name: 'DATASET_CONFIG_NOT_FOUND',
    card: 'DATASET_CARD_INVALID',
    empty: 'DATASET_NOT_FOUND',
    other: 'DATASET_NOT_FOUND',
    kinds: 'DATASET_UNSUPPORTED',
    metadata: 'DATASET_UNSUPPORTED',
  }

  test('what hundreds of layouts and README.md files give', async () => {
    const differing: unknown[] = []
    for (const layout of readJson<Layout[]>(FIXTURES, 'layouts.json')) {
      const { paths, card, name, error } = layout
      const wanted = { name: name ?? undefined, split: undefined, dataFiles: undefined }
      const got = await readConfigurations([card, null], 'here')
        .then((configurations) => [...chooseFiles(paths, wanted, 'here', configurations).splits])
        .catch((error) => error.code ?? error)
      const expected = error === undefined ? Object.entries(layout.splits) : CODES[error]
      if (!isDeepStrictEqual(got, expected)) differing.push({ ...layout, got })
    }
    assert.deepEqual(differing, [])
  })
})

describe('from the disk', () => {
  test('a Parquet file by path or URL is the split train', async () => {
    for (const place of [table, pathToFileURL(table), pathToFileURL(table).href]) {
      const dict = await loadDataset(place)
      assert.deepEqual([Object.keys(dict), dict.train.numRows], [['train'], 60])
    }
  })

  test('a folder of Parquet files: pieces follow each other', async (t) => {
    const folder = folderOf(t, table, [
      'data/train-00000-of-00002.parquet',
      'data/train-00001-of-00002.parquet',
      'data/valid-00000-of-00001.parquet',
    ])
    const dict = await loadDataset(folder)
    assert.deepEqual([dict.train.numRows, dict.valid.numRows], [120, 60])
    assert.deepEqual([(await dict.train.at(59)).image.data[0], (await dict.train.at(60)).image.data[0]], [59, 0])
    assert.equal((await dict.train.at(119)).image.data[0], 59)
    const labels = await dict.train.column('label')
    const some = [0, 59, 60, 119]
    for (const order of [some, [...some].reverse(), [60], [119, 0]])
      assert.deepEqual(
        await dict.train.select(order).column('label'),
        order.map((row) => labels[row]),
      )
    const valid = await loadDataset(folder, { split: 'valid' })
    assert.equal(valid.numRows, 60)
    await assert.rejects(loadDataset(folder, { split: 'test' }), {
      code: 'DATASET_SPLIT_NOT_FOUND',
      message: /Expected a split of .* \(train, valid\), got `test`$/,
    })
    await assert.rejects(loadDataset(folder, { split: 'train[:10]' }), { message: /\. Load a whole split, .*select/ })
  })

  test('files that are links, as in a snapshot of the cache, are files', { skip: noLinks }, async (t) => {
    const folder = temporary(t)
    symlinkSync(table, join(folder, 'train.parquet'))
    symlinkSync(table, join(folder, 'test.parquet'))
    assert.deepEqual((await loadDataset(folder)).numRows, { train: 60, test: 60 })
  })

  test('dataFiles chooses, by pattern and by split', async (t) => {
    const folder = folderOf(t, table, ['x/one.parquet', 'x/two.parquet', 'y/three.parquet'])
    for (const dataFiles of ['x/*.parquet', join('x', '*.parquet')])
      assert.equal((await loadDataset(folder, { dataFiles })).train.numRows, 120)
    const dict = await loadDataset(folder, { dataFiles: { mine: ['y/three.parquet'], all: '**/*.parquet' } })
    assert.deepEqual([dict.mine!.numRows, dict.all!.numRows], [60, 180])
    // As in Python one with wildcards may fit nothing where others do.
    assert.equal((await loadDataset(folder, { dataFiles: ['y/*', 'z*'] })).train.numRows, 60)
    for (const [dataFiles, told] of [
      ['z*', 'z\\*'],
      [['z*', 'q/[0-9]'], 'z\\*, q/\\[0-9\\]'],
      [['y/*', 'z.parquet'], 'z.parquet'],
      [{ train: 'y/*', test: ['z*'] }, 'z\\*'],
    ] as const)
      await assert.rejects(loadDataset(folder, { dataFiles }), {
        code: 'DATASET_NOT_FOUND',
        message: new RegExp(`Expected files that fit ${told} in .*, got none`),
      })
    writeFileSync(join(folder, 'x', 'data.csv'), 'a,b')
    for (const dataFiles of ['x/data.csv', { train: 'x/*.parquet', test: ['x/*.csv'] }])
      await assert.rejects(loadDataset(folder, { dataFiles }), {
        code: 'DATASET_NOT_FOUND',
        message: /Expected Parquet files or pictures that fit x\/.*csv in .*, got x\/data\.csv/,
      })
  })

  test('of the configurations that the README.md names, one is loaded', async (t) => {
    const folder = folderOf(t, table, ['main/train.parquet', 'main/test.parquet', 'other/a.parquet'])
    const card = (...configs: string[]) =>
      writeFileSync(join(folder, 'README.md'), `---\r\nconfigs:\r\n${configs.join('\r\n')}\r\n---\r\n# Texts`)
    const main = '- {config_name: main, data_dir: main}'
    const other = '- {config_name: other, data_files: [{split: extra, path: other/*.parquet}]}'
    card(main, other)
    const { extra } = await loadDataset(folder, { name: 'other' })
    assert.equal(extra!.numRows, 60)
    assert.deepEqual(Object.keys(await loadDataset(folder, { name: 'main' })), ['train', 'test'])
    assert.equal((await loadDataset(folder, { name: 'main', split: 'test' })).numRows, 60)
    await assert.rejects(loadDataset(folder), {
      code: 'DATASET_AMBIGUOUS',
      message: `Expected the name of a configuration of ${folder} (main, other), got none. Choose one with the option name, for example { name: 'main' }.`,
    })
    await assert.rejects(loadDataset(folder, { name: 'mian' }), {
      code: 'DATASET_CONFIG_NOT_FOUND',
      message: `Expected a configuration of ${folder} (main, other), got \`mian\``,
    })
    await assert.rejects(loadDataset(folder, { name: 3 } as object), { code: 'INVALID_ARGUMENT', message: /`name`/ })
    assert.equal((await loadDataset(folder, { dataFiles: '**/*.parquet' })).train.numRows, 180)
    card(main, other.replace('}]', '}], default: true'))
    assert.deepEqual(Object.keys(await loadDataset(folder)), ['extra'])
    writeFileSync(join(folder, '.huggingface.yaml'), `configs:\n${main}\n`)
    assert.deepEqual(Object.keys(await loadDataset(folder)), ['train', 'test'])
  })

  interface Told {
    card: string
    features: Record<string, string>
    row: object
  }

  test('where a file does not say which columns are classes and pictures, its README.md does, as in Python', async (t) => {
    const folder = folderOf(t, join(FIXTURES, 'card-features.parquet'), ['train.parquet'])
    const { card, features, row } = readJson<Told>(FIXTURES, 'card-features.json')
    writeFileSync(join(folder, 'README.md'), card)
    const { train } = await loadDataset<Record<string, unknown>>(folder)
    assert.deepEqual(
      Object.fromEntries(Object.entries(train.features).map(([name, feature]) => [name, inspect(feature)])),
      features,
    )
    const { image, raw, ...rest } = await train.at(1)
    assert.deepEqual(rest, row)
    for (const picture of [image, raw]) assert.equal(inspect(picture), '<Image mode=RGB size=2x2>')
    // What is told goes along to other threads.
    const { module, name, data } = train[serialize]()
    const made = ((await import(module)) as Record<string, (data: unknown) => Promise<typeof train>>)[name]!
    const there = await made(structuredClone(data))
    assert.equal(inspect(there.features.raw), 'Image(mode=None, decode=True)')

    writeFileSync(join(folder, 'README.md'), card.replace('- name: label', '- nome: label'))
    await assert.rejects(loadDataset(folder), {
      code: 'DATASET_CARD_INVALID',
      message: /^Expected dataset_info of .* for features a name for each, got nothing\./,
    })
    assert.equal((await loadDataset(folder, { dataFiles: '*.parquet' })).train.features.label.type, 'Value')
  })

  test('a README.md goes before what a file says of its classes, and leaves plain values to it, as in Python', async (t) => {
    const folder = folderOf(t, table, ['train.parquet', 'test.parquet'])
    const told = async (dtype: string) => {
      const card = `---\ndataset_info:\n  features:\n  - name: image\n    dtype: image\n  - name: label\n    dtype: ${dtype}\n---\n`
      writeFileSync(join(folder, 'README.md'), card)
      const dict = await loadDataset(folder)
      return Object.values(dict).map(({ features }) => inspect(features.label))
    }
    assert.deepEqual(
      await told('{class_label: {names: [one, two]}}'),
      Array(2).fill("ClassLabel(names=['one', 'two'])"),
    )
    assert.deepEqual(await told('int64'), Array(2).fill("Value('int64')"))
  })

  test('lists of plain values are what the file says of them, whatever a README.md calls them', async (t) => {
    const folder = folderOf(t, join(TABLES, 'types.parquet'), ['train.parquet'])
    const card =
      '---\ndataset_info:\n  features:\n  - {name: list, sequence: int32}\n  - {name: deep, list: {list: string}}\n---\n'
    writeFileSync(join(folder, 'README.md'), card)
    const { list, deep } = (await loadDataset(folder)).train.features
    assert.deepEqual([inspect(list), inspect(deep)], ["List(Value('int32'))", "List(List(Value('string')))"])
  })

  test('what a README.md tells of the columns of one configuration goes for no other', async (t) => {
    const folder = folderOf(t, join(TABLES, 'no-note.parquet'), ['a/train.parquet'])
    const typeOf = async (configuration: string, name?: string) => {
      const classes = '[{name: label, dtype: {class_label: {names: [ant, bee, cat, dog, elk]}}}]'
      const configs = name ? `configs: [{config_name: ${name}, data_dir: a}]\n` : ''
      const info = `dataset_info:\n- {config_name: ${configuration}, features: ${classes}}\n`
      writeFileSync(join(folder, 'README.md'), `---\n${configs}${info}---\n`)
      return (await loadDataset(folder)).train.features.label.type
    }
    assert.equal(await typeOf('mine', 'mine'), 'ClassLabel')
    assert.equal(await typeOf('other', 'mine'), 'Value')
    // The only one, where none was named.
    assert.equal(await typeOf('other'), 'ClassLabel')
  })

  test('classes that lie by their names in a file are numbers where its README.md tells them, as in Python', async (t) => {
    const folder = temporary(t)
    const label = { name: 'label', data: ['dog', ' cat', null, 'newt'], type: 'STRING' as const }
    writeFileSync(join(folder, 'train.parquet'), new Uint8Array(parquetWriteBuffer({ columnData: [label] })))
    const card =
      '---\ndataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label: {names: [cat, dog]}\n---\n'
    writeFileSync(join(folder, 'README.md'), card)
    const { train } = await loadDataset<{ label: number | null }>(folder)
    assert.deepEqual(await train.take(3).column('label'), [1, 0, null])
    await assert.rejects(train.at(3), { code: 'INVALID_ARGUMENT', message: /one of the 2 class names, got `newt`/ })
    // None is no class, of which each part could have its share.
    await assert.rejects(train.select([0, 0, 1, 1, 2, 2]).trainTestSplit({ testSize: 3, stratifyByColumn: 'label' }), {
      code: 'INVALID_ARGUMENT',
      message: /`label` to be a class in every row, got `null`/,
    })
  })

  test('JSON, and sounds that lie as pictures do, are what the README.md tells', async (t) => {
    const card = (name: string, dtype: string) =>
      `---\ndataset_info:\n  features:\n  - {name: ${name}, dtype: ${dtype}}\n---\n`
    const folder = temporary(t)
    const columnData = [{ name: 'json', data: ['[1, "a"]'], type: 'STRING' as const }]
    writeFileSync(join(folder, 'train.parquet'), new Uint8Array(parquetWriteBuffer({ columnData })))
    writeFileSync(join(folder, 'README.md'), card('json', 'json'))
    assert.deepEqual(await (await loadDataset<{ json: unknown }>(folder)).train.at(0), { json: [1, 'a'] })
    cpSync(join(TABLES, 'no-note.parquet'), join(folder, 'train.parquet'))
    writeFileSync(join(folder, 'README.md'), card('image', 'audio'))
    const { train } = await loadDataset<{ image: { bytes: unknown } }>(folder)
    assert.equal(inspect(train.features.image), 'Audio')
    assert.ok((await train.at(0)).image.bytes instanceof Uint8Array)
  })

  test('letters in a README.md are names, as for PyYAML', async (t) => {
    const folder = folderOf(t, table, ['n/train.parquet', 'y/train.parquet'])
    writeFileSync(
      join(folder, 'README.md'),
      '---\nconfigs:\n- {config_name: n, data_dir: n}\n- {config_name: y, data_dir: y}\n---\n',
    )
    assert.equal((await loadDataset(folder, { name: 'n' })).train.numRows, 60)
    await assert.rejects(loadDataset(folder), { code: 'DATASET_AMBIGUOUS', message: /\(n, y\)/ })
  })

  test('numbers, days and truths in a README.md are those of PyYAML, all else are names', async (t) => {
    const folder = folderOf(t, join(TABLES, 'no-note.parquet'), ['train.parquet'])
    const names = ['08', '019', '1e3', 'E2', 'e5', '.', '-.', '+.5', '.5e1', '2020-1-1', '08:30', 'y', 'N']
    const classes = (names: readonly string[]) =>
      `dataset_info:\n  features:\n  - name: label\n    dtype:\n      class_label:\n        names: [${names.join(', ')}]\n`
    writeFileSync(join(folder, 'README.md'), `---\n${classes(names)}---\n`)
    const { label } = (await loadDataset(folder)).train.features
    assert.deepEqual(label.names, names)
    assert.equal(label.str2int('08'), 0)
    const others = ['010', '0x1F', '0b11', '1_000', '1.5e+5', '1:30', '.5', 'No', 'ON', '2020-01-01', '~']
    writeFileSync(join(folder, 'README.md'), `---\n${classes(others)}---\n`)
    const { names: given } = (await loadDataset(folder)).train.features.label
    assert.deepEqual(given, [8, 31, 3, 1000, 150_000, 90, 0.5, false, true, new Date('2020-01-01'), null])
    const configs = 'configs:\n- {config_name: e5, data_dir: .}\n- {config_name: 2020-1-1, data_files: "*.parquet"}\n'
    writeFileSync(join(folder, 'README.md'), `---\n${configs}---\n`)
    for (const name of ['e5', '2020-1-1']) assert.ok((await loadDataset(folder, { name })).train.numRows > 0)
  })

  test('of a README.md that gives a plain column another type than its files have is told, once', async (t) => {
    const folder = temporary(t)
    const columnData = [
      { name: 'id', data: [10n, 9n], type: 'INT64' as const },
      { name: 'x', data: [0.1, 0.2], type: 'DOUBLE' as const },
      { name: 'n', data: [1, 2], type: 'INT32' as const },
    ]
    writeFileSync(join(folder, 'train.parquet'), new Uint8Array(parquetWriteBuffer({ columnData })))
    cpSync(join(folder, 'train.parquet'), join(folder, 'test.parquet'))
    const card = (id: string, x: string) =>
      `---\ndataset_info:\n  features:\n  - {name: id, dtype: ${id}}\n  - {name: x, dtype: ${x}}\n  - {name: n, dtype: int64}\n---\n`
    const warnings: string[] = []
    const warned = ({ message }: Error) => warnings.push(message)
    process.on('warning', warned)
    t.after(() => process.off('warning', warned))
    writeFileSync(join(folder, 'README.md'), card('int32', 'double'))
    await loadDataset(folder)
    writeFileSync(join(folder, 'README.md'), card('string', 'float32'))
    for (const _ of [1, 2]) {
      const { train } = await loadDataset<{ id: unknown }>(folder)
      assert.deepEqual(await train.column('id'), [10, 9])
    }
    assert.deepEqual(warnings, [
      `the card of ${folder} has id as string (int64 in the files), x as float32 (float64 in the files): values are given as they lie in the files`,
    ])
  })

  test('a README.md that names configurations as nobody does is told in a sentence', async (t) => {
    const folder = folderOf(t, table, ['a.parquet'])
    for (const [configs, told] of [
      ['3', 'for configs a list, got 3'],
      ['[main]', 'for a config names and values, got "main"'],
      ['[{data_files: a.parquet}]', 'for config_name a name, got nothing'],
      ['[{config_name: a, data_files: {train: x}}]', 'for data_files a list, got {"train":"x"}'],
      ['[{config_name: a, data_files: [{path: x}]}]', 'for data_files each split once, got nothing'],
      ['[{config_name: a, data_dir: 3}]', 'for data_dir a folder, got 3'],
      ['[{config_name: a, default: true}, {config_name: default}]', 'for default one config, got ["a","default"]'],
      ['[{', 'Flow '],
    ] as const) {
      writeFileSync(join(folder, 'README.md'), `---\nconfigs: ${configs}\n---\n`)
      await assert.rejects(loadDataset(folder), (error: Error & { code: string }) => {
        assert.equal(error.code, 'DATASET_CARD_INVALID')
        const start = `Expected configs of ${folder} as Python's datasets has them, ${told}`
        assert.ok(error.message.startsWith(start), error.message)
        assert.match(error.message, /[^:]\. Choose the files with dataFiles\.$/)
        return true
      })
      assert.equal((await loadDataset(folder, { dataFiles: 'a.parquet' })).train.numRows, 60)
    }
  })

  test('files whose columns differ do not go together', async (t) => {
    const folder = folderOf(t, table, ['a.parquet'])
    cpSync(join(TABLES, 'types.parquet'), join(folder, 'b.parquet'))
    await assert.rejects(loadDataset(folder), {
      code: 'DATASET_BROKEN',
      message: /b\.parquet to have the columns image, label, got text/,
    })
    // Nor do those of which the second has all that the first has, and more.
    for (const [name, names] of Object.entries({ a: ['x'], b: ['x', 'y'] })) {
      const columnData = names.map((name) => ({ name, data: ['one'], type: 'STRING' as const }))
      writeFileSync(join(folder, `${name}.parquet`), new Uint8Array(parquetWriteBuffer({ columnData })))
    }
    await assert.rejects(loadDataset(folder), {
      code: 'DATASET_BROKEN',
      message: /b\.parquet to have the columns x, got x, y/,
    })
    // Nor one that has a column twice.
    const columnData = ['two', 'three'].map((data) => ({ name: 'x', data: [data], type: 'STRING' as const }))
    writeFileSync(join(folder, 'b.parquet'), new Uint8Array(parquetWriteBuffer({ columnData })))
    await assert.rejects(loadDataset(folder), {
      code: 'DATASET_BROKEN',
      message: /b\.parquet to have the columns x, got x, x/,
    })
  })

  test('a column that a later file lacks is null in its rows, as in Python', async (t) => {
    const folder = temporary(t)
    for (const [file, names] of Object.entries({ a: ['x', 'y'], b: ['y'], c: ['y', 'x'] })) {
      const columnData = names.map((name) => ({
        name,
        data: [1, 2].map((i) => file + name + i),
        type: 'STRING' as const,
      }))
      writeFileSync(join(folder, `${file}.parquet`), new Uint8Array(parquetWriteBuffer({ columnData })))
    }
    const { train } = await loadDataset<{ x: string | null; y: string }>(folder)
    assert.deepEqual(train.columnNames, ['x', 'y'])
    assert.deepEqual(await train.column('x'), ['ax1', 'ax2', null, null, 'cx1', 'cx2'])
    assert.deepEqual(await train.select([5, 2, 1]).column('x'), ['cx2', null, 'ax2'])
    assert.deepEqual(await train.at(3), { x: null, y: 'by2' })
    assert.deepEqual(await train.selectColumns('x').at(3), { x: null })
  })

  test('files with the same columns in another order go together, in the order of the first', async (t) => {
    const folder = temporary(t)
    for (const [file, names] of Object.entries({ a: ['x', 'y', '7'], b: ['7', 'y', 'x'] })) {
      const columnData = names.map((name) => ({ name, data: [`${file} ${name}`], type: 'STRING' as const }))
      writeFileSync(join(folder, `${file}.parquet`), new Uint8Array(parquetWriteBuffer({ columnData })))
    }
    const { train } = await loadDataset<Record<string, string>>(folder)
    assert.deepEqual(await train.at(0), { x: 'a x', y: 'a y', 7: 'a 7' })
    assert.equal(JSON.stringify(await train.at(1)), '{"7":"b 7","x":"b x","y":"b y"}')
    assert.deepEqual(await train.column('y'), ['a y', 'b y'])
  })

  test('files whose columns have types of which values are given otherwise do not go together', async (t) => {
    const folder = temporary(t)
    const write = (name: string, type: BasicType, value: unknown) => {
      const columnData = [{ name: 'x', data: [value], type }]
      writeFileSync(join(folder, `${name}.parquet`), new Uint8Array(parquetWriteBuffer({ columnData })))
    }
    const together: [BasicType, unknown][] = [
      ['DOUBLE', 0.5],
      ['FLOAT', 0.25],
      ['INT32', 2],
    ]
    for (const [i, [type, value]] of together.entries()) write(`a${i}`, type, value)
    const { train } = await loadDataset<{ x: unknown }>(folder)
    assert.deepEqual(await train.column('x'), [0.5, 0.25, 2])
    for (const [type, value, got] of [
      ['STRING', 'two', 'string'],
      ['BOOLEAN', true, 'bool'],
      ['TIMESTAMP', new Date(0), 'timestamp\\[ms'],
    ] as const) {
      write('b', type, value)
      await assert.rejects(loadDataset(folder), {
        code: 'DATASET_BROKEN',
        message: new RegExp(
          `b\\.parquet to hold Value\\('float64'\\) in the column x, as .*a0\\.parquet does, got .*'${got}`,
        ),
      })
    }
  })

  test('a type can follow another where no value is given otherwise', () => {
    const value = (dtype: string) => new Feature('Value', dtype)
    const list = (of: Feature, length: number | null = null) => new Feature('List', null, [], of, null, length)
    const record = (fields: Record<string, Feature>) => new Feature('Struct', null, [], null, fields)
    const [a, b] = [value('int32'), value('string')]
    for (const [first, next, both] of [
      [value('uint8'), value('int64'), true],
      [b, value('large_string'), true],
      [value('timestamp[us]'), value('date32'), true],
      [value('date32'), value('timestamp[us]'), false],
      [value('binary'), value('fixed_size_binary[4]'), true],
      [value('timestamp[us]'), value('timestamp[ms, tz=UTC]'), true],
      [value('decimal128(5, 2)'), value('decimal256(60, 2)'), true],
      [list(a), list(value('int64'), 2), true],
      [record({ a, b }), record({ b, a }), true],
      [list(record({ a })), value('null'), true],
      [value('float32'), value('float64'), false],
      [value('int64'), value('float64'), false],
      [value('int64'), value('bool'), false],
      [b, value('binary'), false],
      [value('time64[us]'), value('time64[ns]'), false],
      [value('duration[s]'), value('duration[ms]'), false],
      [value('decimal128(5, 1)'), value('decimal128(5, 2)'), false],
      [value('null'), b, false],
      [list(a, 2), list(a), false],
      [list(a), list(b), false],
      [list(a), record({ a }), false],
      [record({ a, b }), record({ a }), false],
      [record({ a }), record({ a, b }), false],
      [record({ a }), a, false],
    ] as const)
      assert.equal(canFollow(first, next), both, inspect([first, next]))
  })

  test('pictures in class folders: sorted class names, and splits where there are folders for them', async (t) => {
    const folder = folderOf(t, picture, [
      'owl/2.png',
      'owl/10.png',
      'newt/1.png',
      '.hidden/x.png',
      'owl/notes.txt',
      'fox/3.jpeg',
    ])
    const { train } = await loadDataset(folder)
    assert.deepEqual(train.features.label.names, ['fox', 'newt', 'owl'])
    for (const order of [null, null, [3, 0]]) {
      const labels = await (order ? train.select(order) : train).column('label')
      assert.deepEqual(labels, order ? [2, 0] : [0, 1, 2, 2])
      labels.fill(9) // what is given may be written to
    }
    assert.equal((await train.at(3)).image.width, 34)
    await assert.rejects((await loadDataset(folder, { maxPixels: 883 })).train.at(3), {
      code: 'IMAGE_TOO_LARGE',
      message: /^Row 3 \(.*owl.2\.png\): Expected a picture of at most 883 pixels, got 34×26/,
    })
    assert.equal(inspect(train), String(train))
    assert.equal(inspect(train), "Dataset({\n    features: ['image', 'label'],\n    num_rows: 4\n})")
    const split = folderOf(t, picture, ['train/owl/1.png', 'train/newt/1.png', 'valid/owl/2.png'])
    const dict = await loadDataset(split)
    assert.deepEqual(Object.keys(dict), ['train', 'validation'])
    assert.deepEqual([await dict.train.column('label'), await dict.validation.column('label')], [[0, 1], [1]])
    const alone = await loadDataset(split, { split: 'validation' })
    assert.deepEqual([alone.features.label?.names, await alone.column('label')], [['newt', 'owl'], [1]])
  })

  test('pictures in one folder, or at different depths, have no label', async (t) => {
    for (const places of [
      ['1.png', '2.png'],
      ['a/1.png', 'b/c/2.png'],
    ]) {
      const { train } = await loadDataset(folderOf(t, picture, places))
      assert.deepEqual([train.columnNames, train.numRows], [['image'], 2])
    }
  })

  test("whether pictures have labels is what the README.md says (drop_labels), as in Python's imagefolder", async (t) => {
    const labelsOf = async (places: string[], drop: string) => {
      const folder = folderOf(t, picture, places)
      writeFileSync(join(folder, 'README.md'), `---\nconfigs:\n- config_name: default\n  drop_labels: ${drop}\n---\n`)
      const { train } = await loadDataset(folder)
      return train.columnNames.includes('label') ? [train.features.label.names, await train.column('label')] : null
    }
    const both = ['cat/1.png', 'dog/2.png']
    assert.deepEqual(await labelsOf(both, 'true'), null)
    assert.deepEqual(await labelsOf(both, 'null'), [
      ['cat', 'dog'],
      [0, 1],
    ])
    assert.deepEqual(await labelsOf(['cat/1.png'], 'false'), [['cat'], [0]])
    assert.deepEqual(await labelsOf(['cat/1.png', 'x/dog/2.png'], 'false'), [
      ['cat', 'dog'],
      [0, 1],
    ])
  })

  test('of pictures and Parquet files in one folder the more frequent extension counts, as in Python', async (t) => {
    const rowsOf = async (places: string[], options: object = {}) => {
      const folder = folderOf(t, picture, places)
      for (const place of places.filter((name) => name.endsWith('.parquet'))) copyFileSync(table, join(folder, place))
      return (await loadDataset(folder, options)).numRows
    }
    const pictures = ['cat/1.png', 'dog/2.png']
    assert.deepEqual(await rowsOf([...pictures, 'x.parquet']), { train: 2 })
    assert.deepEqual(await rowsOf([...pictures, 'x.parquet'], { dataFiles: '**' }), { train: 2 })
    assert.deepEqual(await rowsOf(['train/cat/1.png', 'labels.parquet']), { train: 1 })
    // As many of each, and more pictures of which no extension is as frequent.
    assert.deepEqual(await rowsOf(['cat/1.png', 'x.parquet']), { train: 60 })
    assert.deepEqual(await rowsOf(['cat/1.png', 'dog/2.jpg', 'x.parquet']), { train: 60 })
    // What has no part in the splits does not count.
    assert.deepEqual(await rowsOf([...pictures, 'train.parquet']), { train: 60 })
    await assert.rejects(rowsOf(['train/1.png', 'test/x.parquet']), {
      code: 'DATASET_UNSUPPORTED',
      message: /files of one kind in all splits of .*, got pictures in train and Parquet files in test\. Load each/,
    })
  })

  test('a picture or Parquet file beside data of another kind is not taken for the data, as in Python', async (t) => {
    for (const [places, got] of [
      [
        ['train.csv', 'plot.png'],
        'train\\.csv\\. Make Parquet of them .*\\. Choose the Parquet files or pictures beside',
      ],
      [['a.jsonl', 'b.jsonl.gz', 'x.parquet'], 'a\\.jsonl, b\\.jsonl\\.gz\\. Make'],
      [['1.wav', '2.WAV', 'cover.jpg'], '1\\.wav, 2\\.WAV\\. Choose'],
      [['train.zip', 'test.zip', 'x.png', 'y.png'], 'test\\.zip, train\\.zip\\. Choose'],
      [['a.txt', 'x.png'], 'a\\.txt\\. Choose'],
    ] as const) {
      const folder = folderOf(t, picture, [...places])
      await assert.rejects(loadDataset(folder), { code: 'DATASET_NOT_FOUND', message: new RegExp(`, got ${got}`) })
    }
    const { train } = await loadDataset(folderOf(t, picture, ['train.csv', 'plot.png']), { dataFiles: '*.png' })
    assert.equal(train.numRows, 1)
    // Not even where another split has what can be read.
    await assert.rejects(loadDataset(folderOf(t, table, ['train.parquet', 'test.csv'])), {
      code: 'DATASET_UNSUPPORTED',
      message: /got Parquet files in train and other files in test\. Load each/,
    })
    // What tells of a data set is none of its files.
    const told = ['dataset_infos.json', 'dataset_info.json', 'README.md', 'make.py', 'x.parquet']
    assert.equal((await loadDataset(folderOf(t, table, told))).train.numRows, 60)
  })

  test('pictures of kinds that cannot be decoded have their rows, which say so', async (t) => {
    const folder = folderOf(t, picture, ['a.jfif', 'b.jpe', 'c.apng', 'd.tiff'])
    writeFileSync(join(folder, 'b.bmp'), 'BM, and so on')
    const { train } = await loadDataset(folder)
    assert.deepEqual([train.numRows, (await train.at(2)).image.width], [5, 34])
    await assert.rejects(train.at(1), { code: 'IMAGE_INVALID', message: /^Row 1 \(.*b\.bmp\): .*Give PNG, JPEG/ })
  })

  test('pictures of which a file of metadata tells are refused, unless they are chosen without it', async (t) => {
    for (const name of ['metadata.csv', 'metadata.jsonl', 'metadata.parquet']) {
      const folder = folderOf(t, picture, ['train/a.png', 'train/b.png'])
      writeFileSync(join(folder, 'train', name), 'file_name,text\na.png,x\n')
      const refused = { code: 'DATASET_UNSUPPORTED', message: new RegExp(`train/${name} with columns.*dataFiles: '`) }
      await assert.rejects(loadDataset(folder), refused)
      await assert.rejects(loadDataset(folder, { dataFiles: 'train/*' }), refused)
      assert.equal((await loadDataset(folder, { dataFiles: '**/*.png' })).train.numRows, 2)
      // One that no split has is not looked at, as in Python.
      renameSync(join(folder, 'train', name), join(folder, name))
      assert.equal((await loadDataset(folder)).train.numRows, 2)
    }
  })

  test('a damaged picture fails in its row only', async (t) => {
    const folder = folderOf(t, picture, ['a/1.png', 'b/2.png'])
    writeFileSync(join(folder, 'b', '2.png'), readFileSync(picture).subarray(0, 500))
    const { train } = await loadDataset(folder)
    assert.equal((await train.at(0)).image.width, 34)
    const file = join(folder, 'b', '2.png')
    const told = { code: 'IMAGE_TRUNCATED', message: /^Row 1 \(.*2\.png\): Expected a whole picture/, row: 1, file }
    await assert.rejects(train.at(1), told)
    await assert.rejects(train.column('image'), told)
    await assert.rejects(train.select([1]).at(0), { ...told, message: /^Row 0 \(.*2\.png\)/, row: 0 })
  })

  test('an option that there is not is refused', async (t) => {
    const folder = folderOf(t, picture, ['a/1.png'])
    await assert.rejects(loadDataset(folder, { data_files: '*.png' } as object), {
      code: 'INVALID_ARGUMENT',
      message: /no option `data_files` here\. Known are name, split, dataFiles/,
    })
  })

  test('a folder of other tables, as save_to_disk makes it, is told of them and of what makes Parquet of them', async (t) => {
    const folder = folderOf(t, picture, ['state.json', 'dataset_info.json', 'data-00000-of-00001.arrow'])
    const told = {
      code: 'DATASET_NOT_FOUND',
      message: /got data-00000-of-00001\.arrow, dataset_info\.json, state\.json\. Make Parquet of them .* to_parquet/,
    }
    await assert.rejects(loadDataset(folder), told)
    await assert.rejects(loadDataset(folder, { dataFiles: '*' }), told)
    const file = join(folder, 'data-00000-of-00001.arrow')
    await assert.rejects(loadDataset(file), { ...told, message: /got data-00000-of-00001\.arrow\. Make Parquet/ })
    const texts = folderOf(t, picture, ['notes.txt'])
    await assert.rejects(loadDataset(texts), { ...told, message: /got notes\.txt\. Name a Hub data set/ })
  })

  test('nothing there, nothing in it, or nonsense is a clear error', async (t) => {
    const empty = temporary(t)
    await assert.rejects(loadDataset(empty), {
      code: 'DATASET_NOT_FOUND',
      message: /Expected Parquet files or pictures in .*, got none/,
    })
    const urls = [pathToFileURL(join(empty, 'gone')), new URL('https://localhost/a.parquet')]
    for (const name of [
      './nowhere',
      '/no/such/folder',
      'missing.parquet',
      'a/b/c',
      'a b',
      'a--b/c',
      'a..b/c',
      ...urls,
      '/dev/null',
      'parquet',
    ])
      await assert.rejects(loadDataset(name), {
        code: 'DATASET_NOT_FOUND',
        message: /where there is no file or folder/,
      })
    await assert.rejects(loadDataset('imagefolder'), {
      message: /\. Give the path of the files: loadDataset\(path\)\.$/,
    })
    await assert.rejects(loadDataset(''), { code: 'INVALID_ARGUMENT' })
    await assert.rejects(loadDataset(3 as never), { code: 'INVALID_ARGUMENT' })
    for (const value of [-1, true, '10', 10n, null, Number.NaN] as never[]) {
      await assert.rejects(loadDataset(table, { cacheBytes: value }), { message: /^Expected `cacheBytes`/ })
      await assert.rejects(loadDataset(table, { maxPixels: value }), { message: /^Expected `maxPixels`/ })
    }
    for (const revision of ['', null, 5] as never[])
      await assert.rejects(loadDataset(table, { revision }), { code: 'INVALID_ARGUMENT', message: /`revision`/ })
    await assert.rejects(loadDataset(table, { dataFiles: [] }), { message: /each split, got `\[\]` \(object\)$/ })
    for (const dataFiles of [
      3,
      null,
      '',
      [],
      [''],
      {},
      { train: [] },
      [3],
      [['a']],
      { train: 3 },
      { train: [null] },
    ] as never[])
      await assert.rejects(loadDataset(table, { dataFiles }), { code: 'INVALID_ARGUMENT', message: /`dataFiles`/ })
  })
})

describe('from the Hub', () => {
  const bytes = readFileSync(table)
  const FILES: Files = {
    'README.md': 'hello',
    'data/train-00000-of-00001.parquet': bytes,
    'data/valid-00000-of-00001.parquet': bytes,
  }

  async function hubWith(t: TestContext, repositories: Record<string, Files>) {
    const hub = await HubStandIn.start(repositories)
    t.after(() => hub.close())
    const options = {
      endpoint: hub.endpoint,
      cacheDir: join(temporary(t), 'hub'),
      progress: false,
      retryDelay: 1,
      token: '',
    }
    return { hub, options }
  }

  test('rows are there, and the second time nothing is asked for', async (t) => {
    const { hub, options } = await hubWith(t, { 'datasets/owner/pictures': FILES })
    const dict = await loadDataset('owner/pictures', options)
    assert.deepEqual(Object.keys(dict), ['train', 'valid'])
    assert.equal((await dict.valid.at(44)).image.data[0], 44)
    await hub.close()
    assert.equal((await loadDataset('owner/pictures', options)).train.numRows, 60)
  })

  for (const [what, variable, skip] of [
    ['links', '0', noLinks],
    ['no links', '1', false],
  ] as const)
    test(`a damaged file of a cache with ${what} says what to delete, and is fetched again then`, {
      skip,
    }, async (t) => {
      setEnvironment(t, { HF_HUB_DISABLE_SYMLINKS: variable })
      const { options } = await hubWith(t, { 'datasets/owner/pictures': FILES })
      await loadDataset('owner/pictures', { ...options, split: 'train' })
      const blobs = join(options.cacheDir, 'datasets--owner--pictures', 'blobs')
      for (const blob of readdirSync(blobs)) writeFileSync(join(blobs, blob), Buffer.alloc(bytes.length))
      const error: Error = await loadDataset('owner/pictures', { ...options, split: 'train' }).catch((error) => error)
      const [, path] = /^Expected (.*train-.*\.parquet) to be a whole Parquet file: /.exec(error.message)!
      const [, it, blob] = /Delete (it and )?(.*), which (?:it is a link to|is the same file), and/.exec(error.message)!
      for (const name of it ? [path!, blob!] : [blob!]) rmSync(name)
      assert.equal((await loadDataset('owner/pictures', { ...options, split: 'train' })).numRows, 60)
    })

  test('the option split downloads nothing else', async (t) => {
    const { hub, options } = await hubWith(t, { 'datasets/owner/pictures': FILES })
    assert.equal((await loadDataset('owner/pictures', { ...options, split: 'valid' })).numRows, 60)
    assert.deepEqual(hub.requests.filter(({ url }) => url.includes('train-')).length, 0)
  })

  test("the Hub's own conversion is taken where a repository has no data that can be read", async (t) => {
    const { hub, options } = await hubWith(t, { 'datasets/owner/texts': { 'a.csv': 'x' } })
    await assert.rejects(loadDataset('owner/texts', options), { code: 'DATASET_NOT_FOUND' })
    assert.ok(hub.requests.some(({ url }) => decodeURIComponent(url).includes('refs/convert/parquet')))
    const pictures = { 'a.png': readFileSync(picture), 'metadata.csv': 'file_name,text\na.png,x\n' }
    hub.commit('datasets/owner/told', pictures)
    await assert.rejects(loadDataset('owner/told', options), { code: 'DATASET_UNSUPPORTED' })
    hub.commit('datasets/owner/told', { 'default/train/0000.parquet': bytes }, 'refs/convert/parquet')
    assert.equal((await loadDataset('owner/told', options)).train.numRows, 60)
    // One that cannot be asked for is not taken for one that is not there.
    const failing: typeof fetch = (input, init) =>
      decodeURIComponent(String(input)).includes('refs/convert/parquet')
        ? Promise.resolve(new Response(null, { status: 503 }))
        : fetch(input, init)
    await assert.rejects(loadDataset('owner/texts', { ...options, refresh: true, retries: 0, fetch: failing }), {
      code: 'HUB_UNREACHABLE',
    })
    // Whoever names a revision, or files, means the repository's own.
    await assert.rejects(loadDataset('owner/told', { ...options, revision: 'main' }), { code: 'DATASET_UNSUPPORTED' })
    await assert.rejects(loadDataset('owner/told', { ...options, dataFiles: '*.csv' }), {
      code: 'DATASET_NOT_FOUND',
      message: /that fit \*\.csv in owner\/told, got metadata\.csv/,
    })
  })

  test('and where data that can be read lies beside, which is not what the data set is of', async (t) => {
    const { hub, options } = await hubWith(t, {})
    const logo = { 'assets/logo.png': readFileSync(picture) }
    const texts = { 'train.csv': 'x', 'test.csv': 'y', ...logo }
    const converted = { 'default/train/0000.parquet': bytes, 'default/test/0000.parquet': bytes }
    const card = '---\nconfigs:\n- config_name: default\n  data_files: [{split: train, path: "*.csv"}]\n---\n'
    const repositories: Files[] = [
      texts,
      { ...texts, 'README.md': card },
      { 'train.json': '[]', 'test.json': '[]', 'vocabulary.parquet': bytes },
      { 'train/1.mp3': 'x', 'test/1.mp3': 'y', ...logo },
    ]
    for (const [i, files] of repositories.entries()) {
      const name = `owner/texts-${i}`
      hub.commit(`datasets/${name}`, files)
      await assert.rejects(loadDataset(name, options), { code: 'DATASET_NOT_FOUND', message: /, got test/ })
      hub.commit(`datasets/${name}`, converted, 'refs/convert/parquet')
      assert.deepEqual((await loadDataset(name, options)).numRows, { train: 60, test: 60 })
    }
    // A configuration's own files count, whatever else is there.
    const own = '---\nconfigs:\n- config_name: default\n  data_files: "*.parquet"\n---\n'
    hub.commit('datasets/owner/own', { 'a.parquet': bytes, 'b.csv': 'x', 'c.csv': 'x', 'README.md': own })
    assert.deepEqual((await loadDataset('owner/own', options)).numRows, { train: 60 })
  })

  test('of a large data set it has the first rows only, of which is told, once', async (t) => {
    const { hub, options } = await hubWith(t, { 'datasets/owner/large': { 'train.csv': 'x', 'test.csv': 'y' } })
    const converted = { 'default/partial-train/0000.parquet': bytes, 'default/test/0000.parquet': bytes }
    hub.commit('datasets/owner/large', converted, 'refs/convert/parquet')
    const warnings: Error[] = []
    const warned = (warning: Error) => warnings.push(warning)
    process.on('warning', warned)
    t.after(() => process.off('warning', warned))
    assert.equal((await loadDataset('owner/large', { ...options, split: 'test' })).numRows, 60)
    assert.deepEqual(warnings, [])
    for (const _ of [1, 2]) assert.equal((await loadDataset('owner/large', options)).train.numRows, 60)
    assert.deepEqual(
      warnings.map(({ name, message }) => [name, message]),
      [
        [
          'RayitoWarning',
          'of owner/large there are the first rows only (train): the Hub has converted no more to Parquet',
        ],
      ],
    )
  })

  test("its default configuration is that of the data set's README.md", async (t) => {
    const { hub, options } = await hubWith(t, {})
    const converted = { 'de/train/0000.parquet': bytes, 'en/train/0000.parquet': bytes, 'en/test/0000.parquet': bytes }
    const english = '{config_name: en, data_files: "en/*.jsonl"'
    const cardWith = (first: string) =>
      `---\nconfigs:\n- ${first}}\n- {config_name: de, data_files: "de/*.jsonl"}\n---\n`
    const texts = { 'en/train.jsonl': '{}', 'de/train.jsonl': '{}' }
    hub.commit('datasets/owner/preset', { ...texts, 'README.md': cardWith(`${english}, default: true`) })
    hub.commit('datasets/owner/preset', converted, 'refs/convert/parquet')
    assert.deepEqual(Object.keys(await loadDataset('owner/preset', options)).sort(), ['test', 'train'])
    assert.deepEqual(Object.keys(await loadDataset('owner/preset', { ...options, name: 'de' })), ['train'])
    // Whoever has the cache of somebody who did not read it need not have it, where the configuration is named.
    const { cacheDir } = options
    rmSync(join(cacheDir, 'datasets--owner--preset', 'snapshots'), { recursive: true })
    await loadDataset('owner/preset', { ...options, dataFiles: '**/*.parquet', revision: 'refs/convert/parquet' })
    const offline = { ...options, offline: true }
    assert.deepEqual(Object.keys(await loadDataset('owner/preset', { ...offline, name: 'de' })), ['train'])
    hub.commit('datasets/owner/none', { ...texts, 'README.md': cardWith(english) })
    hub.commit('datasets/owner/none', converted, 'refs/convert/parquet')
    await assert.rejects(loadDataset('owner/none', options), { code: 'DATASET_AMBIGUOUS', message: /\(en, de\)/ })
  })

  test('which has a folder for each configuration and in it one for each split, by any name', async (t) => {
    const { hub, options } = await hubWith(t, {
      'datasets/owner/texts': { 'a.csv': 'x' },
      'datasets/owner/more': { 'a.csv': 'y' },
    })
    const pieces = { 'plain/train/0000.parquet': bytes, 'plain/extra/0000.parquet': bytes }
    hub.commit('datasets/owner/texts', { ...pieces, 'plain/partial-large/0000.parquet': bytes }, 'refs/convert/parquet')
    hub.commit('datasets/owner/more', { ...pieces, 'other/extra/0000.parquet': bytes }, 'refs/convert/parquet')
    const dict = await loadDataset('owner/texts', options)
    assert.deepEqual(Object.keys(dict).sort(), ['extra', 'large', 'train'])
    await assert.rejects(loadDataset('owner/more', options), {
      code: 'DATASET_AMBIGUOUS',
      message: /configuration of owner\/more \(other, plain\), got none\./,
    })
    assert.deepEqual(Object.keys(await loadDataset('owner/more', { ...options, name: 'other' })), ['extra'])
    await assert.rejects(loadDataset('owner/more', { ...options, name: 'x' }), { code: 'DATASET_CONFIG_NOT_FOUND' })
    const chosen = { dataFiles: { extra: 'other/extra/*' }, revision: 'refs/convert/parquet' }
    assert.equal((await loadDataset('owner/more', { ...options, ...chosen })).extra!.numRows, 60)
  })

  test('whoever names a configuration, files or a revision of the data set that is built in means that of the Hub', async (t) => {
    const { hub, options } = await hubWith(t, {})
    await hub.close()
    for (const named of [{ name: 'default' }, { dataFiles: '**/*.parquet' }, { revision: 'main' }])
      await assert.rejects(loadDataset('Maysee/tiny-imagenet', { ...options, ...named, source: 'auto' }), {
        code: 'HUB_UNREACHABLE',
      })
  })

  const CARD = '---\nconfigs:\n- {config_name: a, data_dir: a}\n- {config_name: b, data_dir: b}\n---\n'
  const TWO = { 'README.md': CARD, 'a/train.parquet': bytes, 'b/test.parquet': bytes }

  test('a configuration by its name, of which alone the files are downloaded', async (t) => {
    const { hub, options } = await hubWith(t, { 'datasets/owner/two': TWO })
    assert.deepEqual(Object.keys(await loadDataset('owner/two', { ...options, name: 'b' })), ['test'])
    assert.equal(hub.requests.filter(({ url }) => url.includes('a/train')).length, 0)
    await assert.rejects(loadDataset('owner/two', options), { code: 'DATASET_AMBIGUOUS' })
    await hub.close()
    assert.equal((await loadDataset('owner/two', { ...options, name: 'b' })).test.numRows, 60)
  })

  test('a README.md that is not in the cache and cannot be had is done without, in a warning', async (t) => {
    const { hub, options } = await hubWith(t, { 'datasets/owner/two': TWO })
    await loadDataset('owner/two', { ...options, dataFiles: '**' })
    await hub.close()
    const offline = { ...options, offline: true }
    const warned = once(process, 'warning')
    assert.deepEqual(Object.keys(await loadDataset('owner/two', offline)), ['train', 'test'])
    const [warning] = await warned
    assert.match(warning.message, /^README\.md of owner\/two, which may name configurations, cannot be had/)
    await assert.rejects(loadDataset('owner/two', { ...offline, name: 'a' }), { code: 'HUB_OFFLINE' })
  })

  test('a split that may only be missing in the cache: what keeps the Hub from telling is the error', async (t) => {
    const { hub, options } = await hubWith(t, {
      'datasets/owner/rows': { 'train.parquet': bytes, 'test.parquet': bytes },
    })
    await loadDataset('owner/rows', { ...options, split: 'train' })
    // As Python's hf_hub_download leaves it.
    rmSync(join(options.cacheDir, 'datasets--owner--rows/trees'), { recursive: true })
    await hub.close()
    assert.equal((await loadDataset('owner/rows', { ...options, split: 'train' })).numRows, 60)
    await assert.rejects(loadDataset('owner/rows', { ...options, split: 'test' }), { code: 'HUB_UNREACHABLE' })
    await assert.rejects(loadDataset('owner/rows', { ...options, split: 'test', offline: true }), {
      code: 'HUB_OFFLINE',
    })
  })

  test('a repository of pictures, one without data, and none at all', async (t) => {
    const image = readFileSync(picture)
    const { options } = await hubWith(t, {
      'datasets/owner/photos': { 'train/a/1.png': image, 'train/b/1.png': image },
      'datasets/owner/texts': { 'a.txt': 'hello' },
    })
    assert.deepEqual(await (await loadDataset('owner/photos', options)).train.column('label'), [0, 1])
    await assert.rejects(loadDataset('owner/texts', options), {
      code: 'DATASET_NOT_FOUND',
      message: /in owner\/texts, got a\.txt/,
    })
    await assert.rejects(loadDataset('owner/none', options), { code: 'HUB_REPO_NOT_FOUND' })
  })
})
