/**
 * The sets that the model is measured on, as pictures with the class that is right:
 * `valid`; the styles it never saw (Noto as Google's pictures, OpenMoji), varied as the picture set is; what is none of its
 * classes; photographs. Read by measure.mjs; alone it writes them for training's own looks in between:
 *
 *     node training/evaluation.mjs FOLDER
 */
import { openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'
import { measured } from '../dist/embedded/drawings.js'
import { embeddedDataset } from '../dist/embedded/index.js'
import { DRAWN, EDGE, vary } from '../dist/embedded/vary.js'
import { Image, loadDataset } from '../dist/index.js'

const here = fileURLToPath(new URL('.', import.meta.url))
export const classes = JSON.parse(readFileSync(join(here, 'classes.json'), 'utf8'))
/** Variations of each drawing of an unseen style. */
const EACH = 2
const SEED = 77

/** Only `valid` and the photographs where there is no folder of drawings. */
export async function evaluationSets(folder, photographs) {
  const sets = { valid: await valid() }
  if (folder) Object.assign(sets, await unseen(folder))
  if (photographs) sets.photographs = await photos(photographs)
  return sets
}

async function valid(every = 1) {
  const { valid } = await loadDataset(await embeddedDataset())
  const rows = []
  for (let i = 0; i < valid.numRows; i += every) {
    const { image, label } = await valid.at(i)
    rows.push({ image, label: valid.features.label.int2str(Number(label)) })
  }
  return rows
}

async function unseen(folder) {
  const { edge, glyphs } = JSON.parse(readFileSync(join(folder, 'glyphs.json'), 'utf8'))
  const file = openSync(join(folder, 'glyphs.bin'))
  const sets = {
    noto: [],
    'noto extra': [],
    openmoji: [],
    'openmoji extra': [],
    none: [],
    'none noto': [],
    'none openmoji': [],
  }
  for (const [at, glyph] of glyphs.entries()) {
    const style = { google: 'noto', openmoji: 'openmoji' }[glyph.style]
    const isNone = glyph.kind.startsWith('none')
    if (
      isNone ? glyph.kind === 'none' && !['noto', 'openmoji'].includes(glyph.style) : !style || glyph.kind === 'dropped'
    )
      continue
    // 1 of 4 of what is none, in styles that were seen: those kept back; in unseen styles some of all
    if (isNone && ['noto', 'openmoji'].includes(glyph.style) && at % 4) continue
    const bytes = Buffer.alloc(edge * edge * 4)
    readSync(file, bytes, 0, bytes.length, at * bytes.length)
    const pixels = await sharp(bytes, { raw: { width: edge, height: edge, channels: 4 } })
      .resize(DRAWN, DRAWN)
      .raw()
      .toBuffer()
    const drawing = measured(new Uint8Array(pixels))
    const name = isNone
      ? style || glyph.style === 'noto'
        ? `none ${glyph.style}`
        : 'none'
      : glyph.kind === 'extra'
        ? `${style} extra`
        : style
    for (let i = 0; i < (isNone ? 1 : EACH); i++) {
      const image = new Image(vary(drawing, SEED, at, i), EDGE, EDGE)
      sets[name].push({ image, label: isNone ? null : classes[glyph.class].label })
    }
  }
  sets['none junk'] = junk()
  return sets
}

/** Noise, squares, gradients and plain colours. */
function junk() {
  let state = 12345
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const colour = () => [0, 1, 2].map(() => Math.floor(random() * 256))
  return Array.from({ length: 240 }, (_, k) => {
    const data = new Uint8Array(EDGE * EDGE * 3)
    const [a, b] = [colour(), colour()]
    const [dx, dy] = [random() - 0.5, random() - 0.5]
    const cell = [1, 4, 8, 16][k % 4]
    const cells = Array.from({ length: (EDGE / cell) ** 2 }, colour)
    for (let i = 0; i < EDGE * EDGE; i++) {
      const [x, y] = [i % EDGE, Math.floor(i / EDGE)]
      const share = Math.min(Math.max((dx * (x - 32) + dy * (y - 32)) / 32 + 0.5, 0), 1)
      const noise = cells[Math.floor(y / cell) * (EDGE / cell) + Math.floor(x / cell)]
      for (let c = 0; c < 3; c++)
        data[3 * i + c] = k % 3 === 0 ? noise[c] : k % 3 === 1 ? a[c] : a[c] * (1 - share) + b[c] * share
    }
    return { image: new Image(data, EDGE, EDGE), label: null }
  })
}

/** Files named as ImageNet's samples are: n01496331_electric_ray.jpg. */
async function photos(folder) {
  const labels = JSON.parse(readFileSync(join(here, 'labels.json'), 'utf8')).slice(0, 1000)
  const files = readdirSync(folder)
    .filter((file) => /\.jpe?g$/i.test(file))
    .sort()
  return Promise.all(
    files.map(async (file) => {
      const name = file
        .replace(/\.\w+$/, '')
        .replace(/^n\d+_/, '')
        .replaceAll('_', ' ')
        .toLowerCase()
      const named = labels.filter((label) => label.toLowerCase().split(', ').includes(name))
      if (named.length !== 1) throw new Error(`${file}: ${named.length} classes are called ${name}`)
      return { image: await Image.open(join(folder, file)), label: named[0] }
    }),
  )
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = process.argv[2]
  const sets = await evaluationSets(folder)
  const { train } = await loadDataset(await embeddedDataset())
  sets.train = []
  for (let i = 0; i < train.numRows; i++) {
    const { image, label } = await train.at(i)
    sets.train.push({ image, label: train.features.label.int2str(Number(label)) })
  }
  const about = {}
  const blocks = []
  for (const [name, rows] of Object.entries(sets)) {
    about[name] = rows.map(({ label }) => label)
    blocks.push(...rows.map(({ image }) => image.data))
  }
  writeFileSync(join(folder, 'evaluation.bin'), Buffer.concat(blocks))
  writeFileSync(join(folder, 'evaluation.json'), JSON.stringify(about))
  for (const [name, rows] of Object.entries(about)) console.log(name, rows.length)
}
