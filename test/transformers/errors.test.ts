import assert from 'node:assert/strict'
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { after, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { RayitoError } from '#src/core/errors.js'
import { Image } from '#src/datasets/index.js'
import { hubFile } from '#src/hub/index.js'
import { pipeline } from '#src/transformers/index.js'
import { type newNode, wholeNumbers } from '#src/transformers/onnx-file.js'
import { folderFiles, HubStandIn } from '../stand-ins/hub.js'
import {
  copyOfTinyVit,
  edit,
  fixture,
  floatOutput,
  ownCache,
  tinyVit,
  withDataBeside,
  withInput,
  withNodes,
} from './fixtures.js'
import { runProgram } from './programs.js'

ownCache()

const rejects = (made: Promise<unknown>, code: string, message: RegExp) =>
  assert.rejects(made, (error) => {
    assert.ok(error instanceof RayitoError, String(error))
    assert.equal(error.code, code, error.message)
    assert.match(error.message, message)
    assert.doesNotMatch(error.message, /\n/)
    return true
  })
const classifier = (model?: string, options?: object) => pipeline('image-classification', model, options)

describe('a pipeline says', () => {
  test('which task it knows', () =>
    rejects(
      pipeline('text-generation' as never),
      'PIPELINE_UNKNOWN_TASK',
      /got `text-generation`\. Use 'image-classification'/,
    ))

  test('which option is wrong', async () => {
    await rejects(
      classifier(tinyVit, { dtype: 'fp16' }),
      'INVALID_ARGUMENT',
      /`dtype` to be 'fp32' or 'q8', got `fp16`/,
    )
    await rejects(classifier(tinyVit, { numThreads: 0 }), 'INVALID_ARGUMENT', /`numThreads`.*got `0`/)
    await rejects(classifier(tinyVit, { topK: 0 }), 'INVALID_ARGUMENT', /`topK`.*from 1 up, or null, got `0`/)
    await rejects(classifier(tinyVit, { top_k: 1 }), 'INVALID_ARGUMENT', /no option `top_k`.*topK/)
    const tiny = await classifier(tinyVit)
    await rejects(
      tiny(new Uint8Array(1), { top_k: 1 } as object),
      'INVALID_ARGUMENT',
      /no option `top_k` here\. Known are topK, functionToApply/,
    )
    await tiny.close()
    await rejects(
      classifier(tinyVit, { functionToApply: 'SOFTMAX' as never }),
      'INVALID_ARGUMENT',
      /`functionToApply` to be 'softmax', 'sigmoid', 'none' or null, got `SOFTMAX`/,
    )
    await rejects(classifier(tinyVit, { topK: 1.5 }), 'INVALID_ARGUMENT', /`topK`.*got `1.5`/)
    await rejects(classifier(tinyVit, { source: 'disk' }), 'INVALID_ARGUMENT', /`source`.*got `disk`/)
    await rejects(classifier(tinyVit, { revision: '' }), 'INVALID_ARGUMENT', /`revision`/)
    for (const cacheDir of [7, '', new URL('https://localhost/cache')] as never[])
      await rejects(classifier(tinyVit, { cacheDir }), 'INVALID_ARGUMENT', /`cacheDir` to be a path or a file URL/)
    await rejects(classifier(tinyVit, 'q8' as never), 'INVALID_ARGUMENT', /`options`/)
    await rejects(classifier(7 as never), 'INVALID_ARGUMENT', /`model`/)
    await rejects(
      classifier({ dtype: 'q8' } as never),
      'INVALID_ARGUMENT',
      /`model`.*got `\{ dtype: 'q8' \}` \(object\)\. Options come third: pipeline\(task, undefined, options\)/,
    )
  })

  test('that a model which was named is not built in', () =>
    rejects(classifier('owner/other', { source: 'embedded' }), 'MODEL_INVALID', /built-in model .* got owner\/other/))

  test('which file a folder lacks, and which dtypes there are', async (t) => {
    for (const here of ['.', './', '..'])
      await rejects(
        classifier(here),
        'MODEL_INVALID',
        new RegExp(`^${here.replaceAll('.', '\\.')} has no file onnx/model\\.onnx`),
      )
    const model = copyOfTinyVit(t)
    rmSync(join(model, 'onnx', 'model_quantized.onnx'))
    await rejects(
      classifier(model, { dtype: 'q8' }),
      'MODEL_INVALID',
      /has no file onnx\/model_quantized\.onnx\. Use dtype 'fp32' \(onnx\/model\.onnx\)/,
    )
    rmSync(join(model, 'preprocessor_config.json'))
    await rejects(
      classifier(model),
      'MODEL_INVALID',
      /has no file preprocessor_config\.json\. Write .* image_processor_type .*Beit, .* A model of timm .* pretrained_cfg/,
    )
    renameSync(join(model, 'onnx', 'model.onnx'), join(model, 'model.onnx'))
    await rejects(
      classifier(model),
      'MODEL_INVALID',
      /has no file onnx\/model\.onnx\. Move its model\.onnx to onnx\/model\.onnx\./,
    )
    await rejects(
      classifier(model, { dtype: 'q8' }),
      'MODEL_INVALID',
      /\. Move its model\.onnx to onnx\/model\.onnx and use dtype 'fp32'\.$/,
    )
    mkdirSync(join(model, 'onnx', 'sub'))
    renameSync(join(model, 'model.onnx'), join(model, 'onnx', 'sub', 'model.onnx'))
    for (const name of ['fp16', 'q4', 'int8', 'uint8']) writeFileSync(join(model, 'onnx', `model_${name}.onnx`), '')
    await rejects(
      classifier(model),
      'MODEL_INVALID',
      /\. It has onnx\/model_fp16\.onnx, .*q4\.onnx, .* and 1 more; what is read here is onnx\/model\.onnx \(fp32\) and onnx\/model_quantized\.onnx \(q8\)\.$/,
    )
    rmSync(join(model, 'onnx'), { recursive: true })
    await rejects(
      classifier(model),
      'MODEL_INVALID',
      /has no file onnx\/model\.onnx\. Choose an image-.* optimum-cli export onnx --model MODEL FOLDER/,
    )
  })

  test('that a path is no folder', async (t) => {
    const model = copyOfTinyVit(t)
    await rejects(
      classifier(join(model, 'nowhere')),
      'MODEL_INVALID',
      /Expected the folder of a model, got .*nowhere, where there is none\. Check the path\.$/,
    )
    await rejects(
      classifier(join(model, 'onnx', 'model.onnx')),
      'MODEL_INVALID',
      /got .*model\.onnx, which is a file\. Give the folder that holds its config\.json\.$/,
    )
  })

  test('how a folder is written that Python would take', async (t) => {
    const model = copyOfTinyVit(t)
    const parent = dirname(model)
    const here = process.cwd()
    const homes = { HOME: process.env.HOME, USERPROFILE: process.env.USERPROFILE }
    t.after(() => {
      process.chdir(here)
      for (const [name, was] of Object.entries(homes))
        if (was === undefined) delete process.env[name]
        else process.env[name] = was
    })
    process.chdir(parent)
    Object.assign(process.env, { HOME: parent, USERPROFILE: parent })
    const named = basename(model)
    await rejects(
      classifier(named, { offline: true }),
      'HUB_OFFLINE',
      new RegExp(`requests are turned off\\. Unset .* There is a folder ${named}: write \\./${named}$`),
    )
    await rejects(
      classifier(`${named}/onnx/`),
      'INVALID_ARGUMENT',
      new RegExp(
        `\`model\` .*repository's name .* or a folder .* There is a folder ${named}/onnx/: write \\./${named}/onnx/$`,
      ),
    )
    const [tilde, url] = [`~/${named}`, pathToFileURL(model).href]
    for (const [written, meant] of [
      [tilde, join(homedir(), named)],
      [url, model],
    ] as const)
      await assert.rejects(classifier(written), (error: RayitoError) => {
        assert.equal(error.code, 'INVALID_ARGUMENT')
        assert.ok(error.message.endsWith(`There is a folder ${written}: write ${meant}`), error.message)
        return true
      })
    await rejects(classifier('~/nowhere'), 'INVALID_ARGUMENT', /^Expected `model` to be .*got `~\/nowhere` \(string\)$/)
  })

  test('that a model is no classifier', async (t) => {
    const model = copyOfTinyVit(t)
    edit(join(model, 'config.json'), (config) => {
      delete config.id2label
      delete config.label2id
    })
    await rejects(
      classifier(model),
      'MODEL_INVALID',
      /Expected 10 labels in config\.json, one for each output, got 2\. Write its id2label/,
    )
    edit(join(model, 'config.json'), (config) => {
      config.id2label = {}
    })
    await rejects(
      classifier(model),
      'MODEL_INVALID',
      /id2label of config\.json is empty, so it is no classifier\. Choose an image-classification model\.$/,
    )
  })

  test('that labels and outputs differ in number', async (t) => {
    const model = copyOfTinyVit(t)
    edit(join(model, 'config.json'), (config) => {
      config.id2label = { 0: 'yes', 1: 'no' }
    })
    await rejects(classifier(model), 'MODEL_INVALID', /Expected 10 labels in config\.json, one for each output, got 2/)
  })

  test('that what comes out are no logits, or more than labels, which may be seen only then', async (t) => {
    const model = copyOfTinyVit(t)
    const onnx = join(model, 'onnx', 'model.onnx')
    const plain = readFileSync(onnx)
    const endingWith = (nodes: Parameters<typeof newNode>[], output: Uint8Array[]) =>
      writeFileSync(onnx, withNodes(plain, nodes, output))
    endingWith([['NonZero', ['logits'], 'places']], wholeNumbers('places'))
    await rejects(classifier(model), 'MODEL_INVALID', /Expected logits in float32, got int64/)
    endingWith(
      [
        ['NonZero', ['logits'], 'places'],
        ['Shape', ['places'], 'size'],
        ['Tile', ['logits', 'size'], 'many'],
      ],
      floatOutput('many'),
    )
    const many = await classifier(model)
    const picture = fixture('pictures', 'colour-64x64.png')
    await rejects(many(picture), 'MODEL_INVALID', /Expected 200 labels in config\.json, one for each output, got 10/)
    await many.close()
  })

  test('that it takes another number or size of pictures, before it is given one where that is known', async (t) => {
    const model = copyOfTinyVit(t)
    const onnx = join(model, 'onnx', 'model.onnx')
    const plain = readFileSync(onnx)
    writeFileSync(onnx, withInput(plain, [2, 3, 32, 32]))
    await rejects(
      classifier(model),
      'MODEL_INVALID',
      /an input for one picture, got \[2, 3, 32, 32\]\. Export it with a dynamic batch\.$/,
    )
    writeFileSync(onnx, withInput(plain, [1, 3, 32, 32]))
    const fits = await classifier(model)
    const picture = fixture('pictures', 'colour-64x64.png')
    assert.equal((await fits(picture)).length, 5)
    await fits.close()
    const settings = join(model, 'preprocessor_config.json')
    edit(settings, (settings) => {
      settings.size = 16
    })
    const other =
      /pictures of 32×32 .*, got 16×16 by ViTImageProcessor\. Write size .*: \{"height": 32, "width": 32\}, or export .* dynamic/
    await rejects(classifier(model), 'MODEL_INVALID', other)
    edit(settings, (settings) => {
      settings.size = { shortest_edge: 16 }
    })
    const unlike = await classifier(model)
    await rejects(unlike(picture), 'MODEL_INVALID', other)
    await unlike.close()
  })

  test('no more than it knows where a model is broken', async (t) => {
    const model = copyOfTinyVit(t)
    truncateSync(join(model, 'config.json'), 20)
    await rejects(classifier(model), 'MODEL_INVALID', /config\.json cannot be read \([^)]*\)$/)
  })

  test('that pictures are prepared in an unknown way', async (t) => {
    const model = copyOfTinyVit(t)
    edit(join(model, 'preprocessor_config.json'), (settings) => {
      settings.image_processor_type = 'SamImageProcessor'
    })
    await rejects(classifier(model), 'MODEL_INVALID', /prepared by SamImageProcessor, which is not known\. Write /)
  })

  test('that a configuration cannot be read', async (t) => {
    const model = copyOfTinyVit(t)
    truncateSync(join(model, 'config.json'), 20)
    await rejects(classifier(model), 'MODEL_INVALID', /config\.json cannot be read/)
  })

  test('that onnxruntime refuses a file', async (t) => {
    const model = copyOfTinyVit(t)
    truncateSync(join(model, 'onnx', 'model.onnx'), 5000)
    await rejects(classifier(model), 'MODEL_INVALID', /onnxruntime cannot load .*model\.onnx/)
    truncateSync(join(model, 'onnx', 'model_quantized.onnx'), 5000)
    await rejects(
      classifier(model, { dtype: 'q8' }),
      'MODEL_INVALID',
      /onnxruntime cannot load .*model_quantized\.onnx/,
    )
  })

  test('that Node may load no addons, which onnxruntime is', async () => {
    const { stdout } = await runProgram(
      `await pipeline('image-classification', model).catch(({ code, message }) => console.log(code, message))`,
      { NODE_OPTIONS: '--no-addons' },
    )
    assert.match(
      stdout,
      /^RUNTIME_UNAVAILABLE onnxruntime-node cannot be loaded \(.*\)\. Let Node load addons: [^\n]*\n$/,
    )
  })

  test('that a model does not take pictures', async (t) => {
    const model = copyOfTinyVit(t)
    copyFileSync(fixture('integers', 'plain.onnx'), join(model, 'onnx', 'model.onnx'))
    await rejects(
      classifier(model),
      'MODEL_INVALID',
      /Expected one input of pixels, .* in float32, got x \[2, 4\] in uint8/,
    )
  })

  test('that a picture is so long and narrow that it would be gigantic for the model', async (t) => {
    const model = copyOfTinyVit(t)
    edit(join(model, 'preprocessor_config.json'), (settings) => {
      Object.assign(settings, { size: { shortest_edge: 32 }, crop_size: 32, do_center_crop: true })
      settings.image_processor_type = 'BitImageProcessor'
    })
    const made = await classifier(model)
    await rejects(
      made(new Image(new Uint8Array(3e6), 1, 1e6)),
      'IMAGE_TOO_LARGE',
      /got 1×1000000, for .* 32×32000000\./,
    )
    assert.equal(((await made(new Image(new Uint8Array(3000), 1, 1000))) as unknown[]).length, 5)
    await made.close()
  })

  test('that a picture prepared so does not fit the model', async (t) => {
    const model = copyOfTinyVit(t)
    const onnx = join(model, 'onnx', 'model.onnx')
    writeFileSync(onnx, withInput(readFileSync(onnx), [null, 3, null, null]))
    edit(join(model, 'preprocessor_config.json'), (settings) => {
      settings.size = { height: 40, width: 40 }
    })
    const made = await classifier(model)
    await rejects(made(fixture('pictures', 'colour-64x64.png')), 'MODEL_INVALID', /onnxruntime cannot run/)
    await made.close()
  })
})

