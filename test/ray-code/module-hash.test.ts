import assert from 'node:assert/strict'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { after, describe, test } from 'node:test'
import fc from 'fast-check'
import { differing, type ModuleHash, relativeImports } from '#src/ray/code/module-hash.js'

const folder = mkdtempSync(join(tmpdir(), 'rayito-hash-'))
after(() => rmSync(folder, { recursive: true, force: true }))
let made = 0

/** As a process sees it that has just started. */
async function hashOf(file: string): Promise<ModuleHash> {
  // As the compiler made it, in a file of its own.
  const { href } = new URL('../../src/ray/code/module-hash.js', import.meta.url)
  const url = `${href}?${++made}`
  return ((await import(url)) as typeof import('#src/ray/code/module-hash.js')).moduleHash(file)
}

function write(name: string, files: Record<string, string>): string {
  const place = join(folder, name)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(place, path)), { recursive: true })
    writeFileSync(join(place, path), text)
  }
  return place
}

/** The ways in which one file imports another. */
const WAYS: readonly ((path: string) => string)[] = [
  (path) => `import { a } from '${path}'`,
  (path) => `import b, {\n  c as d,\n} from "${path}"`,
  (path) => `import '${path}'`,
  (path) => `export * from '${path}'`,
  (path) => `export { e } from "${path}"`,
  (path) => `import type { F } from '${path}'`,
  (path) => `import data from '${path}' with { type: 'json' }`,
  (path) => `const g = await import('${path}')`,
  (path) => `const h = () => import(/* why */ \`${path}\`)`,
  (path) => `const i = require('${path}')`,
  (path) => `import j = require("${path}")`,
  (path) => `new Worker(new URL('${path}', import.meta.url))`,
]

describe('the hash of a module', () => {
  test('every way of importing is seen, whatever stands around it', () => {
    const path = fc
      .tuple(
        fc.constantFrom('./', '../', './a b/', './.x/'),
        fc.stringMatching(/^[\w@ é-]{1,12}$/),
        fc.constantFrom('', '.js', '.ts'),
      )
      .map((parts) => parts.join(''))
    const code = fc.constantFrom(
      'const x: Map<string, Array<number>> = new Map()',
      "const y = /[/'\"]/.test('a') ? 1 / 2 : `t`",
      'enum E { A = 1 }',
      'abstract class C<T extends object> { declare z?: T; constructor(private readonly q: T) {} }',
      "// it's a comment",
      'const from = 1',
    )
    const line = fc.oneof(
      fc.tuple(fc.constantFrom(...WAYS), path).map(([way, to]) => ({ text: way(to), to })),
      code.map((text) => ({ text, to: null })),
    )
    fc.assert(
      fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
        const found = relativeImports(lines.map(({ text }) => text).join('\n'))
        const wanted = lines.flatMap(({ to }) => to ?? [])
        assert.deepEqual(found, wanted)
      }),
    )
  })

  test('changes when any file changes that is imported, however far, and with no other', async () => {
    const graph = fc.array(
      fc.record({
        place: fc.constantFrom('', 'lib/', 'lib/deep/'),
        extension: fc.constantFrom('.js', '.ts', '.mjs', '.cts', '.json'),
        to: fc.array(fc.tuple(fc.nat(7), fc.constantFrom(...WAYS)), { maxLength: 3 }),
      }),
      { minLength: 1, maxLength: 8 },
    )
    await fc.assert(
      fc.asyncProperty(graph, async (nodes) => {
        const paths = nodes.map(({ place, extension }, i) => `${place}m${i}${extension}`)
        const edges = nodes.map(({ to }) => to.map(([index]) => index % nodes.length))
        const files = nodes.map(({ to }, i) =>
          to.map(([, way], k) => {
            const path = relative(dirname(paths[i]!), paths[edges[i]![k]!]!).replaceAll('\\', '/')
            return way(path.startsWith('.') ? path : `./${path}`)
          }),
        )
        const place = write(
          `graph-${++made}`,
          Object.fromEntries(files.map((lines, i) => [paths[i]!, lines.join('\n')])),
        )
        const reached = new Set([0])
        for (const index of reached) for (const next of edges[index]!) reached.add(next)
        const before = await hashOf(join(place, paths[0]!))
        assert.deepEqual(new Set(before.files), new Set([...reached].map((index) => join(place, paths[index]!))))
        for (let index = 0; index < nodes.length; index++) {
          appendFileSync(join(place, paths[index]!), '\n// changed')
          const now = await hashOf(join(place, paths[0]!))
          assert.equal(now.whole === before.whole && now.parts === before.parts, !reached.has(index))
          if (reached.has(index)) assert.equal(differing(now, before.parts), join(place, paths[index]!))
          writeFileSync(join(place, paths[index]!), files[index]!.join('\n'))
        }
      }),
      { numRuns: 25 },
    )
  })

  test('imports without extension, of a folder, and of JavaScript that is TypeScript here mean the files that are there', async () => {
    const place = write('meant', {
      'a.cjs': "require('./b'); require('./folder')",
      'b.js': "import './c.js'",
      'c.ts': "import './d.mjs'",
      'd.mts': '',
      'folder/index.js': '',
    })
    const { files } = await hashOf(join(place, 'a.cjs'))
    assert.deepEqual(
      files.map((file) => relative(place, file).replaceAll('\\', '/')),
      ['a.cjs', 'b.js', 'c.ts', 'd.mts', 'folder/index.js'],
    )
  })

  test('a file that is missing on one side is the one that differs', async () => {
    const texts = { 'a.js': "import './b.js'; import './c.js'", 'b.js': 'b', 'c.js': 'c' }
    const { 'b.js': _, ...less } = texts
    const [whole, part] = [write('whole', texts), write('part', less)]
    const here = await hashOf(join(part, 'a.js'))
    assert.equal(differing(here, (await hashOf(join(whole, 'a.js'))).parts), join(part, 'b.js'))
    const other = await hashOf(join(write('other', { ...less, 'c.js': 'another' }), 'a.js'))
    assert.equal(differing(here, other.parts), join(part, 'c.js'), 'but not one that both lack')
  })
})
