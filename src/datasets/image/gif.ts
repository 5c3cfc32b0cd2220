/** What sharp does not tell of a GIF's first frame: where it lies on which canvas and which colour is its transparent one. */
export interface GifFrame {
  /** Of the canvas, grown to hold the frame. sharp tells the frame's size where libvips mistrusts the canvas: 640×480 and others, longer than 2048. */
  width: number
  height: number
  left: number
  top: number
  right: number
  bottom: number
  /** Index of the transparent colour, or null. */
  transparent: number | null
  /** Where the flags of the graphic control extension stand, if there is one; bit 0 says whether a colour is transparent. */
  flagsAt: number | null
  /** What Pillow fills the canvas with around the frame: the transparent colour, black where the palette has none, else the first one. */
  around: [number, number, number]
}

/**
 * Reads the blocks before the first picture, or null where they are damaged.
 * @see https://www.w3.org/Graphics/GIF/spec-gif89a.txt
 */
export function firstFrame(bytes: Uint8Array): GifFrame | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const paletteLength = (flags: number) => (flags & 0x80 ? 3 * (2 << (flags & 7)) : 0)
  try {
    let at = 13 + paletteLength(view.getUint8(10))
    let flagsAt: number | null = null
    for (;;) {
      const block = view.getUint8(at)
      if (block === 0x2c) break
      if (block !== 0x21) return null
      if (view.getUint8(at + 1) === 0xf9) flagsAt = at + 3
      at += 2
      while (view.getUint8(at) > 0) at += view.getUint8(at) + 1
      at++
    }
    const left = view.getUint16(at + 1, true)
    const top = view.getUint16(at + 3, true)
    const right = left + view.getUint16(at + 5, true)
    const bottom = top + view.getUint16(at + 7, true)
    const flags = view.getUint8(at + 9)
    const [palette, length] = flags & 0x80 ? [at + 10, paletteLength(flags)] : [13, paletteLength(view.getUint8(10))]
    const transparent = flagsAt !== null && view.getUint8(flagsAt) & 1 ? view.getUint8(flagsAt + 3) : null
    const colour = 3 * (transparent ?? 0)
    const sample = (c: number) => (colour < length ? view.getUint8(palette + colour + c) : 0)
    return {
      width: Math.max(view.getUint16(6, true), right),
      height: Math.max(view.getUint16(8, true), bottom),
      left,
      top,
      right,
      bottom,
      transparent,
      flagsAt,
      around: [sample(0), sample(1), sample(2)],
    }
  } catch {
    return null
  }
}
