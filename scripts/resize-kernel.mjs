// Makes src/datasets/image/resize-kernel-bytes.ts of resize-kernel.wat: after a change of it, `node scripts/resize-kernel.mjs`.
import { readFileSync, writeFileSync } from 'node:fs'
import wabt from 'wabt'

const file = (name) => new URL(`../src/datasets/image/${name}`, import.meta.url)
const features = { simd: true }

const text = readFileSync(file('resize-kernel.wat'), 'utf8')
const module = (await wabt()).parseWat('resize-kernel.wat', text, features)
module.validate(features)
const bytes = Buffer.from(module.toBinary({}).buffer).toString('base64')
writeFileSync(
  file('resize-kernel-bytes.ts'),
  `/** resize-kernel.wat, assembled by scripts/resize-kernel.mjs; in base64. */\nexport const KERNEL =\n  '${bytes}'\n`,
)
