import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { RayitoError } from '../core/errors.js'
import { Image, type ImageSource } from '../datasets/image/image.js'
import type { Pixels } from './preprocess.js'

/** A picture: decoded, or what one can be read from, such as a path or bytes. */
export type Picture = Image | ImageSource

/** The bytes of a stream; any other picture as it is. */
export async function gathered(picture: Picture): Promise<Picture> {
  return picture instanceof Readable || picture instanceof ReadableStream ? buffer(picture as Readable) : picture
}

/**
 * Decodes where needed and leaves red, green and blue; rejects as Image.open does, and with IMAGE_INVALID where the memory
 * of the pixels was transferred to somebody else.
 */
export async function toPixels(picture: Picture): Promise<Pixels> {
  const image = picture instanceof Image ? picture : await Image.open(picture)
  if (image.data.length === 0)
    throw new RayitoError(
      'IMAGE_INVALID',
      `Expected the pixels of a ${image.width}×${image.height} picture, got none: their memory was given away`,
      { remedy: 'Give away a copy' },
    )
  const { width, height, data } = image.toRgb()
  return { width, height, data }
}
