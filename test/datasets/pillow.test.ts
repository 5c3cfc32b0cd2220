import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { Image, type ResizeFilter } from '#src/datasets/index.js'
import { manifest, PICTURES, readJson, sha256, shared, without } from './support.js'

describe('pictures equal Pillow in every byte', () => {
  for (const { file, mode, width, height, rgb, resized, own } of manifest.pictures) {
    test(`${file}: decoded, upright and in RGB`, async () => {
      const image = await Image.open(join(PICTURES, file))
      assert.deepEqual([image.width, image.height], [width, height])
      assert.equal(sha256(image.toRgb().data), rgb)
      if (mode === 'L' || mode === 'RGB' || mode === 'CMYK') assert.equal(image.mode, mode === 'L' ? 'L' : 'RGB')
    })

    test(`${file}: resized with every filter`, async () => {
      const image = (await Image.open(join(PICTURES, file))).toRgb()
      assert.deepEqual(await answers(image), resized)
    })

    if (own)
      test(`${file}: as ${mode}, resized with every filter`, async () => {
        const image = await Image.open(join(PICTURES, file))
        if (image.mode !== mode) return assert.fail(`${image.mode} instead of ${mode}`)
        assert.equal(sha256(image.data), own.data)
        assert.deepEqual(await answers(image), own.resized)
      })
  }
})

async function answers(image: Image): Promise<Record<string, string[]>> {
  const entries = Object.keys(manifest.pictures[0]!.resized).map(async (filter) => {
    const made = manifest.sizes.map(([width, height]) => image.resize(width, height, filter as ResizeFilter))
    return [filter, (await Promise.all(made)).map(({ data }) => sha256(data))] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

interface Golden {
  pictures: {
    file: string
    rgbSha256: string
    resized: { width: number; height: number; filter: ResizeFilter; sha256: string }[]
  }[]
}

const golden = shared('golden', 'resize')
test('the golden pictures too', { skip: without(golden, 'the folder of golden answers') }, async () => {
  for (const { file, rgbSha256, resized } of readJson<Golden>(golden!, 'manifest.json').pictures) {
    const image = (await Image.open(join(golden!, file))).toRgb()
    assert.equal(sha256(image.data), rgbSha256, file)
    for (const { width, height, filter, sha256: expected } of resized)
      assert.equal(sha256((await image.resize(width, height, filter)).data), expected, `${file} ${width} ${filter}`)
  }
})
