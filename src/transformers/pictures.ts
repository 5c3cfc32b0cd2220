import { expected } from '../core/errors.js'
import { Image } from '../datasets/image.js'
import type { Pixels } from './preprocess.js'

/** A picture: decoded, or the path or bytes of one. */
export type Picture = Image | string | URL | Uint8Array | ArrayBuffer

/** Decodes where needed and takes away what is not red, green and blue. */
export async function toPixels(picture: Picture): Promise<Pixels> {
  const { width, height, data } = await (await toImage(picture)).toRgb()
  return { width, height, data }
}

async function toImage(picture: Picture): Promise<Image> {
  if (picture instanceof Image) return picture
  if (picture instanceof URL && picture.protocol !== 'file:') expected('image', 'a file', picture)
  if (typeof picture === 'string' || picture instanceof URL || picture instanceof Uint8Array) return Image.open(picture)
  if (picture instanceof ArrayBuffer) return Image.open(new Uint8Array(picture))
  return expected('image', 'an Image, a path or the bytes of one', picture)
}
