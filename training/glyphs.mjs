/**
 * Draws every subject in every style that may be learnt from, and in the two that are only measured on, once: 224 × 224
 * RGBA, cut to the drawing's box. Writes glyphs.bin (bytes) and glyphs.json (what each is) into the folder given.
 *
 *     node training/glyphs.mjs FOLDER [PACKAGES]
 */
import { createWriteStream, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import sharp from 'sharp'

const EDGE = 224
const here = fileURLToPath(new URL('.', import.meta.url))
const [out, packages = join(here, 'node_modules')] = process.argv.slice(2)
const classes = JSON.parse(readFileSync(join(here, 'classes.json'), 'utf8'))

/** Styles learnt from: in colour, and of one colour, which training paints. MIT, Apache-2.0, CC BY only. */
const COLOUR = ['twemoji', 'fluent-emoji-flat', 'emojione', 'fxemoji', 'fluent-emoji', 'streamline-emojis', 'icon-park']
const MONO = ['fluent-emoji-high-contrast', 'emojione-monotone', 'game-icons', 'ph', 'mdi', 'tabler', 'fa6-solid']
/** Never learnt from. */
const UNSEEN = ['noto', 'openmoji']

const read = (path) => JSON.parse(readFileSync(join(packages, path), 'utf8'))
const chars = Object.fromEntries(
  ['twemoji', 'fluent-emoji-flat', 'openmoji', 'noto'].map((set) => [set, read(`@iconify-json/${set}/chars.json`)]),
)
const kebab = (name) =>
  name
    .toLowerCase()
    .normalize('NFD')
    .replace(/[\u0300-\u036f’]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '')
const byCode = (table, code) => table[code] ?? table[code.replaceAll('-fe0f', '')] ?? table[`${code}-fe0f`]

/** Names that a set of icons uses for something else. */
const OTHERWISE = {
  'game-icons':
    'bow crane hook chest mouse bat rule scale slot racer cab jean moon fly knot corn alp hog cricket chain carton drake cock bison shield orange bubbles package wheel ring mirror salt coral custard',
  ph: 'cricket knot package bed radio keyboard slot rule scale shield drop orange mouse television compass',
  mdi: 'package bow fly bat mirror ring rule salt cricket racer keyboard radio mouse cube scale bucket pillow shield orange compass orca knot',
  tabler: 'cricket package mouse radio keyboard scale shield orange bow wheel compass plunger mirror slot',
  'fa6-solid': 'mouse keyboard radio shield compass mosquito',
  'icon-park': 'mouse compass keyboard radio shield knot scale ring mirror package cricket wheel orange',
}
/** Drawings that show another thing than the subject, found by looking at them all; by the subject's name. */
const WRONG = {
  'streamline-emojis': ['tram car', 'headphone', 'maple leaf', 'turkey'],
  'icon-park': ['cooking', 'treasure chest', 'envelope', 'seal', 'anchor', 'pie', 'bug', 'telescope'],
  'game-icons': ['fountain', 'ram', 'butterfly', 'bug'],
  mdi: ['red apple', 'bubbles', 'kite', 'satellite', 'gloves', 'gem stone', 'bug', 'seal', 'world map', 'pie'],
  tabler: ['bug', 'seal', 'world map', 'gem stone', 'bubbles', 'gloves'],
  ph: ['bug', 'seal', 'world map', 'bubbles', 'gem stone'],
  'fa6-solid': ['bug', 'gem stone', 'world map'],
}

function iconSet(name) {
  const { icons, aliases = {}, width = 16, height = 16 } = read(`@iconify-json/${name}/icons.json`)
  const find = (icon) =>
    icons[icon] ?? (aliases[icon] && !aliases[icon].rotate ? find(aliases[icon].parent) : undefined)
  return {
    svg(icon) {
      const found = icon && find(icon)
      if (!found) return null
      const { left = 0, top = 0, width: w = width, height: h = height } = found
      return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="320" height="320" viewBox="${left} ${top} ${w} ${h}" color="#000">${found.body}</svg>`
    },
  }
}
const sets = Object.fromEntries([...COLOUR, ...MONO, ...UNSEEN].map((name) => [name, iconSet(name)]))

function svgOf(set, { code, name, icons }, label) {
  const fluent = byCode(chars['fluent-emoji-flat'], code)
  if (set in icons) return sets[set].svg(icons[set])
  if (set === 'emojione' || set === 'fxemoji') return null
  if (set in chars) return sets[set].svg(byCode(chars[set], code))
  if (set === 'fluent-emoji') return sets[set].svg(fluent)
  const names = [fluent, kebab(name), ...(COLOUR.includes(set) ? [] : [kebab(label.split(',')[0])])]
  for (const candidate of names) {
    if (!candidate || OTHERWISE[set]?.split(' ').includes(candidate)) continue
    const solid = set === 'ph' || set === 'tabler' ? [`${candidate}-fill`, `${candidate}-filled`] : []
    for (const icon of [...solid, candidate]) {
      const svg = sets[set].svg(icon)
      if (svg) return svg
    }
  }
  return null
}

/** Cut to its box, centred in a square. */
async function draw(source) {
  const { data, info } = await sharp(source).ensureAlpha().raw().toBuffer({ resolveWithObject: true })
  let [left, top, right, bottom] = [info.width, info.height, -1, -1]
  for (let y = 0, i = 3; y < info.height; y++) {
    for (let x = 0; x < info.width; x++, i += 4) {
      if (data[i] <= 8) continue
      if (x < left) left = x
      if (x > right) right = x
      if (y < top) top = y
      if (y > bottom) bottom = y
    }
  }
  if (right < left) return null
  return sharp(data, { raw: { width: info.width, height: info.height, channels: 4 } })
    .extract({ left, top, width: right - left + 1, height: bottom - top + 1 })
    .resize(EDGE, EDGE, { fit: 'contain', background: { r: 0, g: 0, b: 0, alpha: 0 } })
    .raw()
    .toBuffer()
}

const bytes = createWriteStream(join(out, 'glyphs.bin'))
const about = []
async function add(source, entry) {
  const drawn = source && (await draw(Buffer.isBuffer(source) ? source : Buffer.from(source)).catch(() => null))
  if (!drawn) return
  about.push(entry)
  if (!bytes.write(drawn)) await new Promise((resolve) => bytes.once('drain', resolve))
}

/** Fluent's third style, and Google's pictures as users meet them, are pixels. */
const picture = (folder, code) => {
  for (const name of [code, code.replaceAll('-fe0f', ''), `${code}-fe0f`]) {
    for (const ending of ['.webp', '.png']) {
      const path = join(packages, folder, name + ending)
      if (existsSync(path)) return readFileSync(path)
    }
  }
  return null
}
const FLUENT_3D = '@lobehub/fluent-emoji-3d/assets'
const GOOGLE = 'emoji-datasource-google/img/google/64'

for (const [at, { index, label, drawings }] of classes.entries()) {
  for (const drawing of drawings) {
    const entry = (style) => ({
      style,
      kind: WRONG[style]?.includes(drawing.name) ? 'dropped' : index < 1000 ? 'subject' : 'extra',
      class: at,
      code: drawing.code,
      mono: MONO.includes(style),
    })
    for (const set of Object.keys(sets)) await add(svgOf(set, drawing, label), entry(set))
    await add(picture(FLUENT_3D, drawing.code), entry('fluent-3d'))
    await add(picture(GOOGLE, drawing.code), entry('google'))
  }
}

// what must not be taken for anything: faces, flags, signs, hands, people
const emoji = read('emoji-datasource-google/emoji.json')
const known = new Set(classes.flatMap(({ drawings }) => drawings.map(({ code }) => code.replaceAll('-fe0f', ''))))
const HUMAN = [
  'person',
  'person-gesture',
  'hands',
  'hand-fingers-open',
  'hand-fingers-closed',
  'hand-single-finger',
  'body-parts',
]
let count = 0
for (const { unified, category, subcategory } of emoji) {
  const code = unified.toLowerCase()
  const isNone =
    ['Smileys & Emotion', 'Symbols', 'Flags'].includes(category) ||
    (category === 'People & Body' && HUMAN.includes(subcategory))
  if (!isNone || known.has(code.replaceAll('-fe0f', ''))) continue
  // every fourth is kept for measuring
  const kind = count++ % 4 === 3 ? 'none-unseen' : 'none'
  const twemoji = byCode(chars.twemoji, code)
  for (const set of [
    'twemoji',
    'fluent-emoji-flat',
    'emojione',
    'fluent-emoji',
    'fluent-emoji-high-contrast',
    'emojione-monotone',
    'noto',
    'openmoji',
  ]) {
    const name = set in chars ? byCode(chars[set], code) : (byCode(chars['fluent-emoji-flat'], code) ?? twemoji)
    await add(sets[set].svg(name), { style: set, kind, class: -1, code, mono: MONO.includes(set) })
  }
}
await new Promise((resolve) => bytes.end(resolve))
writeFileSync(join(out, 'glyphs.json'), JSON.stringify({ edge: EDGE, glyphs: about }))
const tally = {}
for (const { style, kind } of about) {
  tally[style] ??= {}
  tally[style][kind] = (tally[style][kind] ?? 0) + 1
}
console.log(about.length, 'drawings')
console.table(tally)
