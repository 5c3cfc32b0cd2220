import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Dealer, Subscriber } from 'zeromq'
import { RayitoError } from '../../core/errors.js'
import { freePorts } from './free-ports.js'
import { type Message, Wire } from './wire.js'

export interface KernelOptions {
  /** Folder in which the cells run: their imports and files are relative to it. */
  cwd: string
  /** @default process.env */
  env?: NodeJS.ProcessEnv
  /** How long the kernel may take until it answers, in milliseconds. @default 60000 */
  startTimeout?: number
  /** Ends a kernel that has not answered yet. */
  signal?: AbortSignal
}

/** What a kernel says of an execution. */
export interface Execution {
  /** `aborted`: the kernel did not run the cell. */
  status: 'ok' | 'error' | 'aborted'
  count: number | null
  /** Whether the cell printed faster than the kernel could publish, so that some of its output never came. */
  lossy: boolean
}

interface Request {
  onOutput: (message: Message) => void
  reply: ((content: Record<string, unknown>) => void) | null
  idle: () => void
}

const LAUNCHER = fileURLToPath(new URL('kernel-process.js', import.meta.url))
const TAIL = 4_000

/** A tslab kernel in a process of its own, spoken to in Jupyter's protocol over ZeroMQ. */
export class Kernel {
  readonly #child: ChildProcess
  readonly #wire: Wire
  readonly #shell = new Dealer({ linger: 0 })
  // Without a high-water mark here nothing is dropped on this side, however fast a cell prints.
  readonly #iopub = new Subscriber({ linger: 0, receiveHighWaterMark: 0 })
  readonly #requests = new Map<string, Request>()
  readonly #ended: Promise<void>
  #died: RayitoError | null = null
  #closing = false
  #tail = ''
  #languageInfo: Record<string, unknown> = {}

