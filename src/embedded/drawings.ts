import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { RayitoError } from '../core/errors.js'
import { DRAWN, type Drawing } from './vary.js'

const require = createRequire(import.meta.url)

/** The packages whose drawings the pictures are made from: one JSON file of SVG bodies each. */
export const PACKAGES = ['twemoji', 'fluent-emoji-flat', 'emojione', 'fxemoji'] as const

/** icons.json, as far as it is used. @see https://iconify.design/docs/types/iconify-json.html */
interface IconSet {
  icons: Record<string, Icon>
  aliases?: Record<string, { parent: string }>
  width?: number
  height?: number
}

interface Icon {
  body: string
  left?: number
  top?: number
  width?: number
  height?: number
}

/** The version of a package that is installed; rejects with EMBEDDED_INCOMPLETE where it is not. */
export async function installedVersion(name: string): Promise<string> {
  return (await readPackage<{ version: string }>(`${name}/package.json`)).version
}

async function readPackage<T>(path: string): Promise<T> {
  try {
    return JSON.parse(await readFile(require.resolve(path), 'utf8')) as T
  } catch (cause) {
    throw new RayitoError(
      'EMBEDDED_INCOMPLETE',
      `${path} cannot be read (${(cause as Error).message.split('\n')[0]})`,
      {
        cause,
      },
    )
  }
}

/** The drawings of all packages, each read and rendered when it is asked for. */
export class Drawings {
  readonly #sets = new Map<string, Promise<IconSet>>()

  /** @param name as Iconify names it: `package:icon` */
  async render(name: string): Promise<Drawing> {
    const svg = Buffer.from(await this.#svg(name))
    const { default: sharp } = await import('sharp')
    const pixels = await sharp(svg).resize(DRAWN, DRAWN, { fit: 'fill' }).ensureAlpha().raw().toBuffer()
    return measured(new Uint8Array(pixels))
  }

  async #svg(name: string): Promise<string> {
    const [set, icon] = name.split(':') as [string, string]
    const { icons, aliases, width = 16, height = 16 } = await this.#set(set)
    const found = icons[icon] ?? icons[aliases?.[icon]?.parent ?? '']
    if (!found) throw new RayitoError('EMBEDDED_INCOMPLETE', `@iconify-json/${set} has no drawing ${icon}`)
    const { left = 0, top = 0, width: w = width, height: h = height, body } = found
    return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${DRAWN}" height="${DRAWN}" viewBox="${left} ${top} ${w} ${h}">${body}</svg>`
  }

  #set(name: string): Promise<IconSet> {
    const known = this.#sets.get(name)
    if (known) return known
    const read = readPackage<IconSet>(`@iconify-json/${name}/icons.json`)
    this.#sets.set(name, read)
    return read
  }
}

/** A rendered drawing and what is known of it; `data`: DRAWN × DRAWN × 4 bytes. */
export function measured(data: Uint8Array): Drawing {
  const box = { left: DRAWN, top: DRAWN, right: -1, bottom: -1 }
  const sum = [0, 0, 0]
  let opaque = 0
  for (let y = 0, at = 0; y < DRAWN; y++) {
    for (let x = 0; x < DRAWN; x++, at += 4) {
      const alpha = data[at + 3]!
      if (alpha < 16) continue
      box.left = Math.min(box.left, x)
      box.right = Math.max(box.right, x)
      box.top = Math.min(box.top, y)
      box.bottom = Math.max(box.bottom, y)
      if (alpha < 240) continue
      opaque++
      for (let channel = 0; channel < 3; channel++) sum[channel]! += data[at + channel]!
    }
  }
  const [red, green, blue] = sum.map((total) => Math.floor(total / Math.max(opaque, 1))) as [number, number, number]
  return { data, box, mean: [red, green, blue] }
}
