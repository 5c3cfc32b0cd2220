import assert from 'node:assert/strict'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { parquetReadObjects } from 'hyparquet'
import { type DatasetDict, Image, loadDataset } from '#src/datasets/index.js'
import { build } from '#src/embedded/build.js'
import { Drawings, PACKAGES } from '#src/embedded/drawings.js'
import { EMBEDDED_DATASET, EMBEDDED_MODEL, embeddedDataset, embeddedModel } from '#src/embedded/index.js'
import { readPart, writePart } from '#src/embedded/parts.js'
import { fileOf, rowsOf, SPLITS, type Split } from '#src/embedded/rows.js'
import { SUBJECTS } from '#src/embedded/subjects.js'
import { commonCache, moduleUrl, root, sha256, startProgram } from './support.js'

const cache = mkdtempSync(join(tmpdir(), 'rayito-pictures-'))
const sets = join(cache, 'datasets', 'tiny-pictures')
after(() => rmSync(cache, { recursive: true, force: true, maxRetries: 5 }))

/** Classes that are drawn before the interruption, and again so many after it. */
const FEW = 8

/** Lays a whole set's pictures where parts are kept, but for the last classes. */
async function layParts(whole: string, folder: string): Promise<void> {
  const pngs = async (split: Split) => {
    const file = new Uint8Array(readFileSync(join(whole, fileOf(split)))).buffer
    const rows = await parquetReadObjects({ file, columns: ['image'], utf8: false })
    return rows.map(({ image }) => (image as { bytes: Uint8Array }).bytes)
  }
  const [train, valid] = [await pngs('train'), await pngs('valid')]
  const of = <T>(rows: T[], label: number, count: number) => rows.slice(label * count, (label + 1) * count)
  for (let label = 0; label < SUBJECTS.length - FEW; label++)
    if (!(await readPart(folder, label)))
      await writePart(folder, label, { train: of(train, label, SPLITS.train), valid: of(valid, label, SPLITS.valid) })
}

/** Asks for the set, in a worker thread too, and prints its folder. */
const ASK = `
import { Worker } from 'node:worker_threads'
import { embeddedDataset } from '${moduleUrl('embedded/index.js')}'
const thread = new Worker("import('${moduleUrl('embedded/index.js')}').then((m) => m.embeddedDataset()).then((folder) => console.log(folder))", { eval: true })
console.log(await embeddedDataset())
`

/** The names in the folder of sets: what is there, and what is being made (their names begin with a dot). */
const entries = () => {
  try {
    return readdirSync(sets).filter((name) => !name.includes('.lock'))
  } catch {
    return []
  }
}
const parts = () => {
  const folder = entries().find((name) => name.endsWith('.parts'))
  return folder ? readdirSync(join(sets, folder)).filter((name) => name.endsWith('.part')).length : 0
}

