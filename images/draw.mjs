/** Draws images/*.png from images/sources/*.svg: `node images/draw.mjs`. */
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'

const here = new URL('.', import.meta.url)
for (const name of await readdir(new URL('sources/', here))) {
  const svg = fileURLToPath(new URL(`sources/${name}`, here))
  await sharp(svg)
    .removeAlpha()
    .png({ compressionLevel: 9, palette: false })
    .toFile(fileURLToPath(new URL(name.replace('.svg', '.png'), here)))
}