describe('from the Hub', () => {
  const home = mkdtempSync(join(tmpdir(), 'rayito-home-'))
  process.env.HF_HUB_CACHE = home
  after(() => rmSync(home, { recursive: true, force: true }))

  test('a model is named by its commit, downloaded once and read by name', async () => {
    const files = folderFiles(tinyVit)
    const { 'onnx/model_quantized.onnx': _, ...fp32 } = files
    const { 'preprocessor_config.json': settings, ...others } = fp32
    const whole = `{"image_processor": ${Buffer.from(settings as Uint8Array).toString()}}`
    const { model, data } = withDataBeside(files['onnx/model.onnx'] as Uint8Array, 'model.onnx.data')
    const hub = await HubStandIn.start({
      'models/owner/vit': files,
      'models/owner/fp32': fp32,
      'models/owner/beside': { ...fp32, 'onnx/model.onnx': model, 'onnx/model.onnx.data': data },
      'models/owner/whole': { ...others, 'processor_config.json': whole },
      'models/owner/torch': { 'config.json': '{}' },
      'models/owner/half': { 'config.json': '{}', 'onnx/model_fp16.onnx': 'weights' },
      'models/owner/root': { 'config.json': '{}', 'model.onnx': 'weights' },
    })
    try {
      const options = { endpoint: hub.endpoint, progress: false }
      const first = await classifier('owner/vit', options)
      assert.match(first.revision, /^[0-9a-f]{40}$/)
      assert.ok(!hub.requests.some(({ url }) => url.includes('model_quantized')), 'only what is needed')
      const asked = hub.requests.length
      const second = await classifier('owner/vit', options)
      assert.equal(hub.requests.length, asked)
      const picture = fixture('pictures', 'colour-64x64.png')
      const here = await classifier(tinyVit)
      assert.deepEqual(await second(picture), await here(picture))
      const beside = await classifier('owner/beside', options)
      assert.deepEqual(await beside(picture), await here(picture), 'weights beside the graph come along')
      const parts = await classifier('owner/whole', options)
      assert.deepEqual(
        await parts(picture),
        await here(picture),
        'a processor of several parts stands for the settings',
      )
      await Promise.all([second, here, beside, parts].map((one) => one.close()))

      await rejects(
        classifier('owner/fp32', { ...options, dtype: 'q8' }),
        'MODEL_INVALID',
        /owner\/fp32 has no file onnx\/model_quantized\.onnx\. Use dtype 'fp32'/,
      )
      await rejects(
        classifier('owner/torch', options),
        'MODEL_INVALID',
        /owner\/torch has no file onnx\/model\.onnx\. Choose an image-classification model/,
      )
      await rejects(
        classifier('owner/root', options),
        'MODEL_INVALID',
        /owner\/root has no file onnx\/model\.onnx\. Download the model into a folder\. Move its model\.onnx/,
      )
      await rejects(
        classifier('owner/half', options),
        'MODEL_INVALID',
        /onnx\/model\.onnx\. It has onnx\/model_fp16\.onnx; what is read here is/,
      )
      await rejects(classifier('owner/nobody', options), 'HUB_REPO_NOT_FOUND', /owner\/nobody/)

      // as Python leaves it after AutoConfig.from_pretrained: some files and no list of all
      const python = { ...options, cacheDir: join(home, 'python') }
      await hubFile({ type: 'model', id: 'owner/vit' }, 'config.json', python)
      rmSync(join(python.cacheDir, 'models--owner--vit/trees'), { recursive: true })
      await rejects(
        classifier('owner/vit', { ...python, offline: true }),
        'HUB_OFFLINE',
        /onnx\/model\.onnx of model owner\/vit \(main\) in the cache/,
      )
      await hubFile({ type: 'model', id: 'owner/vit' }, 'preprocessor_config.json', python)
      await hubFile({ type: 'model', id: 'owner/vit' }, 'onnx/model.onnx', python)
      rmSync(join(python.cacheDir, 'models--owner--vit/trees'), { recursive: true })
      hub.faults.missing = true
      const kept = await classifier('owner/vit', python)
      assert.deepEqual(await kept(picture), await first(picture), 'what is there counts, as in Python')
      await Promise.all([first, kept].map((one) => one.close()))
      await rejects(
        classifier('owner/vit', { ...python, dtype: 'q8' }),
        'HUB_REPO_NOT_FOUND',
        /model_quantized\.onnx of/,
      )
      const nobody = { ...python, dtype: 'q8', endpoint: 'http://127.0.0.1:9', retries: 0 }
      await rejects(
        classifier('owner/vit', nobody),
        'HUB_UNREACHABLE',
        /127\.0\.0\.1:9 to answer for onnx\/model_quantized\.onnx of model owner\/vit/,
      )
    } finally {
      await hub.close()
    }
  })

  test('the model is chosen and named when none is given, once', async () => {
    const hub = await HubStandIn.start({ 'models/Xenova/vit-base-patch16-224': folderFiles(tinyVit) })
    try {
      const { code, stderr, stdout } = await runProgram(
        `
        import { Worker, isMainThread } from 'node:worker_threads'
        const made = await pipeline('image-classification')
        const again = await pipeline('image-classification')
        if (isMainThread) {
          console.log(made.model)
          await new Promise((resolve) => new Worker(new URL(import.meta.url)).on('exit', resolve))
        }
      `,
        { HF_ENDPOINT: hub.endpoint, HF_HUB_DISABLE_PROGRESS_BARS: '1' },
      )
      assert.equal(code, 0, stderr)
      assert.equal(stdout, 'Xenova/vit-base-patch16-224\n')
      const [line, ...rest] = stderr.split('\n').filter((line) => /No model/.test(line))
      assert.match(
        line!,
        /^No model was supplied, defaulted to Xenova\/vit-base-patch16-224 \(google\/vit-base-patch16-224 as ONNX\) and revision [0-9a-f]{7} \(https:/,
      )
      assert.deepEqual(rest, [])
    } finally {
      await hub.close()
    }
  })
})
