import { readFile, stat, writeFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { type InspectOptions, inspect, types } from 'node:util'
import { expected, RayitoError } from '../../core/errors.js'
import { notebookDisplay } from '../../core/notebook.js'
import { knownOptions } from '../../core/options.js'
import { pathOf } from '../../core/paths.js'
import { encodePng, type OwnBytes } from '../../core/png.js'
import { offer, otherCopy, serialize, type Travel, via } from '../../core/travel.js'
import { premultiply, unpremultiply } from './alpha.js'
import { decode } from './decode.js'
import { withOpenFile } from './open-files.js'
import { type ResizeFilter, resize } from './resize.js'

/** Samples of a pixel: 1 grey (Pillow's mode `L`), 3 `RGB`, 4 `RGBA`. */
export type Channels = 1 | 3 | 4

/** What a picture can be read from: the file's bytes, its path, file URL or `data:` URL in base64, or a stream of its bytes. */
export type ImageSource = string | URL | Uint8Array | ArrayBuffer | Readable | ReadableStream<Uint8Array> | Blob

/** How `Image.open` reads. */
export interface ImageOptions {
  /**
   * Width × height at most, judged before anything is unfolded: a small file can hold a gigantic picture.
   * @default 178956970, above which Pillow raises an error, too (half a gigabyte in RGB)
   */
  maxPixels?: number | undefined
}

/** @throws RayitoError INVALID_ARGUMENT */
export function checkMaxPixels(maxPixels: number): void {
  if (typeof maxPixels !== 'number' || !(maxPixels >= 1))
    expected('maxPixels', 'a number of pixels from 1 up', maxPixels)
}

/** Where Pillow raises its DecompressionBombError: twice its MAX_IMAGE_PIXELS, above which it warns. */
export const MAX_PIXELS = 2 * 89_478_485
const MODES: Record<Channels, string> = { 1: 'L', 3: 'RGB', 4: 'RGBA' }
/** Narrower pictures are drawn larger in a notebook, or a 64-pixel one is a stamp. */
const SHOWN_WIDTH = 160
/** Of larger ones a notebook gets a copy whose longer side is that: no page shows more. */
const LARGEST_SHOWN = 1024

/** A picture: decoded pixels, as Pillow decodes them. Not to be written to once it was handed to a task. */
export class Image {
  /** In pixels. */
  readonly width: number
  /** In pixels. */
  readonly height: number
  /** 1 grey, 3 RGB, 4 RGBA. */
  readonly channels: Channels
  /** Rows of pixels from the top; the samples of a pixel follow each other. */
  readonly data: Uint8Array

  /** @param data rows of pixels from the top, `width` × `height` × (1, 3 or 4) samples, else INVALID_ARGUMENT; kept, not copied. A canvas's are clamped */
  constructor(data: Uint8Array | Uint8ClampedArray, width: number, height: number) {
    const isClamped = types.isUint8ClampedArray(data)
    if (!isClamped && !types.isUint8Array(data)) expected('data', 'a Uint8Array', data)
    for (const [name, size] of Object.entries({ width, height }))
      if (!Number.isSafeInteger(size) || size < 1) expected(name, 'a whole number of pixels from 1 up', size)
    const channels = data.length / (width * height)
    if (channels !== 1 && channels !== 3 && channels !== 4)
      expected('data.length', `1, 3 or 4 samples for each of ${width}×${height} pixels`, data.length)
    this.data = isClamped ? new Uint8Array(data.buffer, data.byteOffset, data.length) : data
    this.width = width
    this.height = height
    this.channels = channels
  }

  /** Same as the constructor. */
  static fromPixels(data: Uint8Array | Uint8ClampedArray, width: number, height: number): Image {
    return new Image(data, width, height)
  }

  /**
   * Reads PNG, JPEG, WebP or the first frame of a GIF: by its bytes, whatever its name. The pixels are those that Pillow
   * gives, with the EXIF orientation applied.
   *
   * Rejects with IMAGE_INVALID, IMAGE_TRUNCATED, IMAGE_TOO_LARGE, IMAGE_NOT_FOUND when a file cannot be read, or INVALID_ARGUMENT: an
   * address of the web is none of these, fetch it first and give its body.
   */
  static async open(source: ImageSource, options: ImageOptions = {}): Promise<Image> {
    // Of `files.map(Image.open)` it is an index.
    const given = typeof options === 'number' ? {} : options
    knownOptions(given, ['maxPixels'])
    const { maxPixels = MAX_PIXELS } = given
    checkMaxPixels(maxPixels)
    const { data, width, height } = await decode(await bytesOf(source), maxPixels)
    return new Image(data, width, height)
  }

  /** Pillow's name for the kind of pixels: `L`, `RGB` or `RGBA`. */
  get mode(): string {
    return MODES[this.channels]
  }

  /** The picture in three channels, as Pillow's `convert("RGB")`: grey is repeated, alpha is dropped. */
  toRgb(): Image {
    if (this.channels === 3) return this
    const { channels } = this
    const from = this.data
    const rgb = new Uint8Array(this.width * this.height * 3)
    for (let i = 0, o = 0; i < from.length; i += channels) {
      rgb[o++] = from[i]!
      rgb[o++] = channels === 1 ? from[i]! : from[i + 1]!
      rgb[o++] = channels === 1 ? from[i]! : from[i + 2]!
    }
    return new Image(rgb, this.width, this.height)
  }

  /**
   * A new picture of that size, equal to Pillow's `resize` in every byte.
   * @param filter default `bilinear`, as image processors use it (Pillow's own default is bicubic)
   */
  async resize(width: number, height: number, filter: ResizeFilter = 'bilinear'): Promise<Image> {
    return this.#resized(width, height, filter)
  }

  #resized(width: number, height: number, filter: ResizeFilter): Image {
    const scale = (data: Uint8Array) => resize(data, this.width, this.height, this.channels, width, height, filter)
    const isSame = width === this.width && height === this.height
    const isMixing = this.channels === 4 && filter !== 'nearest' && !isSame
    const data = isMixing ? unpremultiply(scale(premultiply(this.data))) : scale(this.data)
    return new Image(data, width, height)
  }

  /** The picture as the bytes of a PNG file, for a Blob, a request or a file. */
  async toPng(): Promise<OwnBytes> {
    return this.#png()
  }

  /**
   * Writes the picture to a file; its extension says how: png, jpg, jpeg (quality 80, alpha dropped) or webp (quality 80).
   * Rejects with INVALID_ARGUMENT for another extension or what is no path, and with the system's error when the file cannot be written.
   */
  async save(path: string | URL): Promise<void> {
    const file = pathOf('path', path)
    const kind = extname(file).toLowerCase()
    if (!['.png', '.jpg', '.jpeg', '.webp'].includes(kind))
      expected('path', 'a name that ends in .png, .jpg, .jpeg or .webp', file)
    await writeFile(file, kind === '.png' ? this.#png() : await this.#encode(kind))
  }

  async #encode(kind: string): Promise<Uint8Array> {
    const { default: sharp } = await import('sharp')
    // sharp takes no shared memory, and JPEG no alpha: it is dropped, as toRgb() does.
    const { data, width, height, channels } = kind === '.webp' || this.channels === 1 ? this : this.toRgb()
    const picture = sharp(new Uint8Array(data), { raw: { width, height, channels } })
    if (channels === 1) picture.toColourspace('b-w')
    return kind === '.webp' ? picture.webp().toBuffer() : picture.jpeg().toBuffer()
  }

  #png(): OwnBytes {
    return encodePng(this.data, this.width, this.height, this.channels)
  }

  /**
   * An HTML element that shows the picture, for galleries in a notebook. Small pictures are drawn larger, pixel by pixel; of large
   * ones, as cameras make them, a smaller copy is shown, since a notebook's file holds all that it shows.
   */
  toHTML(): string {
    const scale = LARGEST_SHOWN / Math.max(this.width, this.height)
    const scaled = (side: number) => Math.max(1, Math.round(side * scale))
    const picture = scale < 1 ? this.#resized(scaled(this.width), scaled(this.height), 'bilinear') : this
    const shown = Math.max(picture.width, SHOWN_WIDTH)
    const source = Buffer.from(picture.#png()).toString('base64')
    const size = `width:${shown}px;max-width:100%;image-rendering:${shown > picture.width ? 'pixelated' : 'auto'}`
    return `<img alt="${this.width}×${this.height} picture" style="${size}" src="data:image/png;base64,${source}">`
  }

  /** Shows the picture below the cell of a notebook; elsewhere prints what it is. */
  display(): void {
    const notebook = notebookDisplay()
    if (notebook) notebook.display.html(this.toHTML())
    else console.log(inspect(this))
  }

  /** The value of a notebook's cell shows itself. */
  [inspect.custom](depth: number, options: InspectOptions): string {
    // Inside another value (a row, a list) the text must do.
    if (depth === options.depth) notebookDisplay()?.display.html(this.toHTML())
    return `<Image mode=${this.mode} size=${this.width}x${this.height}>`
  }

  /** Without its pixels, whose text would be many times their size. */
  toJSON(): object {
    return { width: this.width, height: this.height, channels: this.channels }
  }

  /** Crosses to other threads by its pixels, in shared memory from the first time on. */
  [serialize](): Travel {
    let { data } = this
    if (!(data.buffer instanceof SharedArrayBuffer)) {
      data = new Uint8Array(new SharedArrayBuffer(data.length))
      data.set(this.data)
      // One that is frozen stays as it is.
      Reflect.set(this, 'data', data)
    }
    return via(import.meta.url, 'reviveImage', { data, width: this.width, height: this.height })
  }
}

