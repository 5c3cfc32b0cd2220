import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { ray, serve } from '#src/index.js'
import { root, tinyHub } from './lab/tiny-hub.js'
import { run } from './ray/programs.js'

const readme = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!)
const folder = join(root, '.build', 'readme')

describe('the README', () => {
  let hub: Awaited<ReturnType<typeof tinyHub>>
  before(async () => {
    hub = await tinyHub()
    rmSync(folder, { recursive: true, force: true })
    mkdirSync(folder, { recursive: true })
  })
  after(() => hub.close())

  test('its code compiles as the strictest TypeScript, as do all types, by the kernel’s compiler too, and runs', async () => {
    const strictest = { strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false }
    const options = { target: 'es2022', lib: ['es2022'], module: 'nodenext', types: [], ...strictest }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options }))
    writeFileSync(join(folder, 'lab.mts'), "export * from 'rayito/lab'\n")
    for (const [i, code] of blocks.entries()) writeFileSync(join(folder, `block-${i}.mts`), code)
    const compilers = ['typescript/bin/tsc', 'tslab/node_modules/@tslab/typescript-for-tslab/bin/tsc']
    for (const tsc of compilers) {
      const compiler = join(root, 'node_modules', tsc)
      const compiled = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' })
      assert.equal(compiled.stdout, '', tsc)
    }
    const [tasks, classify, greet] = await Promise.all(
      blocks.map((_, i) => run(join(folder, `block-${i}.mjs`), { env: hub.env, cwd: root })),
    )
    assert.deepEqual([tasks!.code, tasks!.stdout, tasks!.stderr], [0, '[ 1, 4, 9 ] 14\n', ''])
    assert.equal(classify!.code, 0, classify!.stderr)
    assert.match(classify!.stdout, /^\[\n(\s*\{\s*label: '.*',\s*score: 0\.\d+\s*\},?\n){5}\]\n$/)
    assert.deepEqual([greet!.code, greet!.stdout, greet!.stderr], [0, "{ hello: 'Ada' }\n", ''])
  })

  test('a package that takes it keeps its own tsc: the kernel’s compiler lies deeper', () => {
    const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { bin?: Record<string, string> }>
    }
    const compilers = Object.keys(packages).filter((path) => packages[path]!.bin?.tsc)
    assert.deepEqual(compilers, [
      'node_modules/tslab/node_modules/@tslab/typescript-for-tslab',
      'node_modules/typescript',
    ])
  })

  test('what Ray’s names are called here is there: members, methods and options', () => {
    const [, table] = readme.match(/^## From Ray$(.*?)^\*\*Not here/ms)!
    const here = [...table!.matchAll(/(?<=^\|.* \| ).*(?= \|$)/gm)]
      .flatMap(([cell]) => cell.match(/`.*?`/g) ?? [])
      .join()
    const members = [...here.matchAll(/\b(ray|serve)\.(\w+)/g)]
    assert.ok(members.length > 30)
    for (const [name, part, member] of members) assert.ok(member! in (part === 'ray' ? ray : serve), name)
    const modules = [
      'ray/session',
      'ray/ray',
      'ray/types',
      'ray/actor-pool',
      'serve/serve',
      'serve/types',
      'lab/cluster/cluster',
    ]
    const known = modules.map((module) => readFileSync(join(root, 'dist', `${module}.d.ts`), 'utf8')).join()
    const names = here.match(/(?<!\.)\b[a-z]+[A-Z]\w*/g)!
    assert.ok(names.length > 30)
    for (const name of names) assert.ok(known.includes(name), name)
  })

  test('what it links to and runs is there, in the package too', () => {
    const { scripts, files } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
      files: string[]
    }
    for (const [, target] of readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)) {
      assert.ok(existsSync(join(root, target!)), target)
      assert.ok(
        files.some((name) => `${target}/`.startsWith(`${name}/`)),
        target,
      )
    }
    for (const [, name] of readme.matchAll(/npm run ([\w:]+)/g)) assert.ok(scripts[name!], name)
  })
})
