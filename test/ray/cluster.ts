/** A cluster for tests: a real nats-server, and worker processes of the command. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import type { TestContext } from 'node:test'
import { fileURLToPath } from 'node:url'
import { rayitoCache } from '#src/core/paths.js'
import { latch, letGo } from './latch.js'
import type { Program } from './programs.js'

export const COMMAND = fileURLToPath(import.meta.resolve('#src/cli/main.js'))
/** The built tests, whose modules workers may run. */
const TESTS = fileURLToPath(new URL('..', import.meta.url))

/** The server's program: NATS_SERVER, in rayito's cache, on the PATH. */
export function natsServer(): string | null {
  const name = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server'
  const places = [join(rayitoCache(), 'bin'), ...(process.env.PATH ?? '').split(delimiter)].map((folder) =>
    join(folder, name),
  )
  return [process.env.NATS_SERVER, ...places].find((file) => file && existsSync(file)) ?? null
}

/** Why tests on a cluster are skipped; false if they are not. */
export function clusterMissing(): string | false {
  const file = natsServer()
  if (!file) return 'there is no nats-server here'
  return spawnSync(file, ['--version']).status === 0 ? false : `${file} does not run`
}

export function freePort(host = '127.0.0.1'): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, host, () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** Resolves when the child has printed it. */
export function printed(child: ChildProcess, text: string | RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let seen = ''
    const look = (data: unknown) => {
      seen += data
      if (typeof text === 'string' ? seen.includes(text) : text.test(seen)) resolve(seen)
    }
    child.stdout?.on('data', look)
    child.stderr?.on('data', look)
    child.on('exit', (code, signal) => reject(new Error(`ended with ${signal ?? code}: ${seen}`)))
  })
}

const children = new Set<ChildProcess>()
/** A test that is ended leaves nothing behind. */
function kept(child: ChildProcess): ChildProcess {
  if (children.size === 0)
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => process.exit(1))
  if (children.size === 0)
    process.once('exit', () => {
      for (const one of children) one.kill('SIGKILL')
    })
  children.add(child)
  return child
}

const exited = (child: ChildProcess) =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise<void>((resolve) => child.once('exit', () => resolve()))

export class Server {
  readonly #data = mkdtempSync(join(tmpdir(), 'rayito-nats-'))
  #child: ChildProcess | null = null

  private constructor(
    readonly port: number,
    private readonly options: readonly string[],
    private readonly host: string,
  ) {}

  static async start(options: readonly string[] = [], host = '127.0.0.1'): Promise<Server> {
    const server = new Server(await freePort(host), options, host)
    await server.up()
    return server
  }

  /** One that ends with the test. */
  static async startFor(t: TestContext): Promise<Server> {
    const server = await Server.start()
    t.after(() => server.end())
    return server
  }

  get address(): string {
    return `nats://${this.host}:${this.port}`
  }

  async up(): Promise<void> {
    const options = ['-js', '-sd', this.#data, '-a', this.host, '-p', `${this.port}`, ...this.options]
    this.#child = kept(spawn(natsServer()!, options, { stdio: ['ignore', 'pipe', 'pipe'] }))
    await printed(this.#child, 'Server is ready')
  }

  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#child?.kill(signal)
    if (this.#child) await exited(this.#child)
  }

  /** While it is down: what it had is gone. */
  lose(): void {
    rmSync(this.#data, { recursive: true, force: true, maxRetries: 5 })
  }

  async end(): Promise<void> {
    await this.down('SIGKILL')
    this.lose()
  }
}

/** A line to a server whose answers can be held up, once tasks are published over it. */
export class Line {
  /** Messages with tasks that went over it. */
  published = 0
  #holding = false
  readonly #answers = new Set<Socket>()

  private constructor(readonly address: string) {}

  static async to(server: Server, t: TestContext): Promise<Line> {
    const port = await freePort()
    const line = new Line(`nats://127.0.0.1:${port}`)
    const sockets = new Set<Socket>()
    const listener = createServer((driver) => {
      const answers = connect(server.port, '127.0.0.1')
      line.#answers.add(answers)
      for (const socket of [driver, answers]) sockets.add(socket.on('error', () => {}))
      driver.on('data', (data) => {
        const tasks = data.toString('latin1').match(/PUB rayito\.task\./g)?.length ?? 0
        line.published += tasks
        if (tasks && line.#holding) answers.pause()
        answers.write(data)
      })
      answers.pipe(driver)
      driver.on('close', () => answers.destroy())
    })
    await new Promise<void>((resolve) => listener.listen(port, '127.0.0.1', resolve))
    t.after(() => {
      listener.close()
      for (const socket of sockets) socket.destroy()
    })
    return line
  }

  /** From the next message with tasks on, nothing is answered. */
  holdUp(): void {
    this.#holding = true
  }

  goOn(): void {
    this.#holding = false
    for (const answers of this.#answers) answers.resume()
  }
}

export interface WorkerProcessOptions {
  name: string
  numCpus?: number
  allow?: string
  env?: object
  /** What starts it, before its arguments. */
  command?: readonly string[]
}

/** A worker process of the command. */
export class WorkerProcess {
  private constructor(
    readonly name: string,
    readonly child: ChildProcess,
  ) {}

  static async start(
    address: string,
    { name, numCpus = 2, allow = TESTS, env = {}, command = [process.execPath, COMMAND] }: WorkerProcessOptions,
  ): Promise<WorkerProcess> {
    const options = ['worker', '--address', address, '--name', name, '--num-cpus', `${numCpus}`, '--allow', allow]
    const child = kept(
      spawn(command[0]!, [...command.slice(1), ...options], {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, ...env },
      }),
    )
    await printed(child, 'joined')
    if (process.env.RAYITO_TEST_LOUD) for (const pipe of [child.stdout, child.stderr]) pipe!.pipe(process.stderr)
    return new WorkerProcess(name, child)
  }

  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.child.kill(signal)
    await exited(this.child)
  }
}

let server: Server | null = null
let worker: { numCpus: number; process: WorkerProcess } | null = null
let made = 0

/** The address of a cluster of one node with so many CPUs, kept from test to test. */
export async function address(numCpus: number): Promise<string> {
  server ??= await Server.start()
  if (worker && worker.numCpus !== numCpus) {
    await worker.process.end()
    worker = null
  }
  worker ??= {
    numCpus,
    process: await WorkerProcess.start(server.address, { name: `node-${++made}`, numCpus }),
  }
  return server.address
}

export async function endCluster(): Promise<void> {
  await worker?.process.end()
  await server?.end()
  worker = null
  server = null
}

/**
 * Another driver, a program that makes something, says so and stays until what this resolves with is called.
 * @param run imports `isOpen` of latch.ts
 */
export async function anotherDriver(
  run: (source: string) => Program,
  address: string,
  source: string,
): Promise<() => Promise<void>> {
  const stay = latch()
  const program = run(`
    await ray.init({ address: ${JSON.stringify(address)} })
    ${source}
    console.log('made')
    const stay = ${JSON.stringify(stay)}
    while (!isOpen(stay)) await new Promise((resolve) => setTimeout(resolve, 10))
    await ray.shutdown()`)
  await printed(program.child, 'made')
  return async () => {
    letGo(stay)
    const { code, stderr } = await program
    assert.equal(code, 0, stderr)
  }
}