describe('the picture set', () => {
  let splits: DatasetDict
  let folder: string

  // One build for all: interrupted, then taken up by two processes of two threads each that ask at once. What neither of
  // them is to draw comes from the set that all files have in common, since drawing 11,000 pictures anew is most of the time.
  before(async () => {
    const common = startProgram(ASK, { RAYITO_CACHE: commonCache })
    const first = startProgram(ASK, { RAYITO_CACHE: cache })
    while (parts() < FEW && first.child.exitCode === null) await sleep(20)
    first.child.kill('SIGKILL')
    await first.ended
    interrupted = { said: first.said.stdout, names: entries(), parts: parts() }
    assert.equal(await common.ended, 0, common.said.stderr)
    whole = common.said.stdout.split('\n')[0]!
    await layParts(whole, join(sets, entries().find((name) => name.endsWith('.parts'))!))
    const both = [startProgram(ASK, { RAYITO_CACHE: cache }), startProgram(ASK, { RAYITO_CACHE: cache })]
    together = await Promise.all(both.map(async ({ ended, said }) => ({ code: await ended, ...said })))
    folder = together[0]!.stdout.split('\n')[0]!
    splits = await loadDataset(folder)
  })
  let whole: string
  let interrupted: { said: string; names: string[]; parts: number }
  let together: { code: number | null; stdout: string; stderr: string }[]

  test('a build that is interrupted leaves nothing that looks finished', () => {
    assert.equal(interrupted.said, '')
    assert.ok(interrupted.parts >= FEW)
    assert.deepEqual(
      interrupted.names.filter((name) => !name.startsWith('.')),
      [],
    )
  })

  test('two processes, two threads in each, that ask at once get one set, drawn once', () => {
    for (const { code, stdout, stderr } of together) {
      assert.equal(code, 0, stderr)
      assert.doesNotMatch(stderr, /stopped/)
      assert.deepEqual(new Set(stdout.trim().split('\n')), new Set([folder]))
    }
    const drew = together.flatMap(
      ({ stderr }) => stderr.match(/Drawing the built-in pictures: 11000 pictures in/g) ?? [],
    )
    assert.ok(drew.length <= 1)
    assert.deepEqual(entries(), [folder.slice(sets.length + 1)])
  })

  test('a set that was taken up is the one that is drawn at one go, byte for byte', () => {
    for (const name of readdirSync(join(folder, 'data')))
      assert.deepEqual(readFileSync(join(folder, 'data', name)), readFileSync(join(whole, 'data', name)), name)
  })

  test('a set of which a machine that lost its power has kept a piece is drawn again', async () => {
    const drafts = join(sets, `.${folder.slice(sets.length + 1)}.parts`)
    const train = join(folder, fileOf('train'))
    truncateSync(train, statSync(train).size >> 1)
    mkdirSync(drafts)
    await layParts(whole, drafts)
    const program = startProgram(ASK, { RAYITO_CACHE: cache })
    assert.equal(await program.ended, 0, program.said.stderr)
    assert.equal(sha256(readFileSync(train)), sha256(readFileSync(join(whole, fileOf('train')))))
    assert.deepEqual(entries(), [folder.slice(sets.length + 1)])
  })

  test("is tiny-imagenet's twin", async () => {
    assert.deepEqual([splits.train!.numRows, splits.valid!.numRows], [10_000, 1_000])
    assert.deepEqual(readdirSync(join(folder, 'data')).sort(), [
      'train-00000-of-00001.parquet',
      'valid-00000-of-00001.parquet',
    ])
    for (const split of [splits.train!, splits.valid!]) {
      assert.deepEqual(Object.keys(split.features), ['image', 'label'])
      assert.equal(split.features.image.type, 'Image')
      assert.equal(split.features.label.type, 'ClassLabel')
      assert.equal(split.features.label.numClasses, 200)
      const { image } = await split.at(split.numRows - 1)
      assert.deepEqual([image.width, image.height, image.channels], [64, 64, 3])
    }
  })

  test("has 200 classes in ImageNet's order, called as the model calls them, rows sorted by class", async () => {
    const { names } = splits.train!.features.label
    assert.deepEqual(
      names,
      SUBJECTS.map(({ label }) => label),
    )
    const indices = SUBJECTS.map(({ classIndex }) => classIndex)
    assert.deepEqual(
      indices,
      [...new Set(indices)].sort((a, b) => a - b),
    )
    for (const [split, count] of [
      ['train', 50],
      ['valid', 5],
    ] as const) {
      for (const row of [0, count - 1, count, 100 * count + 1, 200 * count - 1]) {
        assert.equal(Number((await splits[split]!.at(row)).label), Math.floor(row / count), `${split} ${row}`)
      }
    }
  })

  test('its pixels are the same on every machine', async () => {
    const got = await Promise.all(
      PIXELS.map(async ([split, row]) => [split, row, sha256((await splits[split]!.at(row)).image.data)]),
    )
    assert.deepEqual(got, PIXELS)
    // The set that all have in common may be of an earlier state of the code: what is drawn now has them too.
    const drawings = new Drawings()
    for (const [split, row, hash] of PIXELS.slice(0, 4)) {
      const label = Math.floor(row / SPLITS[split])
      const png = (await rowsOf(label, drawings))[split][row % SPLITS[split]]!
      assert.equal(sha256((await Image.open(png)).data), hash, `${split} ${row}`)
    }
  })

  test('a class drawn again is the same, byte for byte, and on every machine in its pixels', async () => {
    const [once, again] = [await rowsOf(7, new Drawings()), await rowsOf(7, new Drawings())]
    assert.deepEqual(once, again)
    assert.equal(new Set(once.train.map(sha256)).size, 50)
    const { image } = await splits.valid!.at(7 * 5 + 2)
    assert.deepEqual((await Image.open(once.valid[2]!)).data, image.data)
    // Grounds, colours, angles and noises of every kind are among them.
    const pixels = await Promise.all([...once.train, ...once.valid].map(async (png) => (await Image.open(png)).data))
    assert.equal(sha256(Buffer.concat(pixels)), '7d053e7123a1976c')
  })

  test('every drawing exists and is used by one class only', async () => {
    const icons = SUBJECTS.flatMap((subject) => subject.icons)
    assert.equal(new Set(icons).size, icons.length)
    const drawings = new Drawings()
    for (const icon of icons) {
      const { box } = await drawings.render(icon)
      assert.ok(box.right - box.left > 20 || box.bottom - box.top > 20, icon)
    }
  })

  test('is read on when the program goes to another folder, though its cache has a relative path', async () => {
    const program = startProgram(
      `import { loadDataset } from '${moduleUrl('datasets/index.js')}'
       process.chdir(process.env.AT)
       const { train } = await loadDataset('${EMBEDDED_DATASET}')
       process.chdir('..')
       console.log((await train.at(-1)).label)`,
      { AT: dirname(cache), RAYITO_CACHE: basename(cache) },
    )
    assert.equal(await program.ended, 0, program.said.stderr)
    assert.equal(program.said.stdout.trim(), '199')
  })

  test('says what is wrong where the cache cannot be written', async () => {
    const file = join(cache, 'a-file')
    writeFileSync(file, '')
    const before = process.env.RAYITO_CACHE
    process.env.RAYITO_CACHE = file
    try {
      await assert.rejects(embeddedDataset(), { code: 'EMBEDDED_CACHE', message: /a-file.*RAYITO_CACHE/ })
    } finally {
      if (before === undefined) delete process.env.RAYITO_CACHE
      else process.env.RAYITO_CACHE = before
    }
  })
})

