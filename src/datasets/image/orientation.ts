import { inflateSync } from 'node:zlib'

/** Where ImageMagick noted EXIF before PNG had a chunk for it, and what XMP is called there. */
const [RAW_EXIF, XMP] = ['Raw profile type exif', 'XML:com.adobe.xmp']
/** Bytes of a text at most, as with Pillow. */
const LONGEST_TEXT = 1 << 20

/**
 * How a PNG is to be turned, in EXIF's numbers; undefined where nothing tells. As Pillow it looks behind the pixels, too, where ImageMagick
 * and ExifTool write, and into the text that older versions of the former made of EXIF. Of several chunks of a kind the last counts.
 */
export function pngOrientation(bytes: Uint8Array): number | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let exif: Buffer | undefined
  const texts = new Map<string, Chunk[]>()
  for (let at = 8, end = 0; at + 12 <= file.length; at = end + 4) {
    end = at + 8 + file.readUInt32BE(at)
    const type = file.toString('latin1', at + 4, at + 8)
    const body = file.subarray(at + 8, end)
    if (type === 'eXIf') exif = body
    else if (/^(tEXt|zTXt|iTXt)$/.test(type)) note(texts, { type, body })
  }
  const raw = exif ? undefined : lastOf(texts.get(RAW_EXIF))
  if (raw) exif = Buffer.from(raw.toString('latin1').split('\n').slice(3).join(''), 'hex')
  return (exif && exifOrientation(exif)) ?? xmpOrientation(lastOf(texts.get(XMP)))
}

/** Orientation as XMP notes it, where Pillow looks for it. */
export function xmpOrientation(xmp: Buffer | undefined): number | undefined {
  const digit = xmp && /tiff:Orientation(?:="|>)([0-9])/.exec(xmp.toString('latin1'))?.[1]
  return digit === undefined ? undefined : Number(digit)
}

interface Chunk {
  type: string
  body: Buffer
}

function note(texts: Map<string, Chunk[]>, chunk: Chunk): void {
  const { body } = chunk
  const name = body.toString('latin1', 0, body.indexOf(0))
  if (name !== RAW_EXIF && name !== XMP) return
  const known = texts.get(name)
  if (known) known.push(chunk)
  else texts.set(name, [chunk])
}

/** Damaged ones that are looked behind. */
const MOST_DAMAGED = 16

/** The text that counts: the last, or to Pillow, where that is a damaged iTXt, the one before. */
function lastOf(chunks: readonly Chunk[] = []): Buffer | undefined {
  for (const chunk of chunks.slice(-MOST_DAMAGED).reverse()) {
    const text = textOf(chunk)
    if (text || chunk.type !== 'iTXt') return text
  }
  return undefined
}

/**
 * What a chunk of text says; only of those that count: a kilobyte unpacks to a megabyte, and a file may have thousands.
 * @see https://www.w3.org/TR/png-3/#11textinfo
 */
function textOf({ type, body }: Chunk): Buffer | undefined {
  const after = (from: number) => body.indexOf(0, from) + 1
  let start = after(0)
  const isPacked = type === 'zTXt' || (type === 'iTXt' && body[start] !== 0)
  if (type === 'zTXt') start++
  // Behind flag and method stand the language and the name in it.
  if (type === 'iTXt') {
    const [flag, method] = [body[start], body[start + 1]]
    const language = after(start + 2)
    start = after(language)
    if (flag === undefined || (flag !== 0 && method !== 0) || language === 0 || start === 0) return undefined
  }
  const text = body.subarray(start)
  try {
    return isPacked ? inflateSync(text, { maxOutputLength: LONGEST_TEXT }) : text
  } catch {
    // Damaged, or too long: it tells nothing.
    return undefined
  }
}

/** The tag 0x112 of EXIF's first directory. @see https://www.cipa.jp/std/documents/e/DC-008-2012_E.pdf, 4.5 and 4.6 */
function exifOrientation(exif: Buffer): number | undefined {
  const tiff = exif.subarray(exif.toString('latin1', 0, 6) === 'Exif\0\0' ? 6 : 0)
  const isLittle = tiff[0] === 0x49
  const short = (at: number) => (isLittle ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at))
  const long = (at: number) => (isLittle ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at))
  try {
    if (short(2) !== 42) return undefined
    const first = long(4) + 2
    for (let entry = first; entry < first + 12 * short(first - 2); entry += 12)
      if (short(entry) === 0x112) return short(entry + 2) === 4 ? long(entry + 8) : short(entry + 8)
  } catch {
    // It ends before.
  }
  return undefined
}
