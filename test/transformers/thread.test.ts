import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Worker } from 'node:worker_threads'
import { Image } from '#src/datasets/image/image.js'
import { pipeline } from '#src/transformers/index.js'
import { LocalInference } from '#src/transformers/local-inference.js'
import { findModel } from '#src/transformers/model-files.js'
import { fields, initializer, MODEL, withGraph } from '#src/transformers/onnx-file.js'
import { fillOptions } from '#src/transformers/options.js'
import { toPixels } from '#src/transformers/pictures.js'
import { PrivateThread } from '#src/transformers/private-thread.js'
import { lease } from '#src/transformers/shared-inference.js'
import { copyOfTinyVit, edit, fixture, floatOutput, ownCache, tinyVit, withFloats, withNodes } from './fixtures.js'
import { type Ended, runProgram, runTyped } from './programs.js'

ownCache()
const picture = fixture('pictures', 'colour-64x64.png')
/** So large that the thread resizes it for a while, which is JavaScript and may be ended. */
const large = new Image(new Uint8Array(3 * 3000 * 3000), 3000, 3000)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** A classifier and the thread it started. */
async function withThread() {
  const started = once(process, 'worker') as Promise<[Worker]>
  const classifier = await pipeline('image-classification', tinyVit)
  const [worker] = await started
  return { classifier, worker }
}

describe("a classifier's thread", () => {
  test('is one for all classifiers of a model, until the last is closed', async () => {
    const { classifier, worker } = await withThread()
    let more = 0
    const count = () => more++
    process.on('worker', count)
    const second = await pipeline('image-classification', tinyVit, { topK: 1 })
    process.off('worker', count)
    assert.equal(more, 0)
    await classifier.close()
    await classifier.close()
    assert.equal((await second(picture)).length, 1)
    const exited = once(worker, 'exit')
    await second.close()
    await exited
  })

  test('is not that of a classifier which is closed while another is made', async () => {
    const files = await findModel(tinyVit, fillOptions())
    const pixels = await toPixels(picture)
    const first = await lease(files, 1)
    const second = lease(files, 1)
    await first.release()
    const { inference, release } = await second
    assert.equal((await inference.classify(pixels, { topK: 1, functionToApply: null })).length, 1)
    await release()
  })

  test('that cannot load its model has ended when that is told', async (t) => {
    const model = copyOfTinyVit(t)
    writeFileSync(join(model, 'onnx', 'model.onnx'), 'no graph')
    const before = process.listenerCount('exit')
    const started = once(process, 'worker') as Promise<[Worker]>
    await assert.rejects(pipeline('image-classification', model), { code: 'MODEL_INVALID' })
    const [worker] = await started
    assert.deepEqual([worker.threadId, process.listenerCount('exit')], [-1, before], 'and is not waited for at the end')
  })

  test('is another once the files of the model have changed', async (t) => {
    const model = copyOfTinyVit(t)
    const before = await pipeline('image-classification', model, { topK: 1 })
    const [{ label, score }] = (await before(picture)) as [{ label: string; score: number }]
    edit(join(model, 'config.json'), (config) => {
      config.id2label = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [i, `renamed ${i}`]))
    })
    const after = await pipeline('image-classification', model, { topK: 1 })
    assert.match((await after(picture))[0]!.label, /^renamed/)
    assert.deepEqual(await before(picture), [{ label, score }])
    await Promise.all([before.close(), after.close()])
  })

  test('leaves the event loop free', async () => {
    const { classifier } = await withThread()
    let turns = 0
    const turning = setInterval(() => turns++, 1)
    await classifier(large)
    clearInterval(turning)
    await classifier.close()
    assert.ok(turns > 1)
  })

  test('that ends rejects what was asked of it, and what is asked later', async () => {
    const { classifier, worker } = await withThread()
    const pending = classifier(large)
    const refused = assert.rejects(pending, {
      code: 'PIPELINE_WORKER_DIED',
      message: /with .*tiny-vit ended with exit code 1/,
    })
    await new Promise(setImmediate)
    await worker.terminate()
    await refused
    await assert.rejects(classifier(picture), { code: 'PIPELINE_WORKER_DIED', message: /Make another classifier/ })
    const another = await pipeline('image-classification', tinyVit)
    assert.equal((await another(picture)).length, 5)
    await Promise.all([classifier.close(), another.close()])
  })

  test('that ends with an error of its own is told with that error, which is the cause', async () => {
    const { classifier, worker } = await withThread()
    const refused = assert.rejects(classifier(large), (error: Error) => {
      assert.match(error.message, /^The thread that inferred with .*tiny-vit ended: Cannot destructure /)
      return error.cause instanceof TypeError
    })
    worker.postMessage(null)
    await refused
    await classifier.close()
  })

  test('that ends in the middle of an inference is not waited for when its classifier is closed', async () => {
    const { classifier, worker } = await withThread()
    const calls = Array.from({ length: 8 }, () => classifier(picture))
    const settled = Promise.allSettled(calls)
    await calls[0]
    // heard between two turns of the inference
    worker.postMessage(null)
    assert.equal((await settled).at(-1)!.status, 'rejected')
    await classifier.close()
  })

  test('is sent a picture, not all of the memory that it is a part of', async () => {
    const { classifier } = await withThread()
    const many = new Uint8Array(500e6)
    const before = process.resourceUsage().maxRSS
    await classifier(new Image(many.subarray(0, 3 * 64 * 64), 64, 64))
    await classifier.close()
    assert.ok(process.resourceUsage().maxRSS - before < 100e3, 'kilobytes')
  })

  test('goes on after a picture whose memory was given away, which is told', async () => {
    const { classifier } = await withThread()
    for (const channels of [3, 4]) {
      const given = new Image(new Uint8Array(channels * 6), 3, 2)
      structuredClone(given.data.buffer, { transfer: [given.data.buffer as ArrayBuffer] })
      await assert.rejects(classifier(given), {
        code: 'IMAGE_INVALID',
        message: /^Expected the pixels of a 3×2 picture, got none: their memory was given away/,
      })
    }
    assert.equal((await classifier(picture)).length, 5)
    await classifier.close()
  })

  test('ends when its last classifier is garbage', { timeout: 60_000 }, async () => {
    const { worker } = await withThread()
    const exited = once(worker, 'exit')
    let over = false
    exited.then(() => {
      over = true
    })
    while (!over) {
      collect()
      await new Promise(setImmediate)
    }
  })

  test('is closed with its classifier: calls under way and later ones are rejected', async () => {
    const { classifier, worker } = await withThread()
    const refused = assert.rejects(classifier(large), { code: 'PIPELINE_CLOSED' })
    await new Promise(setImmediate)
    await classifier.close()
    assert.equal(worker.threadId, -1, 'it has ended')
    await refused
    await assert.rejects(classifier(picture), { code: 'PIPELINE_CLOSED', message: /with .*tiny-vit was closed/ })
  })
})