test('what goes wrong while a class is drawn is told as it is, and no thread draws on', async () => {
  const root = join(cache, 'taken')
  mkdirSync(join(root, '.set.parts', '0.part'), { recursive: true })
  await assert.rejects(build(root, 'set'), { code: process.platform === 'win32' ? 'EPERM' : 'EISDIR' })
  const { workers } = process.report.getReport() as unknown as { workers: unknown[] }
  assert.equal(workers.length, 0)
})

test('a part of which a machine that lost its power has kept a piece is drawn again', async () => {
  const folder = join(cache, 'pieces')
  mkdirSync(folder)
  const pngs = (count: number) => Array.from({ length: count }, (_, i) => Buffer.alloc(i + 1, i))
  const rows = { train: pngs(SPLITS.train), valid: pngs(SPLITS.valid) }
  await writePart(folder, 3, rows)
  assert.deepEqual(await readPart(folder, 3), rows)
  const [name] = readdirSync(folder)
  const { size } = statSync(join(folder, name!))
  for (const kept of [size - 1, size - (SPLITS.valid + 4), 3, 0]) {
    truncateSync(join(folder, name!), kept)
    assert.equal(await readPart(folder, 3), null, `${kept} of ${size} bytes`)
  }
})

describe('the embedded default', () => {
  test('has names, and its module loads nothing heavy', async () => {
    assert.equal(EMBEDDED_DATASET, 'rayito/tiny-pictures')
    assert.equal(EMBEDDED_MODEL, 'rayito/rayito-pictures')
    assert.equal(embeddedModel(), join(root, 'models', 'rayito-pictures'))
    const program = startProgram(
      `import { createRequire } from 'node:module'
       await import('${moduleUrl('embedded/index.js')}')
       console.log(Object.keys(createRequire(import.meta.url).cache).length, process.memoryUsage().heapUsed < 15e6)`,
      {},
    )
    assert.equal(await program.ended, 0, program.said.stderr)
    assert.equal(program.said.stdout.trim(), '0 true')
  })

  test('is drawn from packages whose licences allow it, named in CREDITS.md', () => {
    const allowed = ['CC-BY-4.0', 'MIT', 'Apache-2.0']
    const credits = readFileSync(join(root, 'CREDITS.md'), 'utf8')
    for (const name of PACKAGES) {
      const folder = join(root, 'node_modules', '@iconify-json', name)
      const { license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
      const info = JSON.parse(readFileSync(join(folder, 'info.json'), 'utf8'))
      assert.ok(allowed.includes(license) && info.license.spdx === license, `${name}: ${license}`)
      const row = credits.split('\n').find((line) => line.startsWith(`| \`@iconify-json/${name}\` |`))
      assert.ok(
        row?.replaceAll(/[- ]/g, '').includes(license.replaceAll('-', '')),
        `CREDITS.md lacks ${name} (${license})`,
      )
    }
  })

  test('learnt from nothing whose licence forbids it', () => {
    const credits = readFileSync(join(root, 'CREDITS.md'), 'utf8')
    const { dependencies } = JSON.parse(readFileSync(join(root, 'training', 'package.json'), 'utf8'))
    const measured = ['@iconify-json/noto', '@iconify-json/openmoji', 'emoji-datasource-google']
    for (const name of Object.keys(dependencies)) {
      if (!measured.includes(name)) assert.ok(credits.includes(`\`${name}\``), `CREDITS.md lacks ${name}`)
    }
  })
})

/** Rows and the first half of their pixels' SHA-256. */
const PIXELS: [split: Split, row: number, hash: string][] = [
  ['train', 0, 'b096f0cdfb65ccce'],
  ['train', 2300, 'e66a8527df05d198'],
  ['train', 3951, 'a623bfff89697688'],
  ['train', 9999, 'a15ff30f50eedd0e'],
  ['valid', 0, '71c3e88e47516e58'],
  ['valid', 412, 'f23b45c2ceac808b'],
  ['valid', 777, '0ef186405b1eca13'],
  ['valid', 999, 'e553f4ebdecc7081'],
]
