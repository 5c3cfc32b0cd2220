/** What a package that takes rayito sees of it: its declarations, and what an editor or Shift+Tab in a notebook shows. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { pathToFileURL } from 'node:url'
import { Image, ray, serve } from '#src/index.js'
import { wireResponse } from '#src/serve/http-response.js'
import { root } from './lab/tiny-hub.js'

interface Parts {
  documentation?: { text: string }[]
}
interface LanguageService {
  getCompletionsAtPosition(file: string, at: number, options: object): { entries: { name: string }[] } | undefined
  getCompletionEntryDetails(file: string, at: number, name: string): Parts | undefined
}
interface Compiler {
  createLanguageService(host: object): LanguageService
  getDefaultLibFilePath(options: object): string
  ScriptSnapshot: { fromString(text: string): object }
  ScriptTarget: { ES2022: number }
  ModuleKind: { ESNext: number }
  ModuleResolutionKind: { Node10: number }
  sys: Record<'readFile' | 'fileExists' | 'directoryExists' | 'getDirectories', (path: string) => unknown>
}
/** That of a package in which rayito is installed. */
function newFolder(name: string): string {
  const folder = join(root, '.build', name)
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(join(folder, 'node_modules'), { recursive: true })
  symlinkSync(root, join(folder, 'node_modules', 'rayito'), 'junction')
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }))
  return folder
}

const require = createRequire(import.meta.url)
const ts = require(join(root, 'node_modules/tslab/node_modules/@tslab/typescript-for-tslab')) as Compiler

const program = `import { ray, serve } from 'rayito'
import * as lab from 'rayito/lab'
class Dog {
  /** Says so. */
  bark(): void {}
}
ray.;
serve.;
lab.;
ray.remote(Dog).remote().;
serve.getAppHandle<Dog>().;
serve.getAppHandle<Dog>().options({ stream: true }).;
`

/** What is shown with each member of what stands in a line of the program. */
function shownOf(service: LanguageService, file: string, line: string): Map<string, string> {
  const at = program.indexOf(`\n${line};\n`) + 1 + line.length
  const { entries } = service.getCompletionsAtPosition(file, at, {})!
  const tell = ({ documentation }: Parts) => documentation?.map(({ text }) => text).join('') ?? ''
  return new Map(entries.map(({ name }) => [name, tell(service.getCompletionEntryDetails(file, at, name)!)]))
}

test('an editor tells what each member of ray and serve does, and what is written of an actor’s methods', () => {
  const folder = newFolder('editor')
  const file = join(folder, 'program.ts')
  writeFileSync(file, program)
  // As the kernel looks modules up: by no exports of a package.json.
  const modules = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Node10 }
  const options = { target: ts.ScriptTarget.ES2022, ...modules, types: [], skipLibCheck: true }
  const { readFile, fileExists, directoryExists, getDirectories } = ts.sys
  const service = ts.createLanguageService({
    readFile,
    fileExists,
    directoryExists,
    getDirectories,
    getCompilationSettings: () => options,
    getCurrentDirectory: () => folder,
    getDefaultLibFileName: ts.getDefaultLibFilePath,
    getScriptFileNames: () => [file],
    getScriptVersion: () => '1',
    getScriptSnapshot: (path: string) => {
      const text = readFile(path)
      return typeof text === 'string' ? ts.ScriptSnapshot.fromString(text) : undefined
    },
  })
  for (const [line, members] of Object.entries({ 'ray.': ray, 'serve.': serve })) {
    const shown = shownOf(service, file, line)
    assert.deepEqual([...shown.keys()].sort(), Object.keys(members).sort())
    for (const [name, text] of shown) assert.notEqual(text, '', `${line}${name}`)
  }
  assert.ok(shownOf(service, file, 'lab.').get('ResultTable'))
  const app = 'serve.getAppHandle<Dog>()'
  for (const line of ['ray.remote(Dog).remote().', `${app}.`, `${app}.options({ stream: true }).`])
    assert.equal(shownOf(service, file, line).get('bark'), 'Says so.', line)
})

test('what only the package’s own parts use is not exported', async () => {
  const names = Object.keys(await import('#src/index.js')).filter((name) => !/^[A-Z]/.test(name))
  assert.deepEqual(names, ['loadDataset', 'missingField', 'pipeline', 'ray', 'resize', 'serve', 'time'])
})

