import assert from 'node:assert/strict'
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { beforeEach, describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import type { Dtype } from '#src/transformers/index.js'
import { LocalInference } from '#src/transformers/local-inference.js'
import { findModel } from '#src/transformers/model-files.js'
import { fillOptions } from '#src/transformers/options.js'
import { toPixels } from '#src/transformers/pictures.js'
import { seal } from '#src/transformers/weights-entry.js'
import { noLinks } from '../windows.js'
import {
  copyOfTinyVit,
  edit,
  fixture,
  floatOutput,
  ownCache,
  tinyVit,
  withDataBeside,
  withFloats,
  withNodes,
} from './fixtures.js'
import { runProgram } from './programs.js'

const { folder: cache, weights } = ownCache()
beforeEach(() => rmSync(weights, { recursive: true, force: true }))

const NOTE = /^Optimising .* for this processor, once\.$/gm
const CLASSIFY = `
  const clf = await pipeline('image-classification', process.env.MODEL ?? model, { dtype: process.env.DTYPE ?? 'fp32' })
  console.log(JSON.stringify(await clf(picture)))
`

/** Classifies in a process of its own: the answer, and how often the weights were made for it. */
async function classify(environment: Record<string, string> = {}) {
  const { code, stdout, stderr } = await runProgram(CLASSIFY, environment)
  assert.equal(code, 0, stderr)
  return { answer: stdout, made: stderr.match(NOTE)?.length ?? 0, stderr }
}

/** The same in this process, which is faster. */
async function load({ model = tinyVit, dtype = 'fp32' as Dtype, at = cache, note = /^Optimising/ } = {}) {
  process.env.RAYITO_CACHE = at
  let made = 0
  const files = await findModel(model, fillOptions({ dtype }))
  const inference = await LocalInference.open(files, 1, (line) => {
    assert.match(line, note)
    made++
  })
  const answer = await inference.classify(await toPixels(fixture('pictures', 'colour-64x64.png')), {
    topK: 5,
    functionToApply: null,
  })
  await inference.close()
  process.env.RAYITO_CACHE = cache
  return { answer, made }
}

const entry = () => {
  const names = readdirSync(weights)
  assert.equal(names.length, 1, names.join())
  return join(weights, names[0]!)
}

describe('optimised weights', () => {
  test('are made once and then used', async () => {
    const first = await classify()
    const { mtimeMs } = statSync(entry())
    const second = await classify()
    assert.deepEqual([first.made, second.made], [1, 0])
    assert.equal(second.answer, first.answer)
    assert.equal(second.stderr, '')
    assert.equal(statSync(entry()).mtimeMs, mtimeMs)
    const graph = readFileSync(join(entry(), 'model.onnx'))
    assert.ok(graph.includes('first-token:'), 'what is computed for nobody is in it')
  })

  test('are made once when several processes ask at once', async () => {
    const all = await Promise.all([1, 2, 3, 4].map(() => classify()))
    assert.equal(
      all.reduce((sum, { made }) => sum + made, 0),
      1,
    )
    assert.equal(new Set(all.map(({ answer }) => answer)).size, 1)
    entry()
  })

  test('are made once when several threads ask at once, which then share them', async (t) => {
    const ended = await runProgram(`
      import { Worker, isMainThread, parentPort } from 'node:worker_threads'
      import { readFileSync } from 'node:fs'
      if (isMainThread) {
        const workers = [1, 2, 3].map(() => new Worker(new URL(import.meta.url)))
        await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('message', resolve))))
        const maps = process.platform === 'linux' ? readFileSync('/proc/self/maps', 'utf8') : ''
        console.log(maps.match(/model\\.data$/gm)?.length ?? 0)
        workers.map((worker) => worker.postMessage('end'))
      } else {
        const clf = await pipeline('image-classification', model)
        const answer = await clf(picture)
        parentPort.once('message', () => clf.close())
        parentPort.postMessage(answer)
      }
    `)
    assert.equal(ended.code, 0, ended.stderr)
    assert.equal(ended.stderr.match(NOTE)?.length, 1)
    entry()
    if (process.platform !== 'linux') return t.diagnostic('whether they are mapped is seen on Linux only')
    assert.ok(Number(ended.stdout) >= 3, `${ended.stdout} mappings of the file`)
  })

  const damages: Record<string, (folder: string) => void | Promise<void>> = {
    'a data file cut short': (folder) => truncateSync(join(folder, 'model.data'), 5000),
    'a missing data file': (folder) => rmSync(join(folder, 'model.data')),
    'a missing graph': (folder) => rmSync(join(folder, 'model.onnx')),
    'a broken manifest': (folder) => truncateSync(join(folder, 'manifest.json'), 50),
    'a changed byte': (folder) => {
      const file = join(folder, 'model.data')
      const byte = readFileSync(file)[60_000]! ^ 1
      const handle = openSync(file, 'r+')
      writeSync(handle, Uint8Array.of(byte), 0, 1, 60_000)
      closeSync(handle)
    },
    'zeros from a lost power supply, and the old time': (folder) => {
      const file = join(folder, 'model.data')
      const { size, mtime } = statSync(file)
      writeFileSync(file, new Uint8Array(size))
      utimesSync(file, mtime, mtime)
    },
    'a graph that onnxruntime refuses, its hashes sound': async (folder) => {
      const { plan } = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8'))
      writeFileSync(join(folder, 'model.onnx'), 'no graph')
      await seal(folder, plan)
    },
  }
  for (const [name, damage] of Object.entries(damages)) {
    test(`are made anew after ${name}`, async () => {
      const { answer } = await load()
      await damage(entry())
      assert.deepEqual(await load(), { answer, made: 1 })
      assert.deepEqual(await load(), { answer, made: 0 })
    })
  }

  test('are used from a copy of the cache, whose times differ', async () => {
    const { answer } = await load()
    const copy = join(cache, 'copy')
    cpSync(weights, join(copy, 'weights'), { recursive: true })
    assert.deepEqual(await load({ at: copy }), { answer, made: 0 })
    // known by their time from then on: all of a large file is not read again
    const [name] = readdirSync(join(copy, 'weights'))
    const changed = () => statSync(join(copy, 'weights', name!, 'model.data')).ctimeMs
    const before = changed()
    await load({ at: copy })
    assert.equal(changed(), before)
  })

  test('are made anew when the model changes, and the old ones go', async (t) => {
    const model = copyOfTinyVit(t)
    await load({ model })
    const before = entry()
    edit(join(model, 'config.json'), (config) => {
      config.id2label = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [i, `renamed ${i}`]))
    })
    const { made, answer } = await load({ model })
    assert.equal(made, 1)
    assert.match(answer[0]!.label, /renamed/)
    assert.notEqual(entry(), before)
  })

  test('are made anew when the settings for pictures do, which may be a part of processor_config.json', async (t) => {
    const { answer } = await load()
    const model = copyOfTinyVit(t)
    const [own, whole] = ['preprocessor_config.json', 'processor_config.json'].map((name) => join(model, name)) as [
      string,
      string,
    ]
    writeFileSync(whole, JSON.stringify({ image_processor: JSON.parse(readFileSync(own, 'utf8')) }))
    edit(own, (settings) => {
      settings.image_mean = 0
    })
    assert.deepEqual(await load({ model }), { answer, made: 1 }, 'it counts before the file that is for pictures only')
    rmSync(own)
    assert.deepEqual((await load({ model })).answer, answer)
    edit(whole, ({ image_processor: settings }) => ({ image_processor: { ...(settings as object), image_mean: 0 } }))
    const other = await load({ model })
    assert.equal(other.made, 1)
    assert.notDeepEqual(other.answer, answer)
  })

  for (const [dtype, file, ending, apart] of [
    ['fp32', 'model.onnx', '_data', false],
    ['q8', 'model_quantized.onnx', '.data', true],
  ] as const) {
    const where = apart ? 'the cache keeps it in another folder' : 'it lies there'
    test(`are made of a file ${ending} beside the ${dtype} graph, where ${where}`, {
      skip: apart && noLinks,
    }, async (t) => {
      const { answer } = await load({ dtype })
      const model = copyOfTinyVit(t)
      const name = `${file}${ending}`
      const parts = withDataBeside(readFileSync(join(model, 'onnx', file)), name)
      for (const [path, bytes] of [
        [file, parts.model],
        [name, parts.data],
      ] as const) {
        rmSync(join(model, 'onnx', path), { force: true })
        if (!apart) {
          writeFileSync(join(model, 'onnx', path), bytes)
          continue
        }
        // as Python's huggingface_hub keeps what several repositories share: each file in a folder by its hash
        mkdirSync(join(model, 'blobs', path), { recursive: true })
        writeFileSync(join(model, 'blobs', path, 'content'), bytes)
        symlinkSync(join('..', 'blobs', path, 'content'), join(model, 'onnx', path))
      }
      assert.deepEqual(await load({ model, dtype }), { answer, made: 1 })
      const content = apart ? join(model, 'blobs', name, 'content') : join(model, 'onnx', name)
      writeFileSync(content, new Uint8Array(parts.data.length))
      assert.equal((await load({ model, dtype })).made, 1, 'other weights, another entry')
      rmSync(weights, { recursive: true })
      writeFileSync(weights, '')
      t.after(() => rmSync(weights, { force: true }))
      writeFileSync(content, parts.data)
      assert.equal((await load({ model, dtype, note: /cannot be kept/ })).answer[0]!.label, answer[0]!.label)
    })
  }

  test('of odd sizes end no process, whose processor reads only what lies at a multiple of 64 bytes', async (t) => {
    const best = `
      const clf = await pipeline('image-classification', process.env.MODEL, { functionToApply: 'none', topK: 3 })
      console.log(JSON.stringify(await clf(picture)))
    `
    const plain = await runProgram(best, { MODEL: tinyVit })
    const model = copyOfTinyVit(t)
    const onnx = join(model, 'onnx', 'model.onnx')
    const [few, many] = [10, 257]
    const same = Float32Array.from({ length: few * many }, (_, i) => Number(Math.floor(i / many) === i % many))
    const table = withFloats(readFileSync(onnx), 'odd', [few, many], same)
    writeFileSync(onnx, withNodes(table, [['MatMul', ['logits', 'odd'], 'many']], floatOutput('many')))
    edit(join(model, 'config.json'), (config) => {
      const names = Object.values(config.id2label as object)
      config.id2label = Object.fromEntries(Array.from({ length: many }, (_, i) => [i, names[i] ?? `class ${i}`]))
    })
    const { code, signal, stdout } = await runProgram(best, { MODEL: model })
    assert.deepEqual({ code, signal, stdout }, { code: 0, signal: null, stdout: plain.stdout })
  })

  test('are kept for each dtype and each model', async (t) => {
    await load()
    await load({ dtype: 'q8' })
    await load({ model: copyOfTinyVit(t) })
    assert.equal(readdirSync(weights).length, 3)
  })

  test('are not disturbed by a draft and a lock that a killed process left', async () => {
    await load()
    const path = entry()
    rmSync(path, { recursive: true })
    const draft = path.replace(/([^\\/]+)$/, '.$1.0123abcd')
    mkdirSync(draft)
    writeFileSync(`${path}.lock`, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), id: 'x' }))
    assert.equal((await load()).made, 1)
    assert.equal(entry(), path)
    assert.ok(!existsSync(draft))
  })

  test('take what other builders left half-way along once it is an hour old, of the same model only', async () => {
    await load()
    const name = basename(entry())
    rmSync(weights, { recursive: true })
    const like = name.replace(/[^-]+$/, 'anotherversion')
    const drafts = [`.${like}.old`, `.${like}.young`, '.another-model.old']
    for (const draft of drafts) mkdirSync(join(weights, draft), { recursive: true })
    for (const draft of drafts.filter((draft) => draft.endsWith('.old'))) utimesSync(join(weights, draft), 1, 1)
    await load()
    assert.deepEqual(readdirSync(weights).sort(), ['.another-model.old', `.${like}.young`, name].sort())
  })

  test('leave nothing of a model that onnxruntime refuses, whose own fault is told', async (t) => {
    const model = copyOfTinyVit(t)
    writeFileSync(join(model, 'onnx', 'model.onnx'), 'no graph')
    await assert.rejects(load({ model }), { code: 'MODEL_INVALID' })
    assert.deepEqual(readdirSync(weights), [])
  })

  test('are done without where the cache cannot be written, and that is said once', async () => {
    const file = join(cache, 'file')
    writeFileSync(file, '')
    for (const dtype of ['fp32', 'q8']) {
      const plain = await classify({ RAYITO_CACHE: file, DTYPE: dtype })
      assert.equal(plain.answer, (await classify({ DTYPE: dtype })).answer)
      assert.match(plain.stderr, /^The weights of .* cannot be kept in .*: each session has its own\.$/m)
      assert.equal(plain.stderr.trim().split('\n').length, 1)
    }
  })
})

test('a worker thread infers in place', async () => {
  const source = `
    const { parentPort, workerData } = require('node:worker_threads')
    import(workerData.index).then(async ({ pipeline }) => {
      let threads = 0
      process.on('worker', () => threads++)
      const clf = await pipeline('image-classification', workerData.model)
      const other = await pipeline('image-classification', workerData.model)
      await clf.close()
      await other(workerData.picture)
      await other.close()
      parentPort.postMessage([clf.numThreads, threads])
    })
  `
  const workerData = {
    index: new URL('../../../dist/transformers/index.js', import.meta.url).href,
    model: tinyVit,
    picture: fixture('pictures', 'colour-64x64.png'),
  }
  const worker = new Worker(source, { eval: true, workerData })
  const said = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await worker.terminate()
  assert.deepEqual(said, [1, 0])
})
