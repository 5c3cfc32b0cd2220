import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { readNotebook, writeNotebook } from '#src/lab/notebook/nbformat.js'
import { codeCells } from '#src/lab/notebook/run.js'
import { writeJson } from '#src/lab/write-json.js'
import { writeWhole } from '#src/lab/write-whole.js'
import { root, tinyHub } from '../lab/tiny-hub.js'
import { noSignals } from '../windows.js'

let hub: Awaited<ReturnType<typeof tinyHub>>
const folders: string[] = []
before(async () => {
  hub = await tinyHub()
})
after(async () => {
  await hub.close()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

/** `rayito ARGS` in a folder of its own. */
const start = (...args: string[]) => startWith(hub.env, ...args)

interface Started {
  cwd: string
  child: ChildProcess
  ended: Promise<{ code: number | null; out: string; err: string }>
}

function startWith(env: NodeJS.ProcessEnv, ...args: string[]): Started {
  const cwd = mkdtempSync(join(tmpdir(), 'rayito-cli-'))
  folders.push(cwd)
  return startIn(cwd, env, ...args)
}

function startIn(cwd: string, env: NodeJS.ProcessEnv, ...args: string[]): Started {
  // A process group of its own, as a shell gives it.
  const detached = process.platform !== 'win32'
  const child = spawn(process.execPath, [join(root, 'dist', 'cli', 'main.js'), ...args], { cwd, env, detached })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, out, err }))
  return { cwd, child, ended }
}

const NAME = '1-parallel-classification'

/** Leaves in a folder what runs before might have: a complete one, or one that ended early. */
function leave(folder: string, ...names: string[]): void {
  mkdirSync(folder, { recursive: true })
  for (const name of names) writeFileSync(join(folder, name), 'of a run before')
}

/** The package without its notebooks, in a folder that may be spoilt. */
function copyOfPackage(): { other: string; main: string } {
  const other = mkdtempSync(join(tmpdir(), 'rayito-cli-'))
  folders.push(other)
  cpSync(join(root, 'dist'), join(other, 'dist'), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(other, 'node_modules'), 'junction')
  cpSync(join(root, 'package.json'), join(other, 'package.json'))
  mkdirSync(join(other, 'notebooks'))
  return { other, main: join(other, 'dist', 'cli', 'main.js') }
}

/** Resolves when a command has printed that. */
const printed = (child: ChildProcess, text: string) =>
  new Promise<void>((resolve) => {
    child.stdout!.on('data', (chunk) => String(chunk).includes(text) && resolve())
  })

test('a cell that fails ends it with 1: cell, line and error on stderr, no stack; what ran is left to be read, beside what was there', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'rayito-cli-'))
  folders.push(cwd)
  const made = join(cwd, 'out')
  const whole = ['exercise-1.json', `${NAME}.html`, `${NAME}.ipynb`]
  leave(made, ...whole)
  const { code, out, err } = await startIn(cwd, hub.env, 'start', '--notebook', '1', '--model', 'nobody/nothing').ended
  assert.equal(code, 1)
  assert.match(
    out,
    new RegExp(`Executed notebook: out.${NAME}\\.unfinished\\.ipynb\\nAs a page: +out.${NAME}\\.unfinished\\.html\\n$`),
  )
  assert.match(err, /^rayito: Cell 6 of \d+ \(3 The classifier\), line 1: const classifier = await pipeline/)
  assert.match(err, /nobody\/nothing/)
  assert.doesNotMatch(err, /\n\s+at /)
  for (const name of whole) assert.equal(readFileSync(join(made, name), 'utf8'), 'of a run before', name)
  assert.match(readFileSync(join(made, `${NAME}.unfinished.html`), 'utf8'), /nobody\/nothing/)
})

test('results of a run before are not taken for those of a notebook that left none', async () => {
  const { other, main } = copyOfPackage()
  const empty = { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 }
  await writeNotebook(join(other, 'notebooks', `${NAME}.ipynb`), empty)
  leave(join(other, 'out'), 'exercise-1.json')
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, 'start'], { cwd: other, encoding: 'utf8' })
  assert.deepEqual([status, stderr], [0, ''])
  assert.match(stdout, /\nExecuted notebook: .+\nAs a page: .+\n$/)
})