test('a package may export what rayito gives: its types have names for others', () => {
  const folder = newFolder('consumer')
  const options = { target: 'es2022', module: 'nodenext', strict: true, types: [], preserveSymlinks: true }
  const compilerOptions = { ...options, skipLibCheck: true, declaration: true, emitDeclarationOnly: true }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  writeFileSync(
    join(folder, 'index.ts'),
    `import { type Classification, type Image, type LoadOptions, loadDataset, pipeline, ray, serve } from 'rayito'
class Dog {
  bark(times: number): string { return 'x'.repeat(times) }
  *barks(times: number) { while (times--) yield 'x' }
}
export const add = ray.remote((a: number, b: number) => a + b)
export const pair = ray.remote((a: number) => [a, a], { numReturns: 2 })
export const squares = ray.remote(function* (count: number) { for (let i = 0; i < count; i++) yield i * i })
export const refs = squares.remote(1)
export const Dogs = ray.remote(Dog)
export const dog = Dogs.remote()
export const barked = dog.bark.remote(1)
export const quick = dog.bark.options({ timeout: 1 })
export const pool = new ray.ActorPool([dog])
export const session = ray.init()
export const summary = ray.summary()
export const deployment = serve.deployment(Dog)
export const application = deployment.bind()
export const handle = await serve.run(application)
export const answer = handle.bark.remote(1)
export const streaming = handle.options({ stream: true })
export const answers = streaming.barks.remote(1)
export const batched = serve.batch((words: string[]) => words.map((word) => word.length))
export const status = serve.status()
export const rows = await loadDataset<{ text: string }>('rows', { split: 'train' })
export const lengths = rows.map(({ text }) => ({ length: text.length })).trainTestSplit()
export const { features } = rows
export const classifier = await pipeline('image-classification')
export const classes: Promise<Classification[]> = classifier('a.png')
export const either = (input: string | string[]) => classifier(input)
export const { functionToApply } = classifier
export const chosen = ({ source, dataFiles }: LoadOptions) => [source, dataFiles]
export const upload = async (image: Image) => new Blob([await image.toPng()])
`,
  )
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  assert.equal(spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' }).stdout, '')
})

test('an option may be undefined where the compiler knows that from one which is missing (exactOptionalPropertyTypes)', () => {
  const folder = newFolder('exact')
  const options = { target: 'es2022', module: 'nodenext', strict: true, types: [], skipLibCheck: true, noEmit: true }
  const compilerOptions = { ...options, exactOptionalPropertyTypes: true, preserveSymlinks: true }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  writeFileSync(
    join(folder, 'index.ts'),
    `import type * as rayito from 'rayito'
import type * as lab from 'rayito/lab'
import { type Dataset, type DatasetDict, HttpResponse, loadDataset, type ObjectRef, ray, serve } from 'rayito'
class Dog {
  call(): void {}
}
/** Names of the options that may be left out, but not be undefined. */
type Exact<T> = { [K in keyof T]-?: {} extends Pick<T, K> ? ({ [N in K]: undefined } extends Pick<T, K> ? never : K) : never }[keyof T]
type Session = rayito.InitOptions | rayito.InitOptions['resourceLimits'] | rayito.GetOptions | rayito.WaitOptions | rayito.GetNextOptions
type Call = rayito.TaskOptions | rayito.ActorOptions | rayito.MethodOptions
type Served = rayito.DeploymentOptions | rayito.RunOptions | rayito.HandleOptions | rayito.BatchOptions<number>
type Answered = rayito.Route<Dog> | rayito.Routes<Dog> | rayito.Page
type Loaded = rayito.LoadOptions | rayito.PipelineOptions | rayito.CallOptions | rayito.ImageOptions | rayito.HubOptions
type Rows = rayito.SortOptions | rayito.ShardOptions | rayito.TrainTestSplitOptions
type Lab = lab.LatencyOptions | lab.TableOptions | lab.ChartOptions | lab.ConclusionOptions | lab.EngineOptions
type Each<T> = T extends object ? Exact<T> : never
type None<T extends never> = T
export type NoneOf = None<Each<Session | Call | Served | Answered | Loaded | Rows | Lab>>
export async function inline(u: undefined, split: string | undefined, ref: ObjectRef<number>, rows: Dataset) {
  ray.cancel(ref, { force: u, recursive: u })
  ray.kill(await ray.getActor('Dog', { namespace: u }), { noRestart: u })
  serve.histogram('weight', 'of dogs', { buckets: u })
  new HttpResponse('', { status: u, headers: u })
  rows.shuffle({ seed: u }).trainTestSplit({ stratifyByColumn: u })
  const either: Dataset | DatasetDict = await loadDataset('rows', { split })
  return either
}
`,
  )
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  assert.equal(spawnSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' }).stdout, '')
})

test('what a bundler took away from its files says that it is to be left out of the bundle, or gathered whole', async () => {
  const bundle = join(root, '.build', 'bundle', 'dist')
  rmSync(bundle, { recursive: true, force: true })
  const script = join('ray', 'worker', 'main.js')
  cpSync(join(root, 'dist'), bundle, { recursive: true, filter: (path) => !path.endsWith(script) })
  const own = (await import(pathToFileURL(join(bundle, 'index.js')).href)) as typeof import('#src/index.js')
  const told = (remedy: RegExp) => (error: Error & { code?: string }) =>
    error.code === 'PACKAGE_BUNDLED' && /got no such file\. /.test(error.message) && remedy.test(error.message)
  // As Next.js and Nitro gather a server's files: those that are imported.
  assert.throws(() => own.ray.init(), told(/Where a server's files are gathered.* outputFileTracingIncludes: /))

  const file = join(bundle, 'core', 'package-file.js')
  rmSync(file)
  const refusal = told(/Leave rayito out of the bundle: .*esbuild/)
  assert.throws(() => own.ray.init(), refusal)
  assert.throws(() => own.ray.remote(() => 1).remote(), refusal)
  await assert.rejects(own.pipeline('image-classification', 'rayito/rayito-pictures'), refusal)
  await assert.rejects(own.loadDataset('rayito/tiny-pictures', { source: 'embedded' }), refusal)

  // CommonJS has no import.meta: a bundler leaves an empty object there.
  const files = readdirSync(bundle, { recursive: true, encoding: 'utf8' }).map((path) => join(bundle, path))
  for (const path of files.filter((path) => path.endsWith('.js')))
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll(/import\.meta\.url(?!`)/g, '({}).url'))
  const program = `await import(${JSON.stringify(pathToFileURL(join(bundle, 'index.js')).href)})`
  const { stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })
  assert.match(
    stderr,
    /RayitoError: Expected `import\.meta\.url` to be .*, got nothing\. Leave rayito out of the bundle/,
  )
})

test('tasks, actors and Serve are refused at once where it is not Node that runs them', async () => {
  // What a class uses cannot be looked up there either.
  const program = `
    const kept = new WeakRef({})
    for (const [name, version] of [['bun', '1.4.5'], ['deno', '2.9.6']]) {
      const versions = { ...process.versions, [name]: version }
      Object.defineProperty(process, 'versions', { value: versions, configurable: true })
      const { ray, serve } = await import('rayito')
      const told = []
      const tell = ({ message }) => told.push(message)
      try { ray.init() } catch (error) { tell(error) }
      try { ray.remote(() => 1).remote() } catch (error) { tell(error) }
      await serve.run(serve.deployment(class A { call() { return kept } }).bind(), { port: 0 }).catch(tell)
      console.log(JSON.stringify(told))
      Object.defineProperty(process, 'versions', { value: { ...versions, [name]: undefined }, configurable: true })
    }`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    cwd: root,
    encoding: 'utf8',
  })
  assert.equal(stderr, '')
  const lines = stdout.trim().split('\n')
  assert.equal(lines.length, 2)
  for (const [i, runtime] of ['Bun 1.4.5', 'Deno 2.9.6'].entries()) {
    const messages = JSON.parse(lines[i]!) as string[]
    assert.equal(messages.length, 3)
    for (const message of messages)
      assert.match(message, new RegExp(`Tasks and actors run on Node, got ${runtime}. Run the program with node`))
  }
})

test('what is of another copy of the package, as where a linked package has one, says so', async () => {
  const copy = join(root, '.build', 'copy', 'dist')
  rmSync(copy, { recursive: true, force: true })
  cpSync(join(root, 'dist'), copy, { recursive: true })
  const others = (await import(pathToFileURL(join(copy, 'index.js')).href)) as typeof import('#src/index.js')
  const other = others.ray
  const told = /another copy of rayito\b.*npm ls rayito/
  const ref = other.put(1)
  const same = ray.remote((value: unknown) => value)
  await assert.rejects(ray.get(ref), told)
  await assert.rejects(ray.get([ref]), told)
  await assert.rejects(ray.wait([ref]), told)
  assert.throws(() => same.remote(ref), told)
  assert.throws(() => ray.cancel(ref), told)
  const generator = other.remote(function* () {}).remote()
  assert.throws(() => ray.cancel(generator), told)
  await assert.rejects(ray.wait([generator]), told)
  assert.throws(() => same.remote(generator), told)
  class Dog {
    call(): string {
      return 'barks'
    }
  }
  const dog = other.remote(Dog).remote()
  assert.throws(() => same.remote([dog]), told)
  const own = ray.remote(Dog).remote()
  assert.throws(() => ray.kill(dog), told)
  assert.equal(await ray.get(own.call.remote()), 'barks')
  const pool = new ray.ActorPool([dog])
  await assert.rejects(pool.map((actor) => actor.call.remote(), [1]).next(), told)
  const picture = new others.Image(new Uint8Array(3), 1, 1)
  await assert.rejects(Image.open(picture as never), told)
  await other.shutdown()
  await ray.shutdown()

  const app = others.serve.deployment(Dog).bind()
  await assert.rejects(serve.run(app, { port: null }), told)
  assert.throws(() => wireResponse(new others.HttpResponse('x')), told)
  const Kennel = serve.deployment(
    class Kennel {
      constructor(readonly dog: unknown) {}
    },
  )
  await assert.rejects(serve.run(Kennel.bind(app), { port: null }), told)
  await ray.shutdown()
  const program = join(copy, '..', 'app.mjs')
  writeFileSync(
    program,
    `import { serve } from './dist/index.js'
export const app = serve.deployment(class Dog { call() {} }).bind()`,
  )
  const command = [join(root, 'dist', 'cli', 'main.js'), 'serve', 'run', `${program}:app`, '--port', '0']
  const { stderr } = spawnSync(process.execPath, command, { encoding: 'utf8' })
  assert.match(stderr, /'app' of .*app\.mjs is of another copy of rayito than this command, .*npx rayito serve run/)
})
