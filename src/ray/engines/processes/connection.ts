import { type ChildProcess, fork } from 'node:child_process'
import { childEnv } from '../../../core/child-env.js'
import { epoch, now } from '../../../core/clock.js'
import { packageFile } from '../../../core/package-file.js'
import { decodeError } from '../../pack/error-codec.js'
import type { ToDriver, ToWorker, WorkerStart } from '../../protocol.js'
import { decodeWire, encodeWire } from '../../wire.js'
import {
  type Connection,
  type ConnectionEvents,
  type Connector,
  type HeapLimits,
  heapLimit,
  type WorkerOptions,
} from '../local/connection.js'
import { AnnouncedStates } from '../local/slots.js'

/** Milliseconds that the last words of a process may take after its end. */
const LAST_WORDS = 500

/** Those that have said nothing yet. They hear of no channel that closes; where they cannot begin, never. */
const beginning = new Set<ChildProcess>()

function endBeginning(): void {
  for (const child of beginning) child.kill('SIGKILL')
}

export const PROCESSES: Connector = { connect: (options, events) => new ProcessConnection(options, events) }

/** One worker process: Node's own fork. It may crash, and nothing else with it. */
class ProcessConnection implements Connection {
  readonly states = new AnnouncedStates()
  readonly announces = true
  readonly process: string
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #complaint = ''
  #error: unknown = null

  constructor({ resourceLimits, env, ...options }: WorkerOptions, events: ConnectionEvents) {
    const made = now()
    const child = fork(packageFile('ray/worker/process.js'), [String(process.pid)], {
      execArgv: [...execArgv(), ...heapFlags(resourceLimits)],
      serialization: 'advanced',
      env: childEnv(env),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    this.#child = child
    if (beginning.size === 0) process.on('exit', endBeginning)
    beginning.add(child)
    const begun = () => {
      if (beginning.delete(child) && beginning.size === 0) process.off('exit', endBeginning)
    }
    child.once('message', begun).once('exit', begun).once('error', begun)
    this.process = `${options.name} (${child.pid})`
    child.on('message', (bytes) => {
      const message = decodeWire(bytes as Uint8Array) as ToDriver
      if (message[0] === 'dying') this.#error = decodeError(message[1])
      else events.message(message)
    })
    // One that the system refused has neither pipes nor channel.
    for (const stream of ['stdout', 'stderr'] as const) {
      const pipe = child[stream]?.setEncoding('utf8')
      pipe?.on('data', (text: string) => {
        if (stream === 'stderr') this.#complaint = (this.#complaint + text).slice(-8000)
        events.message(['output', stream, text])
      })
    }
    this.#ended = new Promise((resolve) => {
      let told = false
      let lastWords: NodeJS.Timeout | undefined
      const ended = (exitCode: number | null, signal: string | null, error = this.#error) => {
        clearTimeout(lastWords)
        if (told) return
        told = true
        events.ended({ exitCode, signal, error, heapLimit: this.#heapLimit(resourceLimits) })
        resolve()
      }
      child.on('error', (error) => ended(null, null, error))
      child.on('close', (code, signal) => ended(code, signal))
      // A process of its own may hold its pipes open.
      child.on('exit', (code, signal) => {
        lastWords = setTimeout(() => ended(code, signal), LAST_WORDS)
      })
    })
    const start: WorkerStart = { ...options, gate: null, slots: null, epoch: epoch(), made }
    this.post(start)
    this.hold(false)
  }

  post(message: WorkerStart | ToWorker): void {
    if (this.#child.connected) this.#child.send(encodeWire(message), ignore)
  }

  hold(held: boolean): void {
    const hold = held ? 'ref' : 'unref'
    this.#child[hold]()
    this.#child.channel?.[hold]()
    for (const pipe of [this.#child.stdout, this.#child.stderr]) (pipe as unknown as NodeJS.RefCounted | null)?.[hold]()
  }

  async stop(): Promise<void> {
    this.hold(true)
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #heapLimit(limits: HeapLimits | undefined): number | null {
    return /heap limit|heap out of memory/.test(this.#complaint) ? heapLimit(limits) : null
  }
}

/** A process that is gone is told by its end. */
function ignore(): void {}

/** A worker inherits this process's flags, but not those that name a program. */
function execArgv(): string[] {
  const kept: string[] = []
  for (let i = 0; i < process.execArgv.length; i++) {
    const flag = process.execArgv[i]!
    if (/^(-e|-p|-pe|--eval|--print|--input-type)$/.test(flag)) i++
    else if (!/^--(input-type|eval|print|test|inspect|inspect-brk)\b/.test(flag)) kept.push(flag)
    // Its value may be a word of its own, which would be the program then.
    else while (process.execArgv[i + 1]?.startsWith('-') === false) i++
  }
  return kept
}

function heapFlags({ maxOldGenerationSizeMb, maxYoungGenerationSizeMb, stackSizeMb }: HeapLimits = {}): string[] {
  const flags: string[] = []
  // A share of the machine's memory is seldom a whole number, and V8 takes no other.
  if (maxOldGenerationSizeMb) flags.push(`--max-old-space-size=${Math.ceil(maxOldGenerationSizeMb)}`)
  // V8 counts one half-space; the young generation has three.
  if (maxYoungGenerationSizeMb)
    flags.push(`--max-semi-space-size=${Math.max(1, Math.floor(maxYoungGenerationSizeMb / 3))}`)
  if (stackSizeMb) flags.push(`--stack-size=${Math.floor(stackSizeMb * 1000)}`)
  return flags
}