test('what notebook 1 has found is shown though notebook 2 fails', async () => {
  const env = { ...hub.env, RAYITO_WIKIPEDIA: 'nowhere', RAYITO_SERVICE: 'http://127.0.0.1:1' }
  const { code, out, err } = await startWith(env, 'start', '--images', '2', '--versions', 'A').ended
  assert.equal(code, 1)
  assert.match(err, /^rayito: Cell \d+ of \d+ .*findService[\s\S]*RAYITO_WIKIPEDIA/)
  assert.match(out, /Results: +out.exercise-1\.json\n\n2 pictures[\s\S]*\nA sequential .*\n[\s\S]*Only version A/)
})

test('paths lead from where it is started, not from the notebooks: those of caches, and of a model in a folder', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'rayito-cli-'))
  folders.push(cwd)
  cpSync(join(root, 'test', 'fixtures', 'models', 'tiny-vit'), join(cwd, 'model'), { recursive: true })
  const before = readdirSync(join(root, 'notebooks'))
  const env = { ...hub.env, RAYITO_CACHE: 'made', HF_HOME: join('.', 'hf'), RAYITO_IMAGES: '2', RAYITO_VERSIONS: 'A' }
  const { code, err } = await startIn(cwd, env, 'start', '--notebook', '1', '--model', './model').ended
  assert.equal(code, 0, err)
  const { model } = JSON.parse(readFileSync(join(cwd, 'out', 'exercise-1.json'), 'utf8'))
  assert.equal(model, join(realpathSync(cwd), 'model'))
  assert.deepEqual(readdirSync(cwd).sort(), ['hf', 'made', 'model', 'out'])
  assert.deepEqual(readdirSync(join(root, 'notebooks')), before)
})

test('Ctrl-C ends kernel and workers and saves what there is', {
  skip: noSignals,
}, async () => {
  const { cwd, child, ended } = start('start', '--notebook', '1', '--images', '10000', '--versions', 'A')
  await printed(child, ' 9/')
  // A terminal sends it to the whole group: a kernel that hears of it lets its cell fail.
  process.kill(-child.pid!, 'SIGINT')
  const { code, err } = await ended
  assert.equal(code, 130, err)
  assert.match(err, /^rayito: Stopped in cell \d+ .*\n$/)
  const cells = codeCells(await readNotebook(join(cwd, 'out', `${NAME}.unfinished.ipynb`)))
  assert.ok(cells[4]!.outputs.length > 0)
})

test('a folder of results that another run has is refused, with that process named; what a killed one left is taken over', {
  skip: noSignals,
}, async () => {
  const { cwd, child, ended } = start('start', '--notebook', '1', '--images', '10000', '--versions', 'A')
  await printed(child, ' 1/')
  const second = await startIn(cwd, hub.env, 'start', '--notebook', '1', '--images', '2').ended
  assert.equal(second.code, 1)
  assert.match(
    second.err,
    new RegExp(`^rayito: Another .rayito start. \\(process ${child.pid}\\) .+out\\. .+--out FOLDER.*\\n$`),
  )
  assert.equal(second.out, '')
  process.kill(-child.pid!, 'SIGKILL')
  await ended
  const third = await startIn(cwd, hub.env, 'start', '--notebook', '1', '--model', 'nobody/nothing').ended
  assert.match(third.err, /^rayito: Cell 6 of /)
  assert.deepEqual(
    readdirSync(join(cwd, 'out')).filter((name) => name.includes('lock')),
    [],
  )
})

test('when nobody reads on it ends, quietly, and saves what there is', async () => {
  const { cwd, child, ended } = start('start', '--notebook', '1', '--images', '10000', '--versions', 'A')
  await printed(child, ' 4/')
  child.stdout!.destroy()
  const { code, err } = await ended
  assert.equal(code, 130)
  assert.match(err, /^rayito: Stopped in cell \d+ .*\n$/)
  const cells = codeCells(await readNotebook(join(cwd, 'out', `${NAME}.unfinished.ipynb`)))
  assert.ok(cells[1]!.outputs.length > 0)
  const help = start('--help')
  help.child.stdout!.destroy()
  assert.deepEqual(await help.ended, { code: 0, out: '', err: '' })
})

test('where what it says finds no room it goes on', {
  skip: process.platform !== 'linux' && 'only Linux has /dev/full',
}, async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'rayito-cli-'))
  folders.push(cwd)
  const full = openSync('/dev/full', 'w')
  const args = [join(root, 'dist', 'cli', 'main.js'), 'start', '--notebook', '1', '--model', 'nobody/nothing']
  const child = spawn(process.execPath, args, { cwd, env: hub.env, stdio: ['ignore', full, 'pipe'] })
  closeSync(full)
  let err = ''
  child.stderr!.on('data', (chunk) => (err += chunk))
  const [code] = await once(child, 'close')
  assert.equal(code, 1)
  assert.match(err, /^rayito: Cell 6 of \d+ \(3 The classifier\)/)
})

