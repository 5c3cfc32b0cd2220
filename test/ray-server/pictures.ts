import { Image } from '#src/datasets/index.js'

/** A picture of 32 × 32 pixels that the tiny classifier of the fixtures has an opinion of. */
export async function striped(seed: number): Promise<Uint8Array<ArrayBuffer>> {
  const start = [(seed * 7919) % 256, (seed * 104_729) % 256, (seed * 31) % 256]
  const [k, m] = [(seed % 37) + 1, (seed % 11) + 1]
  const data = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => {
    const [x, y] = [Math.floor(i / 3) % 32, Math.floor(i / 96)]
    return (start[i % 3]! + x * k + y * m * k) & 255
  })
  return new Uint8Array(await Image.fromPixels(data, 32, 32).toPng())
}

/** Of 'ibis, sacred ibis' it is sure (0.95), of 'bee' too (0.99). */
export const ibis = () => striped(2436)
export const bee = () => striped(2380)

/** Of 'ibis, sacred ibis' 0.7997, of 'bee' 0.8003. */
export const almostSure = () => striped(2767)
export const justSure = () => striped(4567)
