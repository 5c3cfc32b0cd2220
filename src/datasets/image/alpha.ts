/** Pillow resizes RGBA with its colours multiplied by alpha, so that what is invisible lends no colour (Image.resize, Convert.c). */

/** Colours × alpha / 255, rounded as Pillow's MULDIV255. */
export function premultiply(data: Uint8Array): Uint8Array {
  const output = new Uint8Array(data.length)
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]!
    for (let c = i; c < i + 3; c++) {
      const t = data[c]! * alpha + 128
      output[c] = ((t >> 8) + t) >> 8
    }
    output[i + 3] = alpha
  }
  return output
}

/** The way back, in place: colours × 255 / alpha, cut off, at most 255. */
export function unpremultiply(data: Uint8Array): Uint8Array {
  for (let i = 0; i < data.length; i += 4) {
    const alpha = data[i + 3]!
    if (alpha === 0 || alpha === 255) continue
    for (let c = i; c < i + 3; c++) data[c] = Math.min(255, (255 * data[c]!) / alpha)
  }
  return data
}