test('folders that cannot be written are one line and exit code 1', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'rayito-cli-'))
  folders.push(cwd)
  leave(join(cwd, 'out'), `${NAME}.unfinished.ipynb`)
  const nowhere = { ...hub.env, TMPDIR: '/no/such', TEMP: '/no/such' }
  const { code, out, err } = await startIn(cwd, nowhere, 'start', '--notebook', '1').ended
  assert.equal(code, 1)
  assert.match(err, /^rayito: The notebook kernel could not begin: ENOENT.+\. Free room in .+ TMPDIR .+\n$/)
  assert.doesNotMatch(out, /Executed/, 'what another run left unfinished is not shown as its own')
  rmSync(join(cwd, 'out'), { recursive: true })
  writeFileSync(join(cwd, 'out'), '')
  const again = await startIn(cwd, hub.env, 'start', '--notebook', '1').ended
  assert.equal(again.code, 1)
  assert.match(again.err, /^rayito: .+out cannot be written \(EEXIST\)\. Run it where .+\n$/)
})

test('what cannot be written whole leaves nothing beside it', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'rayito-cli-'))
  folders.push(cwd)
  // Taken by a folder: the last step of writing fails, as on a full disk the one before does.
  for (const name of ['a.json', 'a.ipynb', 'a.html']) mkdirSync(join(cwd, name))
  const empty = { cells: [], metadata: {}, nbformat: 4, nbformat_minor: 5 }
  await assert.rejects(writeJson(cwd, 'a.json', {}), {
    code: 'RESULTS_UNWRITABLE',
    message:
      process.platform === 'win32' ? /a\.json cannot be written \(EPERM\)/ : /a\.json cannot be written \(EISDIR\)/,
  })
  await assert.rejects(writeNotebook(join(cwd, 'a.ipynb'), empty), { code: 'RESULTS_UNWRITABLE' })
  await assert.rejects(writeWhole(join(cwd, 'a.html'), '<p>'), { code: 'RESULTS_UNWRITABLE' })
  // Nor is its folder made where there is a file.
  writeFileSync(join(cwd, 'file'), '')
  for (const folder of [join(cwd, 'file'), join(cwd, 'file', 'out')])
    await assert.rejects(writeJson(folder, 'b.json', {}), { code: 'RESULTS_UNWRITABLE', message: /Run it where/ })
  rmSync(join(cwd, 'file'))
  assert.deepEqual(readdirSync(cwd).sort(), ['a.html', 'a.ipynb', 'a.json'])
})

test('wrong usage is one line and exit code 2; help is 0', async () => {
  const wrong = [
    ['nope'],
    [],
    ['start', '--dtype', 'fp64'],
    ['start', '--images', '0'],
    ['start', '--images', '1.5'],
    ['start', '--versions', 'A,X'],
    ['start', '--what'],
    ['start', '--image', '3'],
    ['start', '--out', ''],
    ['start', '--head', '--data', ''],
    ['worker', '--allow', ''],
    ['start', 'extra'],
    ['start', '--notebook', '9'],
    ['serve', 'status', '--address', 'localhost:8000'],
  ]
  for (const args of wrong) {
    const { code, err } = await start(...args).ended
    assert.equal(code, 2, args.join(' '))
    if (args.length > 0) assert.match(err, /^rayito: .+\.\n$/, args.join(' '))
    if (args.includes('--images')) assert.match(err, / is invalid\. Expected a whole number from 1 to \d+\.\n$/)
  }
  for (const [name, value] of Object.entries({ RAYITO_IMAGES: '-3', RAYITO_VERSIONS: 'Z' })) {
    const { cwd, ended } = startWith({ ...hub.env, [name]: value }, 'start')
    const { code, err } = await ended
    assert.deepEqual([code, readdirSync(cwd)], [2, []], name)
    assert.match(err, new RegExp(`^rayito: Expected .${name}. to be .+ got .${value}. .+\\n$`))
  }
  const npm = { ...hub.env, npm_lifecycle_event: 'start', npm_config_images: 'true' }
  const { code, err } = await startWith(npm, 'start', '50').ended
  assert.equal(code, 2)
  assert.match(err, /^rayito: npm took --images for itself\. Write `npm start -- --images …`, .*\n$/)
  for (const args of [['--help'], ['start', '--help'], ['jupyter', '--help'], ['--version']]) {
    const { code, out } = await start(...args).ended
    assert.equal(code, 0, args.join(' '))
    assert.doesNotMatch(out, /\[none/)
  }
})

test('jupyter hands its arguments on to JupyterLab, or says in one line what to install', async () => {
  // Nothing on the PATH: only a .venv that is there already can answer.
  const { child, ended } = startWith({ ...hub.env, PATH: '', Path: '' }, 'jupyter', '--version')
  child.stdin!.end()
  const { code, out, err } = await ended
  if (code === 0) assert.match(out, /^\d+\.\d+\.\d+/)
  else assert.match(err, /^rayito: Neither `jupyter` nor a Python .* was found\. Install .*\n$/)
})

test('a virtual environment that was left before it had pip is made again', {
  skip: process.platform === 'win32' && 'Windows starts no such program',
}, () => {
  const { other, main } = copyOfPackage()
  const [bin, made] = [join(other, 'bin'), join(other, '.venv', 'bin')]
  const python = `#!/bin/sh
case "$*" in
  '-m venv '*) /bin/cp "$0" '${join(made, 'python')}' ;;
  '-m jupyter lab '*) echo opened ;;
  '-m jupyterlab '*) exit 1 ;;
esac
`
  for (const folder of [bin, made]) mkdirSync(folder, { recursive: true })
  writeFileSync(join(bin, 'python3'), python, { mode: 0o755 })
  writeFileSync(join(made, 'python'), '#!/bin/sh\nexit 1\n', { mode: 0o755 })
  const env = { PATH: bin, RAYITO_CACHE: join(other, 'cache') }
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'jupyter'], { env, encoding: 'utf8' })
  assert.deepEqual([status, stderr], [0, ''])
  assert.match(stdout, /\nopened\n$/)
})