test('pictures that are asked for at once are prepared one after the other, in memory that is used again', async () => {
  const inference = await LocalInference.open(await findModel(tinyVit, fillOptions()), 1, () => {})
  const pixels = await toPixels(picture)
  const classify = () => inference.classify(pixels, { topK: 1, functionToApply: null })
  await classify()
  collect()
  const before = process.memoryUsage().arrayBuffers
  const held = () => process.memoryUsage().arrayBuffers - before
  const calls = Array.from({ length: 1000 }, classify)
  await calls[0]
  assert.ok(held() < 1e6, `${held()} bytes while they wait`)
  await Promise.all(calls)
  // V8 frees buffers behind the collection, in a thread of its own.
  for (let i = 0; i < 100 && held() >= 1e6; i++) {
    collect()
    await new Promise((resolve) => setImmediate(resolve))
  }
  assert.ok(held() < 1e6, `${held()} bytes afterwards`)
  await inference.close()
})

for (const { name, open } of [LocalInference, PrivateThread])
  test(`a model that is closed answers no picture that waits: ${name}`, async () => {
    const inference = await open(await findModel(tinyVit, fillOptions()), 1, () => {})
    const pixels = await toPixels(picture)
    const calls = Array.from({ length: 5 }, () => inference.classify(pixels, { topK: 1, functionToApply: null }))
    const settled = Promise.allSettled(calls)
    await calls[0]
    await inference.close()
    const ends = await settled
    assert.equal(ends.at(-1)!.status, 'rejected')
    for (const { status, ...rest } of ends)
      if (status === 'rejected') assert.equal((rest as PromiseRejectedResult).reason.code, 'PIPELINE_CLOSED')
  })

/** Some at a time, or they take a minute. */
async function times(count: number, work: (i: number) => Promise<void>): Promise<void> {
  for (let i = 0; i < count; i += 5)
    await Promise.all(Array.from({ length: Math.min(5, count - i) }, (_, j) => work(i + j)))
}

