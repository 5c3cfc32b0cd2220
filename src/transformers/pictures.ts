import { Image, type ImageSource } from '../datasets/image.js'
import type { Pixels } from './preprocess.js'

/** A picture: decoded, or what one can be read from, such as a path or bytes. */
export type Picture = Image | ImageSource

/** Decodes where needed and leaves red, green and blue; rejects as Image.open does. */
export async function toPixels(picture: Picture): Promise<Pixels> {
  const image = picture instanceof Image ? picture : await Image.open(picture)
  const { width, height, data } = image.toRgb()
  return { width, height, data }
}
