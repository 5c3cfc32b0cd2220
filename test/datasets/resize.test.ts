import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import wabt from 'wabt'
import { KERNEL } from '#src/datasets/image/resize-kernel-bytes.js'
import { RESIZE_FILTERS, resize } from '#src/datasets/index.js'

const side = fc.integer({ min: 1, max: 24 })
const picture = fc
  .tuple(side, side, fc.constantFrom(1, 3, 4))
  .chain(([width, height, channels]) =>
    fc
      .uint8Array({ minLength: width * height * channels, maxLength: width * height * channels })
      .map((data) => ({ width, height, channels, data })),
  )
const filter = fc.constantFrom(...RESIZE_FILTERS)
const gentle = fc.constantFrom('nearest', 'box', 'bilinear', 'hamming' as const)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

describe('resize', () => {
  test('leaves one colour as it is', () => {
    fc.assert(
      fc.property(side, side, side, side, fc.nat(255), filter, (width, height, w, h, value, by) => {
        const data = new Uint8Array(width * height).fill(value)
        assert.deepEqual(resize(data, width, height, 1, w, h, by), new Uint8Array(w * h).fill(value))
      }),
    )
  })

  test('leaves one colour as it is in as many rows or columns as there may be', () => {
    for (const [width, height] of [
      [70, 5_000],
      [5_000, 70],
      [3, 40_000],
      [40_000, 3],
    ] as const)
      for (const filter of ['bilinear', 'lanczos'] as const) {
        const tall = resize(new Uint8Array(64 * 64 * 3).fill(77), 64, 64, 3, width, height, filter)
        assert.ok(tall.length === width * height * 3 && tall.every((sample) => sample === 77), `${width}×${height}`)
      }
  })

  test('makes nothing brighter or darker than it was with filters that have no negative lobes', () => {
    fc.assert(
      fc.property(picture, side, side, gentle, ({ data, width, height, channels }, w, h, by) => {
        const resized = resize(data, width, height, channels, w, h, by)
        assert.ok(Math.min(...resized) >= Math.min(...data))
        assert.ok(Math.max(...resized) <= Math.max(...data))
      }),
    )
  })

  test('treats each channel by itself', () => {
    fc.assert(
      fc.property(picture, side, side, filter, ({ data, width, height, channels }, w, h, by) => {
        const together = resize(data, width, height, channels, w, h, by)
        for (let c = 0; c < channels; c++) {
          const pick = (samples: Uint8Array) => samples.filter((_, i) => i % channels === c)
          assert.deepEqual(pick(together), resize(pick(data), width, height, 1, w, h, by))
        }
      }),
    )
  })

  const turned = (data: Uint8Array, width: number, height: number) =>
    Uint8Array.from({ length: data.length }, (_, i) => data[(i % height) * width + Math.floor(i / height)]!)

  test('makes a turned picture narrower or wider as it makes the picture lower or higher', () => {
    fc.assert(
      fc.property(picture, side, filter, ({ data, width, height }, to, by) => {
        const grey = data.subarray(0, width * height)
        const across = resize(grey, width, height, 1, width, to, by)
        const along = resize(turned(grey, width, height), height, width, 1, to, width, by)
        assert.deepEqual(across, turned(along, to, width))
      }),
    )
  })

  for (const [width, height, w, h] of [
    [700, 500, 299, 224],
    [3, 20_000, 2, 1],
    [20_000, 3, 1, 2],
    [64, 64, 900, 700],
    [700, 500, 690, 20],
  ] as const)
    test(`does so however large: ${width}×${height} to ${w}×${h}`, () => {
      const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => Math.imul(i, 2_654_435_761) >>> 24)
      const together = resize(data, width, height, 3, w, h, 'lanczos')
      for (let c = 0; c < 3; c++) {
        const one = data.filter((_, i) => i % 3 === c)
        // a step each, as Pillow's two are, in the same order
        const [first, second] =
          height > h && height - h > 2 * (width - w) ? ([width, h] as const) : ([w, height] as const)
        const half = resize(one, width, height, 1, first, second, 'lanczos')
        const tall = resize(turned(half, first, second), second, first, 1, h, w, 'lanczos')
        assert.deepEqual(
          together.filter((_, i) => i % 3 === c),
          turned(tall, h, w),
        )
      }
    })

  test('gives of a part what the whole has there', () => {
    const part = (of: number) =>
      fc.nat(of - 1).chain((first) => fc.tuple(fc.constant(first), fc.integer({ min: 1, max: of - first })))
    const parts = fc
      .tuple(picture, side, side, filter)
      .chain(([given, w, h, by]) => fc.tuple(fc.constant({ given, w, h, by }), part(w), part(h)))
    fc.assert(
      fc.property(parts, ([{ given, w, h, by }, [left, width], [top, height]]) => {
        const { data, width: from, height: rows, channels } = given
        const whole = resize(data, from, rows, channels, w, h, by)
        const cut = Array.from({ length: height }, (_, y) =>
          Array.from(whole.subarray(((top + y) * w + left) * channels, ((top + y) * w + left + width) * channels)),
        )
        const keep = { left, top, width, height }
        assert.deepEqual(Array.from(resize(data, from, rows, channels, w, h, by, keep)), cut.flat())
      }),
    )
  })

  test('refuses a part that the resized picture does not have', () => {
    const keep = { left: 1, top: 0, width: 4, height: 4 }
    assert.throws(() => resize(new Uint8Array(64), 8, 8, 1, 4, 4, 'box', keep), { code: 'INVALID_ARGUMENT' })
  })

  test('gives a copy where the size stays, and never writes to what it was given', () => {
    fc.assert(
      fc.property(picture, side, side, filter, ({ data, width, height, channels }, w, h, by) => {
        const before = data.slice()
        const same = resize(data, width, height, channels, width, height, by)
        assert.deepEqual(same, data)
        assert.notEqual(same.buffer, data.buffer)
        assert.equal(resize(data, width, height, channels, w, h, by).length, w * h * channels)
        assert.deepEqual(data, before)
      }),
    )
  })

  test('mirrors as the picture is mirrored when it halves', () => {
    const data = Uint8Array.from({ length: 16 * 8 }, (_, i) => (i * 37) % 256)
    const mirrored = data.slice()
    for (let y = 0; y < 8; y++) mirrored.subarray(y * 16, y * 16 + 16).reverse()
    const half = resize(data, 16, 8, 1, 8, 4, 'lanczos')
    const other = resize(mirrored, 16, 8, 1, 8, 4, 'lanczos')
    for (let y = 0; y < 4; y++) other.subarray(y * 8, y * 8 + 8).reverse()
    assert.deepEqual(other, half)
  })

  test('keeps nothing of how pictures like threads are resized', () => {
    const held = () => {
      // The second waits for what the first frees beside it.
      for (let i = 0; i < 2; i++) collect()
      return process.memoryUsage().arrayBuffers
    }
    const squeeze = (length: number) => {
      resize(new Uint8Array(3 * length), length, 1, 3, 8, 8)
      resize(new Uint8Array(3 * length), 1, length, 3, 8, 8)
    }
    squeeze(64)
    const before = held()
    for (let i = 0; i < 4; i++) squeeze(1_000_000 + i)
    const more = held() - before
    assert.ok(more < 16e6, `${more} bytes`)
  })

  test('says why WebAssembly, which it is made of, cannot be had', () => {
    const module = new URL('../../../dist/datasets/index.js', import.meta.url)
    const program = `
      import { resize } from ${JSON.stringify(module.href)}
      try { console.log(resize(new Uint8Array(3), 1, 1, 3, 2, 2).length) } catch ({ code, message }) { console.log(code, message) }`
    const told = (...command: string[]) =>
      spawnSync(command[0]!, [...command.slice(1), '--input-type=module', '-e', program], { encoding: 'utf8' }).stdout
    const cannot = /^RUNTIME_UNAVAILABLE WebAssembly, which resizes pictures, cannot be had \(.*\)\. /
    const without = told(process.execPath, '--jitless')
    assert.match(without, cannot)
    assert.match(without, /no --jitless\.\n$/)
    if (process.platform !== 'linux') return
    const little = told('sh', '-c', 'ulimit -v 6000000; exec "$@"', 'sh', process.execPath)
    // From Node 24 on V8 does with memory that has no unmapped room behind it.
    if (Number.parseInt(process.versions.node, 10) >= 24) return assert.equal(little, '12\n')
    assert.match(little, cannot)
    assert.match(little, /\(ulimit -v\)/)
  })

  test('takes shared memory', () => {
    const data = new Uint8Array(new SharedArrayBuffer(12)).fill(9)
    assert.deepEqual(resize(data, 2, 2, 3, 1, 1), Uint8Array.of(9, 9, 9))
  })

  test('says which argument is wrong', () => {
    const data = new Uint8Array(12)
    const wrong: [RegExp, () => unknown][] = [
      [/Expected `width` to be a whole number of pixels from 1 up, got `0`/, () => resize(data, 2, 2, 3, 0, 1)],
      [/Expected `height` to be .* got `1.5`/, () => resize(data, 2, 2, 3, 1, 1.5)],
      [/Expected `width × height` to be at most/, () => resize(data, 2, 2, 3, 100_000, 100_000)],
      [/Expected `data.length` to be 3×2×3 samples, got `12`/, () => resize(data, 3, 2, 3, 1, 1)],
      [
        /Expected `filter` to be one of nearest, lanczos, .* got `cubic`/,
        () => resize(data, 2, 2, 3, 1, 1, 'cubic' as never),
      ],
    ]
    for (const [message, call] of wrong) assert.throws(call, { code: 'INVALID_ARGUMENT', message })
  })
})

test("the kernel's bytes are its text, assembled", async () => {
  const text = readFileSync(new URL('../../../src/datasets/image/resize-kernel.wat', import.meta.url), 'utf8')
  const module = (await wabt()).parseWat('resize-kernel.wat', text, { simd: true })
  assert.equal(Buffer.from(module.toBinary({}).buffer).toString('base64'), KERNEL)
})
