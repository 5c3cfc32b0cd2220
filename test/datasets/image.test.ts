import loose from 'node:assert'
import assert from 'node:assert/strict'
import { createReadStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, describe, test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { inspect } from 'node:util'
import { deflateSync } from 'node:zlib'
import sharp from 'sharp'
import { crc32 } from '#src/core/png.js'
import { serialize } from '#src/core/travel.js'
import { reviveImage } from '#src/datasets/image/image.js'
import { Image } from '#src/datasets/index.js'
import { PICTURES, temporary } from './support.js'

const path = join(PICTURES, 'colour.png')
const bytes = readFileSync(path)

/** Four pixels in a row, of as many channels. */
const strip = (channels: 1 | 3 | 4) =>
  new Image(
    Uint8Array.from({ length: 4 * channels }, (_, i) => i * 15),
    4,
    1,
  )

describe('Image.open', () => {
  test('takes bytes, a path, a file URL, a Blob and streams', async () => {
    const { data } = await Image.open(path)
    const sources = [
      bytes,
      new Uint8Array(bytes).buffer,
      pathToFileURL(path),
      pathToFileURL(path).href,
      new Blob([bytes]),
      createReadStream(path),
      Readable.from([bytes.subarray(0, 100), bytes.subarray(100)]),
      new Blob([bytes]).stream(),
      `data:image/png;base64,${bytes.toString('base64')}`,
      new URL(`data:;BASE64,${bytes.toString('base64')}`),
    ]
    for (const source of sources) assert.deepEqual((await Image.open(source)).data, data)
  })

  test('judges by the bytes, not by the name', async (t) => {
    const folder = temporary(t)
    const image = await Image.open(path)
    await image.save(join(folder, 'a.jpg'))
    const renamed = readFileSync(join(folder, 'a.jpg'))
    assert.equal((await Image.open(renamed)).width, image.width)
    await assert.rejects(Image.open(Buffer.from('<svg width="9" height="9"></svg>')), {
      code: 'IMAGE_INVALID',
      message: 'Expected a picture, got 32 bytes beginning with 0x3c73766720776964. Give PNG, JPEG, WebP or GIF.',
    })
  })

  test('says what is wrong with the source', async () => {
    await assert.rejects(Image.open(join(PICTURES, 'none.png')), {
      code: 'IMAGE_NOT_FOUND',
      message: /none\.png, where there is no file/,
    })
    // It never ends, and a data set of the Hub may name it.
    if (process.platform !== 'win32')
      await assert.rejects(Image.open('/dev/zero'), { code: 'IMAGE_NOT_FOUND', message: /\/dev\/zero, got a device\./ })
    await assert.rejects(Image.open('https://example.org/cat.jpg'), {
      code: 'INVALID_ARGUMENT',
      message: /got the address https:\/\/example\.org\/cat\.jpg\. Fetch it first/,
    })
    for (const source of ['data:image/png,abc', 'data:text'])
      await assert.rejects(Image.open(source), {
        code: 'INVALID_ARGUMENT',
        message: /`source` to be a data: URL in base64/,
      })
    await assert.rejects(Image.open(''), { code: 'INVALID_ARGUMENT', message: /`source`.* got `` \(string\)/ })
    // Not as long as what was taken for a path.
    await assert.rejects(Image.open('A'.repeat(1e5)), (error: Error) => error.message.length < 400)
    await assert.rejects(Image.open(17 as never), {
      code: 'INVALID_ARGUMENT',
      message: /`source`.* got `17` \(number\)/,
    })
    await assert.rejects(Image.open(new Uint8Array()), { code: 'IMAGE_INVALID', message: /got no bytes/ })
  })

  test('tells a picture that was cut short from one that is damaged', async () => {
    for (const file of ['colour.png', 'colour-420.jpg', 'lossy.webp', 'palette.gif']) {
      const whole = readFileSync(join(PICTURES, file))
      await assert.rejects(Image.open(whole.subarray(0, whole.length >> 1)), { code: 'IMAGE_TRUNCATED' }, file)
    }
    const damaged = Uint8Array.from(bytes)
    damaged.fill(0, 60, 300)
    await assert.rejects(Image.open(damaged), { code: 'IMAGE_INVALID' })
    for (const file of ['lossy.webp', 'palette.gif', 'colour-420.jpg']) {
      const whole = Uint8Array.from(readFileSync(join(PICTURES, file)))
      whole.fill(0xff, 12, whole.length - 2)
      await assert.rejects(Image.open(whole), { code: 'IMAGE_INVALID' }, file)
    }
  })

  test('reads a GIF whose frame has the palette as one whose file has it, around the frame too', async () => {
    const gif = readFileSync(join(PICTURES, 'offset.gif'))
    const colours = gif[10]! & 7
    const behind = 13 + 3 * (2 << colours)
    let at = behind
    while (gif[at] !== 0x2c) {
      at += 2
      while (gif[at]! > 0) at += gif[at]! + 1
      at++
    }
    const own = Buffer.from([...gif.subarray(0, 13), ...gif.subarray(behind, at + 10), ...gif.subarray(13, behind)])
    own[10]! &= 0x7f
    own[13 + at + 9 - behind]! |= 0x80 | colours
    const [image, other] = [await Image.open(gif), await Image.open(Buffer.concat([own, gif.subarray(at + 10)]))]
    assert.deepEqual([other.mode, other.width], ['RGBA', image.width])
    assert.deepEqual(other.data, image.data)
  })

  test('of texts in a PNG that tell how to turn it the last counts, as to Pillow, which looks behind a damaged iTXt alone', async () => {
    const chunk = (type: string, body: Uint8Array) => {
      const named = Buffer.concat([Buffer.from(type), body])
      const [length, sum] = [Buffer.alloc(4), Buffer.alloc(4)]
      length.writeUInt32BE(body.length)
      sum.writeUInt32BE(crc32(named))
      return Buffer.concat([length, named, sum])
    }
    const turned = Buffer.from('MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0', 'latin1').toString('hex')
    const packed = deflateSync(`\nexif\n      ${turned.length / 2}\n${turned}\n`)
    const text = (packed: Uint8Array) =>
      chunk('zTXt', Buffer.concat([Buffer.from('Raw profile type exif\0\0'), packed]))
    const plain = await sharp({ create: { width: 2, height: 3, channels: 3, background: 'red' } })
      .png()
      .toBuffer()
    const sizeWith = async (...texts: Buffer[]) => {
      const { width, height } = await Image.open(Buffer.concat([plain.subarray(0, 33), ...texts, plain.subarray(33)]))
      return [width, height]
    }
    const damaged = packed.subarray(0, -8)
    assert.deepEqual(await sizeWith(text(damaged), text(packed)), [3, 2])
    assert.deepEqual(await sizeWith(text(packed), text(damaged)), [2, 3])
    const xmp = (...rest: (string | Uint8Array)[]) =>
      chunk('iTXt', Buffer.concat(['XML:com.adobe.xmp\0', ...rest].map((part) => Buffer.from(part as string))))
    const told = xmp('\0\0\0\0', '<x tiff:Orientation="6"/>')
    for (const broken of [xmp('\x01\0\0\0', 'no deflate'), xmp('\x01\x01\0\0', packed), xmp()])
      assert.deepEqual(await sizeWith(told, broken), [3, 2])
    assert.deepEqual(await sizeWith(told, xmp('\0\0\0\0', 'none')), [2, 3])
  })

  test('reads a picture with a gain map as one without, also where the map was cut off', async () => {
    const plain = await Image.open(join(PICTURES, 'turned-6-grey.jpg'))
    const gained = readFileSync(join(PICTURES, 'gain-map-grey.jpg'))
    const marker = gained.indexOf('MPF') - 4
    // As many 0xff as one likes may stand before a marker.
    const filled = Buffer.concat([gained.subarray(0, marker), Buffer.of(0xff, 0xff), gained.subarray(marker)])
    for (const one of [gained, gained.subarray(0, -100), filled]) {
      const before = Buffer.from(one)
      const image = await Image.open(one)
      assert.deepEqual([image.width, image.data], [plain.width, plain.data])
      assert.deepEqual(one, before)
    }
  })

  test('refuses a picture of too many pixels before it is unfolded', async () => {
    await assert.rejects(Image.open(promising(60_000, 60_000)), {
      code: 'IMAGE_TOO_LARGE',
      message:
        /^Expected a picture of at most 178,956,970 pixels, got 60000×60000\. Raise the maxPixels option .*Image\.open\(picture, { maxPixels }\)/,
    })
    // A GIF's canvas counts, however small the frame on it.
    const gif = readFileSync(join(PICTURES, 'canvas-640-480.gif'))
    await assert.rejects(Image.open(gif, { maxPixels: 640 * 480 - 1 }), { message: /, got 640×480\./ })
    gif.fill(0xff, 6, 10)
    await assert.rejects(Image.open(gif), { code: 'IMAGE_TOO_LARGE', message: /, got 65535×65535\./ })
    await assert.rejects(Image.open(path, { maxPixels: 34 * 26 - 1 }), { code: 'IMAGE_TOO_LARGE' })
    assert.equal((await Image.open(path, { maxPixels: 34 * 26 })).width, 34)
    for (const maxPixels of [0, Number.NaN, 10n, '10', true, null] as number[])
      await assert.rejects(Image.open(path, { maxPixels }), { code: 'INVALID_ARGUMENT', message: /`maxPixels`/ })
  })

  test('refuses options that there are not', async () => {
    await assert.rejects(Image.open(path, { max_pixels: 4 } as object), {
      code: 'INVALID_ARGUMENT',
      message: /no option `max_pixels` here\. Known are maxPixels\./,
    })
    assert.equal((await Promise.all([path].map(Image.open as never))).length, 1)
    for (const options of ['4', null] as never[])
      await assert.rejects(Image.open(path, options), {
        code: 'INVALID_ARGUMENT',
        message: /`options` to be an object/,
      })
  })

  test('takes as many pixels as Pillow does, which only warns from half as many on', async () => {
    await assert.rejects(Image.open(promising(13_377, 13_377)), { code: 'IMAGE_TRUNCATED' })
    await assert.rejects(Image.open(promising(13_377, 13_378)), { code: 'IMAGE_TOO_LARGE' })
  })
})

/** A PNG whose header promises as many pixels and which ends before it holds any. */
function promising(width: number, height: number): Buffer {
  const png = Buffer.from(bytes.subarray(0, 60))
  png.writeUInt32BE(width, 16)
  png.writeUInt32BE(height, 20)
  png.writeUInt32BE(crc(png.subarray(12, 29)), 29)
  return png
}

function crc(part: Uint8Array): number {
  let value = -1
  for (const byte of part) {
    value ^= byte
    for (let bit = 0; bit < 8; bit++) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1
  }
  return ~value >>> 0
}

describe('Image', () => {
  test('has one, three or four channels', () => {
    assert.deepEqual([strip(1).mode, strip(3).mode, strip(4).mode], ['L', 'RGB', 'RGBA'])
    assert.equal(Image.fromPixels(new Uint8Array(6), 1, 2).channels, 3)
    const message = /Expected `data.length` to be 1, 3 or 4 samples for each of 2×2 pixels, got `8`/
    assert.throws(() => new Image(new Uint8Array(8), 2, 2), { code: 'INVALID_ARGUMENT', message })
    assert.throws(() => new Image(new Uint8Array(0), 0, 2), { code: 'INVALID_ARGUMENT', message: /`width`/ })
    for (const data of [[1, 2, 3], 'abc', null, new Float32Array(3), new ArrayBuffer(3), { length: 3 }] as never[])
      for (const make of [() => new Image(data, 1, 1), () => Image.fromPixels(data, 1, 1)])
        assert.throws(make, { code: 'INVALID_ARGUMENT', message: /^Expected `data` to be a Uint8Array, got / })
  })

  test('has the samples of a canvas, which are clamped, as bytes', async () => {
    const canvas = new Uint8ClampedArray(new Uint8Array(16).map((_, i) => i).buffer, 8, 4)
    const image = new Image(canvas, 1, 1)
    assert.deepEqual(image, new Image(Uint8Array.of(8, 9, 10, 11), 1, 1))
    assert.equal(image.data.buffer, canvas.buffer, 'not copied')
  })

  test('toRgb repeats grey and drops alpha', () => {
    assert.deepEqual([...strip(1).toRgb().data], [0, 0, 0, 15, 15, 15, 30, 30, 30, 45, 45, 45])
    assert.deepEqual([...strip(4).toRgb().data], [0, 15, 30, 60, 75, 90, 120, 135, 150, 180, 195, 210])
    const rgb = strip(3)
    assert.equal(rgb.toRgb(), rgb)
  })

  test('toPng keeps every sample', async () => {
    for (const channels of [1, 3, 4] as const) {
      const image = strip(channels)
      const again = await Image.open(await image.toPng())
      assert.deepEqual([again.mode, again.data], [image.mode, new Uint8Array(image.data)])
    }
  })

  test('save writes what the extension says', async (t) => {
    const folder = temporary(t)
    const image = await Image.open(path)
    for (const [name, beginning] of Object.entries({
      'a.png': '89504e47',
      'b.JPG': 'ffd8ff',
      'c.jpeg': 'ffd8ff',
      'd.webp': '52494646',
    })) {
      await image.save(join(folder, name))
      const written = readFileSync(join(folder, name))
      assert.ok(written.toString('hex').startsWith(beginning), name)
      assert.equal((await Image.open(written)).height, image.height)
    }
    await image.save(pathToFileURL(join(folder, 'e.png')))
    assert.deepEqual((await Image.open(join(folder, 'e.png'))).data, image.data)
    await strip(4).save(join(folder, 'f.jpg'))
    assert.equal((await Image.open(join(folder, 'f.jpg'))).mode, 'RGB')
    await strip(1).save(join(folder, 'g.jpg'))
    assert.equal((await Image.open(join(folder, 'g.jpg'))).mode, 'L')
    await assert.rejects(image.save(join(folder, 'h.bmp')), {
      code: 'INVALID_ARGUMENT',
      message: /to be a name that ends in \.png.* got `.*h\.bmp`/,
    })
    await image.save(pathToFileURL(join(folder, 'i.png')).href)
    assert.equal((await Image.open(join(folder, 'i.png'))).height, image.height)
    for (const place of [null, 5, '', {}, new URL('https://localhost/a.png')] as never[])
      await assert.rejects(image.save(place), {
        code: 'INVALID_ARGUMENT',
        message: /^Expected `path` to be a path or a file URL, got /,
      })
  })

  test('prints its mode and size', () => {
    assert.equal(inspect(strip(3)), '<Image mode=RGB size=4x1>')
    assert.equal(inspect({ image: strip(1), label: 7 }), '{ image: <Image mode=L size=4x1>, label: 7 }')
  })

  test('crosses in shared memory, copied once', async () => {
    const image = await Image.open(path)
    const { data } = image
    const first = image[serialize]()
    const second = image[serialize]()
    const sent = first.data as { data: Uint8Array; width: number; height: number }
    assert.ok(sent.data.buffer instanceof SharedArrayBuffer)
    assert.equal((second.data as typeof sent).data.buffer, sent.data.buffer)
    assert.deepEqual(new Uint8Array(image.data), data)
    const other = reviveImage(structuredClone(sent))
    assert.equal(other.data[0], data[0])
    assert.deepEqual([other.width, other.height, other.mode], [34, 26, 'RGB'])
    assert.deepEqual((await other.resize(5, 3)).data, (await image.resize(5, 3)).data)
    assert.deepEqual((await Image.open(await other.toPng())).data, data)
  })

  test('crosses to another thread when it is frozen, too', async () => {
    const image = Object.freeze(await Image.open(path))
    const sent = image[serialize]().data as Parameters<typeof reviveImage>[0]
    assert.ok(sent.data.buffer instanceof SharedArrayBuffer)
    assert.deepEqual(reviveImage(structuredClone(sent)), image)
  })
})

describe('compared with another', () => {
  test('an Image is deeply equal if all its pixels are, also after its way to a thread', async () => {
    const [image, same] = [await Image.open(path), await Image.open(path)]
    const { data, width, height } = same
    const other = new Image(
      data.map((sample, i) => (i === data.length - 1 ? sample ^ 1 : sample)),
      width,
      height,
    )
    for (const { deepEqual, notDeepEqual } of [assert, loose]) {
      deepEqual(image, same)
      notDeepEqual({ image }, { image: other })
    }
    assert.notDeepEqual(new Image(new Uint8Array(6), 2, 1), new Image(new Uint8Array(6), 1, 2))
    const sent = image[serialize]().data as Parameters<typeof reviveImage>[0]
    assert.deepEqual([image, reviveImage(structuredClone(sent))], [same, same])
  })

  test('as JSON it is small', async () => {
    const image = await Image.open(path)
    assert.equal(JSON.stringify({ image }), '{"image":{"width":34,"height":26,"channels":3}}')
  })
})

describe('in a notebook', () => {
  const shown: string[] = []
  const kernel = globalThis as { __tslab__?: unknown }
  const pretend = () => {
    kernel.__tslab__ = { require: () => ({ display: { html: (text: string) => shown.push(text) } }) }
  }
  afterEach(() => {
    delete kernel.__tslab__
    shown.length = 0
  })

  test('a picture shows itself as the value of a cell, larger than a stamp', async () => {
    pretend()
    const image = await Image.open(path)
    assert.equal(inspect(image), '<Image mode=RGB size=34x26>')
    assert.equal(shown.length, 1)
    assert.match(
      shown[0]!,
      /^<img alt="34×26 picture" style="width:160px;.*image-rendering:pixelated" src="data:image\/png;base64,/,
    )
    const png = Buffer.from(/base64,([^"]+)/.exec(shown[0]!)![1]!, 'base64')
    assert.deepEqual((await Image.open(png)).data, image.data)
  })

  test('of a large picture it gets a smaller copy', async () => {
    pretend()
    const image = await (await Image.open(path)).resize(3000, 1500, 'nearest')
    const html = image.toHTML()
    assert.match(html, /^<img alt="3000×1500 picture" style="width:1024px;.*image-rendering:auto"/)
    const copy = await Image.open(Buffer.from(/base64,([^"]+)/.exec(html)![1]!, 'base64'))
    assert.deepEqual(copy.data, (await image.resize(1024, 512)).data)
  })

  test('inside another value it is text only', () => {
    pretend()
    inspect([strip(3)])
    assert.equal(shown.length, 0)
  })

  test('display shows it anywhere', () => {
    pretend()
    strip(3).display()
    assert.equal(shown.length, 1)
  })
})
