import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import sharp from 'sharp'
import { decodeSmallPng } from '#src/datasets/image/small-png.js'

const MAX = 1e6

/** A picture of random pixels, or of smooth ones, which all of PNG's filters suit. */
const picture = fc
  .record({
    width: fc.integer({ min: 1, max: 40 }),
    height: fc.integer({ min: 1, max: 40 }),
    channels: fc.constantFrom(1, 3, 4),
    seed: fc.integer({ min: 1, max: 1e6 }),
    smooth: fc.boolean(),
    filtered: fc.boolean(),
  })
  .map(({ width, height, channels, seed, smooth, filtered }) => {
    let state = seed
    const data = Uint8Array.from({ length: width * height * channels }, (_, i) => {
      state = (state * 1_103_515_245 + 12_345) & 0x7fffffff
      return smooth ? ((i / channels) * 3 + (i / (channels * width)) * 5 + (state % 7)) & 255 : state >> 16
    })
    return { width, height, channels: channels as 1 | 3 | 4, data, filtered }
  })

type Given = typeof picture extends fc.Arbitrary<infer T> ? T : never

async function encode({ data, width, height, channels, filtered }: Given): Promise<Buffer> {
  const image = sharp(data, { raw: { width, height, channels } })
  if (channels === 1) image.toColourspace('b-w')
  return image.png({ adaptiveFiltering: filtered, compressionLevel: 6 }).toBuffer()
}

describe('small PNGs', () => {
  test('come out as sharp decodes them, whatever their filters', () =>
    fc.assert(
      fc.asyncProperty(picture, async (given) => {
        const pixels = decodeSmallPng(await encode(given), MAX)
        assert.ok(pixels)
        assert.deepEqual(
          { ...pixels, data: Buffer.from(pixels.data) },
          { width: given.width, height: given.height, channels: given.channels, data: Buffer.from(given.data) },
        )
      }),
      { numRuns: 150 },
    ))

  test('with one byte changed or missing are left to sharp, or give the same pixels', () =>
    fc.assert(
      fc.asyncProperty(picture, fc.nat(), fc.integer({ min: 1, max: 255 }), async (given, at, change) => {
        const file = await encode(given)
        const changed = Buffer.from(file)
        changed[at % file.length]! ^= change
        const pixels = decodeSmallPng(changed, MAX)
        if (pixels) assert.deepEqual(Buffer.from(pixels.data), Buffer.from(given.data))
        assert.equal(decodeSmallPng(file.subarray(0, at % file.length), MAX), null)
      }),
      { numRuns: 150 },
    ))

  test('with a checksum that is not that of its chunk, whichever it is, are left to sharp', async () => {
    const create = { width: 9, height: 9, channels: 3, background: 'red' } as const
    const file = await sharp({ create }).png().toBuffer()
    assert.ok(decodeSmallPng(file, MAX))
    for (let at = 8; at < file.length; ) {
      at += 12 + file.readUInt32BE(at)
      const changed = Buffer.from(file)
      changed[at - 1]! ^= 1
      assert.equal(decodeSmallPng(changed, MAX), null, `before ${at} of ${file.length}`)
    }
  })

  test('larger than small, or than allowed, are left to sharp', async () => {
    const make = (width: number) =>
      sharp({ create: { width, height: 100, channels: 3, background: 'red' } })
        .png()
        .toBuffer()
    assert.ok(decodeSmallPng(await make(100), MAX))
    assert.equal(decodeSmallPng(await make(200), MAX), null)
    assert.equal(decodeSmallPng(await make(100), 9_999), null)
  })
})
