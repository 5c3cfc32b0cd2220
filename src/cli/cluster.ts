import { statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { RayitoError } from '../core/errors.js'
import { inLine, inLines, plural } from '../core/format.js'
import { urlsOf } from '../ray/engines/nats/address.js'
import type { Observer } from '../ray/engines/nats/status/observe.js'
import { folder } from './folder.js'
import { port } from './port.js'
import { stopSignal } from './stop-signal.js'

interface WorkerOptions {
  address?: string
  numCpus?: number
  name?: string
  allow?: string[]
}

/** `rayito worker`: this machine works for a cluster until it is told to stop. */
export function workerCommand(): Command {
  return new Command('worker')
    .description('join a cluster and work for it; Ctrl-C or SIGTERM ends what runs, then leaves')
    .option('--address <url>', 'the cluster, nats://HOST:PORT (default: RAY_ADDRESS)')
    .option('--num-cpus <n>', `how many tasks run at once (default: the cores, ${availableParallelism()} here)`, cpus)
    .option('--name <name>', 'what the node is called (default: host and process)', oneLine)
    .option('--allow <folder>', 'a folder whose modules may run here, besides this package; repeatable', folders)
    .allowExcessArguments(false)
    .action(work)
}

async function work({ address, numCpus, name, allow = [] }: WorkerOptions): Promise<void> {
  const told = stopSignal()
  const asked = new AbortController()
  const stop = AbortSignal.any([told, asked.signal])
  const say = (line: string) => process.stdout.write(`${inLine(line)}\n`)
  const { Node } = await import('../ray/engines/nats/node/node.js')
  const node = await Node.join({
    address: addressOf(address),
    allow,
    say,
    stop: () => asked.abort(),
    ...(numCpus === undefined ? {} : { numCpus }),
    ...(name === undefined ? {} : { name }),
  })
  say(`node ${node.name} joined with ${plural(node.cpus.total, 'CPU')}`)
  const end = await Promise.race([
    node.closed.then((error) => error ?? new Error('the server closed the connection')),
    new Promise<null>((resolve) => {
      stop.addEventListener('abort', () => resolve(null))
      // It may have come during the join.
      if (stop.aborted) resolve(null)
    }),
  ])
  if (end) await node.leave()
  if (end instanceof RayitoError) throw end
  if (end) throw new RayitoError('RAY_CLUSTER_LOST', `The NATS server is gone: ${end.message}`, { cause: end })
  say(`node ${node.name} ends what runs and leaves`)
  await node.drain()
}

/** `rayito status`: what a cluster is and does. */
export function statusCommand(): Command {
  return new Command('status')
    .description('show the nodes of a cluster and what they do')
    .option('--address <url>', 'the cluster, nats://HOST:PORT (default: RAY_ADDRESS)')
    .option('--watch', 'go on showing it, every second, until Ctrl-C')
    .option('--json', 'as JSON')
    .allowExcessArguments(false)
    .action(status)
}

async function status({ address, watch, json }: { address?: string; watch?: boolean; json?: boolean }): Promise<void> {
  const observer = await observe(address)
  const { statusText } = await import('../ray/engines/nats/status/status-text.js')
  const { stdout } = process
  const show = async () => {
    const now = await observer.status()
    const text = json ? JSON.stringify(now) : statusText(now)
    // In a terminal it stays in place.
    stdout.write(`${watch && stdout.isTTY && !json ? '\x1b[H\x1b[2J' : ''}${text}\n`)
  }
  try {
    if (!watch) return await show()
    const stop = stopSignal()
    const aborted = new Promise((resolve) => stop.addEventListener('abort', resolve))
    while (!stop.aborted) {
      // A server that is started again is waited for.
      await show().catch((error) => process.stderr.write(`rayito: ${inLines((error as Error).message)}\n`))
      await Promise.race([aborted, new Promise((resolve) => setTimeout(resolve, 1_000))])
    }
  } finally {
    await observer.close()
  }
}

/** Loaded when it is asked for: each look is to be quick. */
async function observe(address: string | undefined): Promise<Observer> {
  const { Observer } = await import('../ray/engines/nats/status/observe.js')
  return Observer.open(addressOf(address))
}

/** `rayito stop`: all nodes end what runs and leave. */
export function stopCommand(): Command {
  return new Command('stop')
    .description('ask the nodes of a cluster to end what runs and leave; the head goes on until it is stopped itself')
    .option('--address <url>', 'the cluster, nats://HOST:PORT (default: RAY_ADDRESS)')
    .allowExcessArguments(false)
    .action(async ({ address }: { address?: string }) => {
      const observer = await observe(address)
      try {
        const { nodes } = await observer.status()
        await observer.stopNodes()
        process.stdout.write(`${plural(nodes.length, 'node')} ${nodes.length === 1 ? 'was' : 'were'} asked to leave\n`)
      } finally {
        await observer.close()
      }
    })
}

/** What `rayito start` takes to start a head instead of the notebooks. */
export function withHead(start: Command): Command {
  return start
    .option('--head', 'start a cluster instead: its NATS server, here')
    .option('--host <host>', 'with --head: where it listens', '127.0.0.1')
    .option('--port <port>', 'with --head: the port; 0 takes a free one', port, 4222)
    .option('--data <folder>', 'with --head: where it keeps its queue (default: in the cache)', folder)
    .option(
      '--token [token]',
      'with --head: what whoever connects must bring in the address (made up if none is named)',
      token,
    )
    .option('--install', 'with --head, or for notebook 3: install the pinned nats-server if there is none')
}

export function addressOf(given: string | undefined): string {
  const address = given ?? process.env.RAY_ADDRESS
  if (address) {
    urlsOf(address, given === undefined ? 'RAY_ADDRESS' : 'address')
    return address
  }
  throw new RayitoError('USAGE', 'Expected `--address nats://HOST:PORT`, or RAY_ADDRESS', {
    remedy: '`rayito start --head` starts a cluster and says its address.',
  })
}

function cpus(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 4096)) throw new InvalidArgumentError('Expected a number above 0, 4096 at most.')
  return value
}

function token(text: string): string {
  if (!/^[\w.~-]+$/.test(text)) throw new InvalidArgumentError('Expected letters, digits and ._~- only.')
  return text
}

function oneLine(text: string): string {
  if (!text.trim() || /\p{Cc}/u.test(text)) throw new InvalidArgumentError('Expected a name of one line.')
  return text
}

function folders(text: string, before: string[] = []): string[] {
  const path = resolve(folder(text))
  if (!statSync(path, { throwIfNoEntry: false })?.isDirectory())
    throw new InvalidArgumentError(`Expected a folder, there is none at ${path}.`)
  return [...before, path]
}
