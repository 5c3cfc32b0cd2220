import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import sharp from 'sharp'
import { decodeSmallJpeg } from '#src/datasets/image/small-jpeg.js'

const MAX = 1e6

/** A picture of random pixels, or of smooth ones, compressed little or much. */
const picture = fc
  .record({
    width: fc.integer({ min: 1, max: 128 }),
    height: fc.integer({ min: 1, max: 128 }),
    channels: fc.constantFrom(1, 3),
    seed: fc.integer({ min: 1, max: 1e6 }),
    smooth: fc.boolean(),
    quality: fc.integer({ min: 1, max: 100 }),
    chromaSubsampling: fc.constantFrom('4:4:4', '4:2:0'),
    optimizeCoding: fc.boolean(),
  })
  .map(({ width, height, channels, seed, smooth, ...options }) => {
    let state = seed
    const data = Uint8Array.from({ length: width * height * channels }, (_, i) => {
      state = (state * 1_103_515_245 + 12_345) & 0x7fffffff
      return smooth ? ((i / channels) * 3 + (i / (channels * width)) * 5 + (state % 7)) & 255 : state >> 16
    })
    return { width, height, channels: channels as 1 | 3, data, options }
  })

type Given = typeof picture extends fc.Arbitrary<infer T> ? T : never

async function encode({ data, width, height, channels, options }: Given): Promise<Buffer> {
  const image = sharp(data, { raw: { width, height, channels } })
  if (channels === 1) image.toColourspace('b-w')
  return image.jpeg(options).toBuffer()
}

/** What sharp makes of it; null where it refuses. */
async function bySharp(file: Buffer) {
  const image = sharp(file, { failOn: 'error', ignoreIcc: true })
  try {
    const { space } = await image.metadata()
    const { data, info } = await image
      .toColourspace(space === 'b-w' ? 'b-w' : 'srgb')
      .raw()
      .toBuffer({ resolveWithObject: true })
    return { width: info.width, height: info.height, channels: info.channels, data }
  } catch {
    return null
  }
}

const here = (file: Buffer) => {
  const pixels = decodeSmallJpeg(file, MAX)
  return pixels && { ...pixels, data: Buffer.from(pixels.data) }
}

describe('small JPEGs', () => {
  test('come out as sharp decodes them, to the last bit', () =>
    fc.assert(
      fc.asyncProperty(picture, async (given) => {
        const file = await encode(given)
        assert.deepEqual(here(file), await bySharp(file))
      }),
      { numRuns: 200 },
    ))

  // Where a damaged table makes numbers that no picture has, processors' fast arithmetic wraps and that of C does not.
  test('with one byte changed are left to sharp, or are pictures to it too; cut short they are left to it', () =>
    fc.assert(
      fc.asyncProperty(picture, fc.nat(), fc.integer({ min: 1, max: 255 }), async (given, at, change) => {
        const file = await encode(given)
        const changed = Buffer.from(file)
        changed[at % file.length]! ^= change
        const pixels = here(changed)
        if (pixels) {
          const { data, ...size } = pixels
          const { data: theirs, ...expected } = (await bySharp(changed))!
          assert.deepEqual([size, data.length], [expected, theirs.length])
        }
        assert.equal(here(file.subarray(0, (at % file.length) - 2)), null)
      }),
      { numRuns: 300 },
    ))

  test('larger than small or than allowed, progressive, turned by EXIF or in CMYK are left to sharp', async () => {
    const make = (width: number) => sharp({ create: { width, height: 100, channels: 3, background: 'red' } })
    assert.ok(here(await make(100).jpeg().toBuffer()))
    assert.equal(here(await make(200).jpeg().toBuffer()), null)
    assert.equal(decodeSmallJpeg(await make(100).jpeg().toBuffer(), 9_999), null)
    assert.equal(here(await make(100).jpeg({ progressive: true }).toBuffer()), null)
    assert.equal(here(await make(100).withMetadata({ orientation: 6 }).jpeg().toBuffer()), null)
    assert.equal(here(await make(100).toColourspace('cmyk').jpeg().toBuffer()), null)
  })

  test('of components called R, G and B, which are no YCbCr, are left to sharp', async () => {
    const file = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer()
    const [frame, scan] = [0xc0, 0xda].map((marker) => file.indexOf(Buffer.of(0xff, marker)))
    assert.deepEqual([file[frame! + 10], file[frame! + 13], file[scan! + 9]], [1, 2, 3])
    assert.ok(here(file))
    for (const [i, letter] of [...Buffer.from('RGB')].entries()) {
      file[frame! + 10 + 3 * i] = letter
      file[scan! + 5 + 2 * i] = letter
    }
    assert.equal(here(file), null)
  })

  test('thousands of broken ones leave the decoder as it was', async () => {
    const file = await sharp({ create: { width: 64, height: 64, channels: 3, background: 'red' } })
      .jpeg()
      .toBuffer()
    const broken = Buffer.from(file)
    // a table that the scan needs is not there
    broken[broken.indexOf(Buffer.from([0xff, 0xc4])) + 4] = 0x1f
    const before = process.memoryUsage().rss
    for (let i = 0; i < 3_000; i++) assert.equal(here(broken), null)
    assert.deepEqual(here(file), await bySharp(file))
    assert.ok(process.memoryUsage().rss - before < 300e6)
  })
})