/** The other end of an Image's way. */
export function reviveImage({ data, width, height }: { data: Uint8Array; width: number; height: number }): Image {
  return new Image(data, width, height)
}

offer(reviveImage)

async function bytesOf(source: ImageSource): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source
  if (source instanceof ArrayBuffer) return new Uint8Array(source)
  if (source instanceof Blob) return new Uint8Array(await source.arrayBuffer())
  if (source instanceof Readable || source instanceof ReadableStream) return buffer(source as Readable)
  if ((typeof source !== 'string' && !(source instanceof URL)) || source === '')
    expected('source', "a picture's bytes, path, file URL or stream", source, otherCopy(source))
  if (/^data:/i.test(String(source))) return bytesOfData(String(source))
  if (/^(?!file:)[a-z][a-z+.-]+:/i.test(String(source)))
    throw new RayitoError('INVALID_ARGUMENT', `Expected a picture's bytes, file or stream, got the address ${source}`, {
      remedy: 'Fetch it first and give the body',
    })
  try {
    const path = String(source).startsWith('file:') ? fileURLToPath(source) : source
    return await withOpenFile(async () => {
      // Some never end, others never begin; a data set of the Hub may name any.
      if ((await stat(path)).isCharacterDevice()) throw new Error('a device')
      return readFile(path)
    })
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    // Bytes in base64 are easily taken for a path.
    const place = `Expected a picture in ${String(source).slice(0, 200)}`
    if (code === 'ENOENT')
      throw new RayitoError('IMAGE_NOT_FOUND', `${place}, where there is no file`, { cause: error })
    throw new RayitoError('IMAGE_NOT_FOUND', `${place}, got ${message.split(',')[0]}`, { cause: error })
  }
}

function bytesOfData(url: string): Uint8Array {
  const [head = ''] = /^data:[^,]{0,200};base64,/i.exec(url) ?? []
  return head ? Buffer.from(url.slice(head.length), 'base64') : expected('source', 'a data: URL in base64', url)
}