  /** Starts a kernel and waits until it answers. Rejects with KERNEL_DIED when it does not. */
  static async start(options: KernelOptions): Promise<Kernel> {
    for (let attempt = 1; ; attempt++) {
      const kernel = await Kernel.#spawn(options)
      const stop = () => void kernel.close()
      options.signal?.addEventListener('abort', stop)
      if (options.signal?.aborted) stop()
      try {
        await kernel.#ready(options.startTimeout ?? 60_000)
        return kernel
      } catch (error) {
        await kernel.close()
        // Another program can take a port between our choosing it and the kernel's binding it.
        if (attempt === 3 || !/EADDRINUSE|address already in use/i.test(kernel.#tail)) throw error
      } finally {
        options.signal?.removeEventListener('abort', stop)
      }
    }
  }

  static async #spawn(options: KernelOptions): Promise<Kernel> {
    const [shell, iopub, stdin, control, hb] = await freePorts(5)
    const key = randomUUID()
    const ports = { shell_port: shell, iopub_port: iopub, stdin_port: stdin, control_port: control, hb_port: hb }
    const connection = { ip: '127.0.0.1', transport: 'tcp', key, signature_scheme: 'hmac-sha256', kernel_name: 'tslab' }
    const file = await connectionFile({ ...connection, ...ports })
    const child = spawn(process.execPath, [LAUNCHER, 'kernel', `--config-path=${file}`], {
      cwd: options.cwd,
      env: options.env ?? process.env,
      stdio: ['pipe', 'pipe', 'pipe'],
      windowsHide: true,
      // A process group of its own: a terminal's Ctrl-C is the runner's to answer. (On Windows that would be a window of its own.)
      detached: process.platform !== 'win32',
    })
    return new Kernel(child, dirname(file), new Wire(key), shell!, iopub!)
  }

  private constructor(child: ChildProcess, folder: string, wire: Wire, shellPort: number, iopubPort: number) {
    this.#child = child
    this.#wire = wire
    this.#iopub.subscribe()
    this.#shell.connect(`tcp://127.0.0.1:${shellPort}`)
    this.#iopub.connect(`tcp://127.0.0.1:${iopubPort}`)
    void this.#listen(this.#shell, (message) => {
      const request = this.#requests.get(message.parent)
      request?.reply?.(message.content)
    })
    void this.#listen(this.#iopub, (message) => {
      const request = this.#requests.get(message.parent)
      if (message.type === 'status' && message.content.execution_state === 'idle') request?.idle()
      else request?.onOutput(message)
    })
    const keep = (chunk: Buffer) => {
      this.#tail = (this.#tail + chunk.toString()).slice(-TAIL)
    }
    child.stdout!.on('data', keep)
    child.stderr!.on('data', keep)
    this.#ended = new Promise((resolve) => {
      const end = (what: string, cause?: Error) => {
        this.#died ??= new RayitoError('KERNEL_DIED', `The notebook kernel ended${what}${lastLines(this.#tail)}`, {
          cause,
          exitCode: child.exitCode,
          signal: child.signalCode,
        })
        this.#shell.close()
        this.#iopub.close()
        for (const { idle } of this.#requests.values()) idle()
        void rm(folder, { recursive: true, force: true, maxRetries: 5 }).then(resolve, () => resolve())
      }
      child.once('error', (error) => end(` before it began (${error.message})`, error))
      // 'close', not 'exit': its last words have been read by then.
      child.once('close', (code, signal) => end(signal ? ` by ${signal}` : ` with exit code ${code}`))
    })
  }

  /** What the kernel says of its language: goes into a notebook's metadata. */
  get languageInfo(): Record<string, unknown> {
    return this.#languageInfo
  }

  /**
   * Runs a cell; resolves when its result and all of its outputs have arrived. Output that an earlier cell left
   * running is given to that cell's `onOutput`. Rejects with KERNEL_DIED when the kernel ends.
   */
  async execute(code: string, onOutput: (message: Message) => void): Promise<Execution> {
    const content = {
      code,
      silent: false,
      store_history: true,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: true,
    }
    const { reply, lossy } = await this.#request('execute_request', content, onOutput)
    const status = reply.status === 'ok' || reply.status === 'error' ? reply.status : 'aborted'
    return { status, count: (reply.execution_count as number | undefined) ?? null, lossy }
  }

  /** Interrupts the cell that runs, as Ctrl-C in a notebook does: what it started with `ray` is cancelled. */
  interrupt(): void {
    if (process.platform !== 'win32') this.#child.kill('SIGINT')
    // There a signal ends the process.
    else this.#send('interrupt_request', {}, { onOutput() {}, reply: null, idle() {} })
  }

  /** Ends the kernel and the threads in it, whatever they do; resolves when the process is gone. */
  async close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = true
      this.#child.kill('SIGTERM')
    }
    const hard = setTimeout(() => this.#child.kill('SIGKILL'), 3_000)
    await this.#ended
    clearTimeout(hard)
  }

  /** Asks until an answer comes on both sockets: a subscription made too late misses the first ones. */
  async #ready(timeout: number): Promise<void> {
    let heard: () => void = () => {}
    const both = new Promise<void>((resolve) => {
      heard = resolve
    })
    const ask = () => {
      let left = 2
      const one = () => {
        if (--left === 0) heard()
      }
      this.#send(
        'kernel_info_request',
        {},
        {
          onOutput() {},
          reply: (content) => {
            this.#languageInfo = (content.language_info as Record<string, unknown> | undefined) ?? {}
            one()
          },
          idle: () => (this.#died ? heard() : one()),
        },
      )
    }
    ask()
    const again = setInterval(ask, 250)
    const late = setTimeout(heard, timeout)
    await both
    clearInterval(again)
    clearTimeout(late)
    if (this.#died) throw this.#died
    if (Object.keys(this.#languageInfo).length === 0)
      throw new RayitoError(
        'KERNEL_DIED',
        `The notebook kernel did not answer within ${timeout / 1000} s${lastLines(this.#tail)}`,
      )
    this.#requests.clear()
  }

  /** Sends a request; resolves when its reply and everything published for it have arrived. */
  async #request(type: string, content: object, onOutput: Request['onOutput']) {
    if (this.#died) throw this.#died
    let fences: NodeJS.Timeout | undefined
    let lossy = false
    const reply = await new Promise<Record<string, unknown>>((resolve) => {
      let answer: Record<string, unknown> | null = null
      let idle = false
      const done = () => {
        if (this.#died) resolve({})
        else if (answer && idle) resolve(answer)
      }
      const published = () => {
        idle = true
        done()
      }
      // A publisher drops what its reader is too slow for, the closing "idle" included. Then the "idle" of a later
      // request, which cannot overtake, stands for it.
      const late = () => {
        lossy = true
        published()
      }
      const fence = () => this.#send('kernel_info_request', {}, { onOutput() {}, reply: null, idle: late })
      this.#send(type, content, {
        onOutput,
        reply: (given) => {
          answer = given
          if (!idle) fences = setInterval(fence, 1_000)
          done()
        },
        idle: published,
      })
    })
    clearInterval(fences)
    if (this.#died) throw this.#died
    return { reply, lossy }
  }

  #send(type: string, content: object, request: Request): void {
    const { id, frames } = this.#wire.encode(type, content)
    this.#requests.set(id, request)
    // It fails only when the sockets are closed, which ends every request anyway.
    this.#shell.send(frames).catch(() => {})
  }

  async #listen(socket: Dealer | Subscriber, take: (message: Message) => void): Promise<void> {
    try {
      for await (const frames of socket) {
        const message = this.#wire.decode(frames)
        if (message) take(message)
      }
    } catch (error) {
      if (!socket.closed) throw error
    }
  }
}

/** Writes how to connect into a folder of its own that only this user can read; returns the file's path. */
async function connectionFile(connection: object): Promise<string> {
  let folder = ''
  try {
    folder = await mkdtemp(join(tmpdir(), 'rayito-kernel-'))
    const file = join(folder, 'connection.json')
    await writeFile(file, JSON.stringify(connection), { mode: 0o600 })
    return file
  } catch (cause) {
    if (folder) await rm(folder, { recursive: true, force: true })
    const remedy = `Free room in ${tmpdir()}, or point TMPDIR (on Windows TEMP) to a folder that can be written.`
    const message = `The notebook kernel could not begin: ${(cause as Error).message}`
    throw new RayitoError('KERNEL_DIED', message, { cause, remedy })
  }
}

/** Frames of a stack, native ones too, and what Node and V8 write around them: they would leave no room for the error itself. */
const AROUND = /^\s+at |^Node\.js v|^[\s{}^]*$|^\s*\d+: (0x|[0-9A-F]{16})|^---|^<---|\[\d+:(0x|[0-9A-F]{16})/

function lastLines(text: string): string {
  const said = text.split(/\r?\n/).filter((line) => !AROUND.test(line))
  const lines = said.slice(-8).join(' | ')
  return lines && `; its last words: ${lines}`
}
