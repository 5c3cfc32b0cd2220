// Builds the package. The compiler makes one file of each source (.build/src); then what is loaded together goes into few files of
// dist, since Node needs most of a millisecond for each that it loads, in every worker anew. Whatever lies where, dist/X.js gives
// what src/X.ts exports. Arguments: folders with a tsconfig.json of their own, to be compiled against it.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const COMPILED = join(ROOT, '.build', 'src')
const DIST = join(ROOT, 'dist')
/** Tells from what dist was made. */
const STAMP = '.built'
/** Packages' doors: whoever imports them gets no more than they need. */
const DOORS = ['index.js', 'lab/index.js', 'ray/index.js']

process.chdir(ROOT)
if (!existsSync(join(DIST, STAMP))) console.error('Building rayito: a few seconds, once.')
compile('-b')
const modules = filesOf('src')
  .filter((path) => /(?<!\.d)\.ts$/.test(path))
  .map((path) => path.replace(/\.ts$/, '.js'))
const state = stateOf()
if (!existsSync(join(DIST, STAMP)) || readFileSync(join(DIST, STAMP), 'utf8') !== state) await link()
for (const folder of process.argv.slice(2)) compile('-p', folder)

function compile(...options) {
  const { status } = spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', ...options], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/** Paths from a folder, with slashes. */
function filesOf(folder) {
  return readdirSync(folder, { recursive: true })
    .map((path) => path.replaceAll('\\', '/'))
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort()
}

function stateOf() {
  const hash = createHash('sha256')
  const add = (name, path) => hash.update(`${name} ${statSync(path).mtimeMs}\n`)
  add('build', fileURLToPath(import.meta.url))
  for (const path of modules) add(path, join(COMPILED, path))
  return hash.digest('hex')
}

async function link() {
  const { rollup } = await import('@rollup/wasm-node')
  const within = (path) => join(COMPILED, path)
  const bundle = await rollup({
    input: Object.fromEntries(modules.map((path) => [path.slice(0, -'.js'.length), within(path)])),
    external: (id) => !/^(\.|\/|[A-Za-z]:)/.test(id),
    treeshake: false,
    preserveEntrySignatures: 'strict',
    plugins: [{ name: 'place', resolveImportMeta: placeOf }],
    onwarn(warning) {
      // Options of an import that are known when it runs stay as they are.
      if (warning.code !== 'INVALID_IMPORT_ATTRIBUTE') throw new Error(warning.message)
    },
  })
  let groups = null
  const { output } = await bundle.generate({
    dir: DIST,
    entryFileNames: '[name].js',
    chunkFileNames: '[name].group.js',
    minifyInternalExports: false,
    hoistTransitiveImports: false,
    manualChunks(id, { getModuleInfo }) {
      groups ??= groupsOf(getModuleInfo)
      return groups.get(pathOf(id))
    },
  })
  // Whoever ends this half way builds all of it again.
  rmSync(join(DIST, STAMP), { force: true })
  const kept = new Set()
  const write = (path, content) => {
    kept.add(path)
    mkdirSync(dirname(join(DIST, path)), { recursive: true })
    writeFileSync(join(DIST, path), content)
  }
  for (const { fileName, code } of output) write(fileName, code)
  for (const path of modules) {
    const types = path.replace(/\.js$/, '.d.ts')
    write(types, readFileSync(within(types)))
  }
  for (const path of filesOf('dist')) if (!kept.has(path)) rmSync(join(DIST, path))
  writeFileSync(join(DIST, STAMP), state)
}

function pathOf(id) {
  return id.slice(COMPILED.length + 1).replaceAll('\\', '/')
}

/** `import.meta.url` is where a module's own file would be. */
function placeOf(property, { chunkId, moduleId }) {
  const path = pathOf(moduleId)
  if (property !== 'url' || path === chunkId) return null
  const from = posix.relative(posix.dirname(chunkId), path)
  // In CommonJS that a bundler made of it nothing knows where it lies.
  return `(import.meta.url && new URL('${from.startsWith('.') ? from : `./${from}`}', import.meta.url).href)`
}

/** Where each module goes: together with those of its part of the house that are needed by the same beginnings. */
function groupsOf(getModuleInfo) {
  const info = new Map(modules.map((path) => [path, getModuleInfo(join(COMPILED, path))]))
  const begin = new Set(DOORS)
  const alone = new Set()
  for (const [path, { importers, dynamicallyImportedIds, code }] of info) {
    // A first file, whose code begins what it is for; one whose functions and classes run in workers, who import it by its name.
    if (importers.length === 0 || /^[^*\n]*\b(ray\.remote|serve\.deployment)\(/m.test(code)) alone.add(path)
    if (alone.has(path) || code.includes('via(import.meta.url')) begin.add(path)
    for (const id of dynamicallyImportedIds) begin.add(pathOf(id))
  }
  const needed = new Map(modules.map((path) => [path, partOf(path)]))
  for (const beginning of begin) {
    const seen = new Set()
    const visit = (path) => {
      if (seen.has(path) || !info.has(path)) return
      seen.add(path)
      needed.set(path, `${needed.get(path)} ${beginning}`)
      for (const id of info.get(path).importedIds) visit(pathOf(id))
    }
    visit(beginning)
  }
  // The ground floor is small, and everyone needs some of it.
  for (const path of modules) if (partOf(path) === 'core') needed.set(path, 'core')
  for (const path of alone) needed.set(path, path)
  const groups = new Map()
  for (const path of modules) groups.set(needed.get(path), [...(groups.get(needed.get(path)) ?? []), path])
  const size = (path) => info.get(path).code.length
  // Its name is its largest file's: most lines of stacks are of that.
  const nameOf = (group) =>
    group.reduce((one, other) => (size(other) > size(one) ? other : one)).slice(0, -'.js'.length)
  return new Map([...groups.values()].flatMap((group) => group.map((path) => [path, nameOf(group)])))
}

/** By its folder it is known whose code a line of a stack is. */
function partOf(path) {
  return path.startsWith('ray/worker/') ? 'ray/worker' : posix.dirname(path).split('/')[0]
}
