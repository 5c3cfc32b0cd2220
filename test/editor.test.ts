/** What an editor, and Shift+Tab in a notebook, show: asked of the compiler's own language service, the kernel's version. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { ray, serve } from '#src/index.js'
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
  ModuleKind: { NodeNext: number }
  sys: Record<'readFile' | 'fileExists' | 'directoryExists' | 'getDirectories', (path: string) => unknown>
}
const require = createRequire(import.meta.url)
const ts = require(join(root, 'node_modules/tslab/node_modules/@tslab/typescript-for-tslab')) as Compiler

const program = `import { ray, serve } from 'rayito'
class Dog {
  /** Says so. */
  bark(): void {}
}
ray.;
serve.;
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
  const folder = join(root, '.build', 'editor')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, 'program.mts')
  writeFileSync(file, program)
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext, types: [], skipLibCheck: true }
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
  const app = 'serve.getAppHandle<Dog>()'
  for (const line of ['ray.remote(Dog).remote().', `${app}.`, `${app}.options({ stream: true }).`])
    assert.equal(shownOf(service, file, line).get('bark'), 'Says so.', line)
})