describe('a process', () => {
  const clean = (ended: Ended, code = 0) =>
    assert.deepEqual({ ...ended, stdout: '' }, { code, signal: null, stdout: '', stderr: '' })
  /** Calls that keep the thread inside onnxruntime nearly all the time. */
  const busy = `
    const clf = await pipeline('image-classification', model)
    const image = await Image.open(picture)
    let done = 0
    const keep = async () => { for (;;) { await clf(image); done++ } }
    const inside = async (n) => { while (done < n) await new Promise(setImmediate) }
    for (let i = 0; i < 4; i++) keep().catch(() => {})
  `

  test('ends by itself with an idle classifier', async () => {
    await runProgram(`await pipeline('image-classification', model)`) // optimises the weights
    clean(await runProgram(`const clf = await pipeline('image-classification', model); await clf(picture)`))
  })

  test('waits for an answer that is under way, also one that was typed on the command line', async () => {
    const program = `
      const clf = await pipeline('image-classification', model)
      clf(picture).then((answer) => console.log(answer.length))
    `
    for (const ended of [await runProgram(program), await runTyped(program)]) {
      clean(ended)
      assert.equal(ended.stdout, '5\n')
    }
  })

  // Without the gate the first of them takes the process down; of those below it one in dozens does.
  test('ends with its own exit code in the middle of an inference, five times', async () => {
    await times(5, async (i) => clean(await runProgram(`${busy}; await inside(${i}); process.exit(7)`), 7))
  })

  test('ends with an uncaught error in the middle of an inference, ten times', async () => {
    await times(10, async (i) => {
      const { code, signal, stderr } = await runProgram(`${busy}; await inside(${i}); throw new TypeError('mine')`)
      assert.deepEqual({ code, signal }, { code: 1, signal: null })
      assert.match(stderr, /TypeError: mine/)
      assert.doesNotMatch(stderr, /terminate called/)
    })
  })

  test('ends with its own exit code while a model is loaded, twenty times', async () => {
    await times(20, async (i) =>
      clean(
        await runProgram(`
          pipeline('image-classification', model)
          process.on('worker', (worker) => worker.on('online', () => setTimeout(() => process.exit(7), ${i * 5})))
        `),
        7,
      ),
    )
  })

  test('waits for the end of an inference before it ends its thread, however long that is', async (t) => {
    const model = copyOfTinyVit(t)
    const onnx = join(model, 'onnx', 'model.onnx')
    const floats = (bytes: Uint8Array, name: string, dims: [number, number], value: number) =>
      withFloats(bytes, name, dims, new Float32Array(dims[0] * dims[1]).fill(value))
    const tables = floats(floats(readFileSync(onnx), 'small', [10, 1500], 1e-4), 'nothing', [1, 1], 0)
    const graph = fields(tables).find(({ number }) => number === MODEL.graph)!
    const rows = withGraph(tables, graph, [tables.subarray(graph.from, graph.end), ...initializer('rows', [1500, 10])])
    const slow = withNodes(
      rows,
      [
        ['Expand', ['logits', 'rows'], 'tall'],
        ['MatMul', ['tall', 'small'], 'square'],
        ['MatMul', ['square', 'square'], 'product'],
        ['MatMul', ['product', 'square'], 'products'],
        ['ReduceMean', ['products'], 'mean'],
        ['Mul', ['mean', 'nothing'], 'no more'],
        ['Add', ['logits', 'no more'], 'answer'],
      ],
      floatOutput('answer'),
    )
    writeFileSync(onnx, slow)
    const ended = await runProgram(`
      // The thread is in the second by then, or just before it.
      for (let i = 0; i < 6; i++) {
        const clf = await pipeline('image-classification', ${JSON.stringify(model)}, { numThreads: 1 })
        const calls = [clf(picture), clf(picture)]
        const settled = Promise.allSettled(calls)
        await calls[0]
        await clf.close()
        console.log((await settled).map(({ reason }) => reason?.code ?? 'answered').join())
      }
    `)
    assert.deepEqual([ended.code, ended.signal], [0, null], ended.stderr)
    assert.match(ended.stdout, /^(answered,(PIPELINE_CLOSED|answered)\n){6}$/)
  })

  test('closes a classifier in the middle of an inference, five times over', async () => {
    const ended = await runProgram(`
      for (let i = 0; i < 5; i++) {
        const clf = await pipeline('image-classification', model)
        const image = await Image.open(picture)
        const calls = Array.from({ length: 8 }, () => clf(image))
        const settled = Promise.allSettled(calls)
        await calls[i % 3]
        await clf.close()
        const codes = (await settled).map(({ reason }) => reason?.code ?? 'answered')
        console.log(codes.every((code) => code === 'answered' || code === 'PIPELINE_CLOSED'))
      }
    `)
    clean(ended)
    assert.equal(ended.stdout, 'true\n'.repeat(5))
  })
})
