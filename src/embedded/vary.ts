import { Random } from './random.js'

/** Edge of a picture of the set, in pixels. */
export const EDGE = 64
/** Edge of a rendered drawing. */
export const DRAWN = 128

/** A rendered drawing: DRAWN × DRAWN pixels of red, green, blue and alpha, and the box that is not empty. */
export interface Drawing {
  data: Uint8Array
  box: { left: number; top: number; right: number; bottom: number }
  /** Mean colour of what is opaque. */
  mean: Colour
}

type Colour = readonly [red: number, green: number, blue: number]

/** sin and cos of 0 to 16 degrees in 1/65536; floating-point sines may differ from machine to machine. */
const SIN = [0, 1144, 2287, 3430, 4572, 5712, 6850, 7987, 9121, 10252, 11380, 12505, 13626, 14742, 15855, 16962, 18064]
const COS = [
  65536, 65526, 65496, 65446, 65376, 65287, 65177, 65048, 64898, 64729, 64540, 64332, 64104, 63856, 63589, 63303, 62997,
]
/** Directions of a gradient, in 1/64. */
const DIRECTIONS: readonly (readonly [number, number])[] = [
  [64, 0],
  [59, 24],
  [45, 45],
  [24, 59],
  [0, 64],
  [-24, 59],
  [-45, 45],
  [-59, 24],
]
/** Each pixel is the mean of FINE × FINE points. */
const FINE = 4

/**
 * A picture of EDGE × EDGE RGB pixels: the drawing on a ground, scaled, turned and moved, its colours, sharpness and noise
 * varied. In whole numbers throughout, so that the same seed gives the same pixels on every machine.
 */
export function vary(drawing: Drawing, ...seed: [number, number, number]): Uint8Array {
  const random = new Random(...seed)
  const pixels = ground(random, drawing.mean)
  place(pixels, drawing, random)
  if (random.chance(150)) recolour(pixels, random)
  if (random.chance(80)) blur(pixels, random.between(12, 60))
  if (random.chance(64)) noise(pixels, random)
  return pixels
}

function colour(random: Random): Colour {
  const [red, green, blue] = [random.between(16, 255), random.between(16, 255), random.between(16, 255)]
  const grey = Math.floor((red + green + blue) / 3)
  const strength = random.between(40, 256)
  const mixed = (channel: number) => grey + (((channel - grey) * strength) >> 8)
  return [mixed(red), mixed(green), mixed(blue)]
}

/** A colour on which a drawing of this one can be seen. */
function apart(from: Colour, random: Random): Colour {
  let best: Colour = [255, 255, 255]
  for (let tries = 0, most = -1; tries < 6; tries++) {
    const candidate = tries === 0 && random.chance(72) ? ([255, 255, 255] as const) : colour(random)
    const [red, green, blue] = [candidate[0] - from[0], candidate[1] - from[1], candidate[2] - from[2]]
    const distance = Math.abs(red) * 3 + Math.abs(green) * 6 + Math.abs(blue)
    if (distance >= 500) return candidate
    if (distance > most) [best, most] = [candidate, distance]
  }
  return best
}

/** One colour, two that run into each other, or two that meet. */
function ground(random: Random, drawn: Colour): Uint8Array {
  const pixels = new Uint8Array(EDGE * EDGE * 3)
  const kind = random.between(0, 15)
  const first = apart(drawn, random)
  const second = kind < 7 ? first : apart(drawn, random)
  const [dx, dy] = DIRECTIONS[random.between(0, 7)]!
  const [x0, y0] = [random.between(0, EDGE - 1), random.between(0, EDGE - 1)]
  const horizon = random.between(24, 52)
  for (let y = 0, at = 0; y < EDGE; y++) {
    for (let x = 0; x < EDGE; x++) {
      // how much of the second colour there is, of 256
      let share = 0
      if (kind >= 14) share = y >= horizon ? 256 : 0
      else if (kind >= 11) share = Math.floor(Math.sqrt(((x - x0) * (x - x0) + (y - y0) * (y - y0)) * 16))
      else if (kind >= 7) share = 128 + (((2 * x - EDGE + 1) * dx + (2 * y - EDGE + 1) * dy) >> 5)
      share = Math.min(Math.max(share, 0), 256)
      for (let channel = 0; channel < 3; channel++) {
        pixels[at++] = (first[channel]! * (256 - share) + second[channel]! * share + 128) >> 8
      }
    }
  }
  return pixels
}

