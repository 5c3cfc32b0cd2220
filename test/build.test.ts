import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What the files of a folder import when they are loaded, by their paths with slashes. */
function imports(folder: string): Map<string, string[]> {
  const paths = readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => path.endsWith('.js'))
  const targets = (path: string) =>
    [...code(folder, path).matchAll(/^(?:import|export) (?:[^';]+ from )?'([^']+)'/gm)].map(([, target]) =>
      target!.startsWith('.') ? posix.join(posix.dirname(path), target!) : target!,
    )
  return new Map(paths.map((path) => [path, targets(path)]))
}

const code = (folder: string, path: string) => readFileSync(join(root, folder, path), 'utf8')

/** All that is loaded with some files: files of ours, and the names of packages. */
function loaded(graph: Map<string, string[]>, ...first: string[]) {
  const all = new Set(first)
  for (const path of all) for (const target of graph.get(path) ?? []) all.add(target)
  const files = [...all].filter((path) => graph.has(path))
  const packages = [...all].filter((path) => !graph.has(path) && !path.startsWith('node:')).sort()
  return { files, packages }
}

const compiled = imports('.build/src')
const built = imports('dist')
const sources = new Set(
  readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).map((path) =>
    path.replaceAll('\\', '/').replace(/\.ts$/, '.js'),
  ),
)
const named = new Set([...compiled].flatMap(([path, targets]) => (sources.has(path) ? targets : [])))
/** What of a file is neither import nor export. */
const does = (folder: string, path: string) =>
  code(folder, path)
    .replaceAll(/^(import|export) [^;]*;$/gm, '')
    .trim()
/** Those that nothing imports, and that do something: they begin what they are for when they are loaded. */
const firsts = [...compiled.keys()].filter(
  (path) => sources.has(path) && !named.has(path) && does('.build/src', path) !== '',
)
const together = [
  ['index.js'],
  ['lab/index.js'],
  ['ray/worker/main.js'],
  ['ray/worker/main.js', 'index.js'],
  ['ray/worker/main.js', 'serve/replica.js'],
]

describe('the built package', () => {
  test('has a file for each source, and its types', () => {
    const missing = [...sources].filter((path) => compiled.has(path) && !built.has(path))
    assert.deepEqual(missing, [])
    assert.match(code('dist', 'index.d.ts'), /export /)
  })

  for (const first of together)
    test(`loads few files with ${first.join(' and ')}, and no package that its sources do not need`, () => {
      const before = loaded(compiled, ...first)
      const now = loaded(built, ...first)
      assert.ok(before.files.length > 60)
      assert.ok(now.files.length < before.files.length / 3, `${now.files.length} of ${before.files.length} files`)
      assert.deepEqual(now.packages, before.packages)
    })

  test('keeps the code of a file that begins something to that file', () => {
    assert.ok(firsts.includes('ray/worker/main.js') && firsts.includes('lab/notebook/kernel-process.js'))
    const importers = firsts.filter((path) => [...built.values()].some((targets) => targets.includes(path)))
    assert.deepEqual(importers, [])
    const empty = firsts.filter((path) => does('dist', path) === '')
    assert.deepEqual(empty, [])
  })

  test('keeps the code of a file whose functions and classes run in workers to that file, too: no worker loads what the caller alone needs', () => {
    assert.match(does('dist', 'lab/exercise-1/inference-engine.js'), /class InferenceEngine/)
    assert.match(does('dist', 'ray-server.js'), /WikipediaSearch = serve\.deployment/)
    const ofLab = (graph: Map<string, string[]>) =>
      loaded(graph, 'lab/exercise-1/inference.js').files.filter((path) => path.startsWith('lab/'))
    assert.deepEqual(ofLab(built), ofLab(compiled))
  })

  test('is the same wherever it is built: a cluster compares it, byte by byte', (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'rayito build '))
    t.after(() => rmSync(folder, { recursive: true }))
    for (const path of ['.build/src', 'scripts', 'src', 'package.json', 'tsconfig.json'])
      cpSync(join(root, path), join(folder, path), { recursive: true, preserveTimestamps: true })
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
    const { status, stderr } = spawnSync(process.execPath, ['scripts/build.mjs'], { cwd: folder, encoding: 'utf8' })
    assert.equal(status, 0, stderr)
    const differ = [...imports('dist').keys()].filter(
      (path) => code('dist', path) !== readFileSync(join(folder, 'dist', path), 'utf8'),
    )
    assert.deepEqual(differ, [])
  })
})