test('an installed JupyterLab gets what was given, and to export pages that hold their figures', {
  skip: process.platform === 'win32' && 'Windows starts no such program',
}, async () => {
  const bin = mkdtempSync(join(tmpdir(), 'rayito-bin-'))
  folders.push(bin)
  const program = `#!${process.execPath}\nconsole.log(process.argv.slice(2).join(' '))\n`
  writeFileSync(join(bin, 'jupyter'), program, { mode: 0o755 })
  const { out } = await startWith({ ...hub.env, PATH: bin }, 'jupyter', '--port', '0').ended
  assert.equal(out, 'lab --HTMLExporter.embed_images=True --port 0\n')
})

test('JupyterLab ends with the command, whatever asks it to', {
  skip: noSignals,
}, async () => {
  const bin = mkdtempSync(join(tmpdir(), 'rayito-bin-'))
  folders.push(bin)
  const program = `#!${process.execPath}
if (process.argv.includes('--version')) process.exit(0)
process.on('SIGTERM', () => { console.log('ended'); process.exit(0) })
process.on('SIGINT', () => { console.log('ended'); process.exit(0) })
setInterval(() => {}, 1_000)
console.log('runs')
`
  writeFileSync(join(bin, 'jupyter'), program, { mode: 0o755 })
  for (const signal of ['SIGHUP', 'SIGTERM', 'SIGINT'] as const) {
    const { child, ended } = startWith({ ...hub.env, PATH: bin }, 'jupyter')
    child.stdout!.once('data', () => child.kill(signal))
    const { code, out } = await ended
    assert.deepEqual([code, out], [0, 'runs\nended\n'], signal)
  }
})

test('where the package cannot be written, the kernel of JupyterLab lies in the cache; where neither can, it is one line', {
  skip: process.platform === 'win32' && 'Windows starts no such program',
}, () => {
  const { other, main } = copyOfPackage()
  const bin = join(other, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'jupyter'), `#!${process.execPath}\nconsole.log(process.env.JUPYTER_PATH)\n`, { mode: 0o755 })
  writeFileSync(join(other, 'out'), 'no folder')
  const open = (cache: string) =>
    spawnSync(process.execPath, [main, 'jupyter'], {
      env: { PATH: bin, RAYITO_CACHE: cache },
      encoding: 'utf8',
    })
  const cache = join(other, 'cache')
  const opened = open(cache)
  assert.deepEqual([opened.status, opened.stdout, opened.stderr], [0, `${join(cache, 'jupyter')}\n`, ''])
  const kernel = readFileSync(join(cache, 'jupyter', 'kernels', 'tslab', 'kernel.json'), 'utf8')
  assert.equal(JSON.parse(kernel).display_name, 'TypeScript')
  const nowhere = open(join(other, 'out'))
  assert.equal(nowhere.status, 1)
  assert.match(nowhere.stderr, /^rayito: .*kernel\.json cannot be written \(E\w+\)\. Make .*RAYITO_CACHE .*\n$/)
})