/** Lays the drawing on the ground: each point of the picture asks which point of the drawing lies there. */
function place(pixels: Uint8Array, { data, box }: Drawing, random: Random): void {
  const size = random.between(36, 54)
  const angle = random.between(-16, 16)
  const mirrored = random.chance(128)
  const slack = (EDGE - size) >> 2
  const [moveX, moveY] = [random.between(-slack, slack), random.between(-slack, slack)]
  const longest = Math.max(box.right - box.left, box.bottom - box.top) + 1
  // points of the drawing for each point of the picture, in 1/65536 of a pixel
  const step = Math.floor((longest * 65536) / (size * FINE))
  const cos = Math.floor((step * COS[Math.abs(angle)]!) / 65536)
  const sin = Math.floor((step * SIN[Math.abs(angle)]!) / 65536) * (angle < 0 ? -1 : 1)
  const [centreX, centreY] = [(box.left + box.right + 1) * 32768, (box.top + box.bottom + 1) * 32768]
  const middle = (EDGE * FINE) / 2
  for (let y = 0; y < EDGE; y++) {
    for (let x = 0; x < EDGE; x++) {
      let [red, green, blue, cover] = [0, 0, 0, 0]
      for (let point = 0; point < FINE * FINE; point++) {
        let dx = (x - moveX) * FINE + (point % FINE) - middle
        if (mirrored) dx = -1 - dx
        const dy = (y - moveY) * FINE + (point >> 2) - middle
        const fromX = (centreX + dx * cos + dy * sin + ((cos + sin) >> 1)) >> 16
        const fromY = (centreY - dx * sin + dy * cos + ((cos - sin) >> 1)) >> 16
        if (fromX < 0 || fromX >= DRAWN || fromY < 0 || fromY >= DRAWN) continue
        const from = (fromY * DRAWN + fromX) * 4
        const alpha = data[from + 3]!
        red += data[from]! * alpha
        green += data[from + 1]! * alpha
        blue += data[from + 2]! * alpha
        cover += alpha
      }
      if (cover === 0) continue
      const at = (y * EDGE + x) * 3
      const whole = 255 * FINE * FINE
      const mix = (sum: number, below: number) => Math.floor((sum + below * (whole - cover) + whole / 2) / whole)
      pixels[at] = mix(red, pixels[at]!)
      pixels[at + 1] = mix(green, pixels[at + 1]!)
      pixels[at + 2] = mix(blue, pixels[at + 2]!)
    }
  }
}

/** Lighter or darker, flatter or starker, paler or stronger; a Uint8ClampedArray keeps a byte a byte. */
function recolour(pixels: Uint8Array, random: Random): void {
  const [light, contrast, saturation] = [random.between(200, 300), random.between(200, 312), random.between(160, 352)]
  const clamped = new Uint8ClampedArray(pixels.buffer)
  for (let at = 0; at < pixels.length; at += 3) {
    const grey = (77 * pixels[at]! + 150 * pixels[at + 1]! + 29 * pixels[at + 2]!) >> 8
    for (let channel = at; channel < at + 3; channel++) {
      const coloured = grey + (((pixels[channel]! - grey) * saturation) >> 8)
      clamped[channel] = 128 + (((((coloured * light) >> 8) - 128) * contrast) >> 8)
    }
  }
}

/** Each pixel takes `side` of 256 from either neighbour, along rows and then along columns. */
function blur(pixels: Uint8Array, side: number): void {
  for (const [step, stride] of [
    [3, EDGE * 3],
    [EDGE * 3, 3],
  ] as const) {
    for (let line = 0; line < EDGE; line++) {
      for (let channel = 0; channel < 3; channel++) {
        const start = line * stride + channel
        let before = pixels[start]!
        for (let i = 0, at = start; i < EDGE; i++, at += step) {
          const here = pixels[at]!
          const after = i < EDGE - 1 ? pixels[at + step]! : here
          pixels[at] = ((before + after) * side + here * (256 - 2 * side) + 128) >> 8
          before = here
        }
      }
    }
  }
}

/** The sum of four bytes is nearly normal, with a deviation of 148. */
function noise(pixels: Uint8Array, random: Random): void {
  const strength = random.between(3, 15)
  const clamped = new Uint8ClampedArray(pixels.buffer)
  for (let at = 0; at < pixels.length; at++) {
    const four = random.next()
    const sum = (four & 255) + ((four >> 8) & 255) + ((four >> 16) & 255) + (four >>> 24)
    clamped[at] = pixels[at]! + (((sum - 510) * strength) >> 7)
  }
}
