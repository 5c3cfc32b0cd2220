import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { RayitoError } from '../core/errors.js'
import { Node } from '../ray/engines/nats/node.js'
import { stopSignal } from './stop-signal.js'

interface WorkerOptions {
  address?: string
  numCpus?: number
  name?: string
  allow: string[]
}

/** `rayito worker`: this machine works for a cluster until it is told to stop. */
export function workerCommand(): Command {
  return new Command('worker')
    .description('join a cluster and work for it; Ctrl-C or SIGTERM ends what runs, then leaves')
    .option('--address <url>', 'the cluster, nats://HOST:PORT (default: RAY_ADDRESS)')
    .option('--num-cpus <n>', `how many tasks run at once (default: the cores, ${availableParallelism()} here)`, cpus)
    .option('--name <name>', 'what the node is called (default: host and process)')
    .option('--allow <folder>', 'a folder whose modules may run here, besides this package; repeatable', collect, [])
    .allowExcessArguments(false)
    .action(work)
}

async function work({ address, numCpus, name, allow }: WorkerOptions): Promise<void> {
  const stop = stopSignal()
  const say = (line: string) => process.stdout.write(`${line}\n`)
  const node = await Node.join({
    address: addressOf(address),
    allow: allow.map((folder) => resolve(folder)),
    say,
    ...(numCpus === undefined ? {} : { numCpus }),
    ...(name === undefined ? {} : { name }),
  })
  say(`node ${node.name} joined with ${node.cpus.total} CPUs`)
  const end = await Promise.race([
    node.closed.then((error) => error ?? new Error('the server closed the connection')),
    new Promise<null>((resolve) => stop.addEventListener('abort', () => resolve(null))),
  ])
  if (end) throw new RayitoError('RAY_CLUSTER_LOST', `The NATS server is gone: ${end.message}`, { cause: end })
  say(`node ${node.name} ends what runs and leaves`)
  await node.drain()
}

export function addressOf(given: string | undefined): string {
  const address = given ?? process.env.RAY_ADDRESS
  if (address) return address
  throw new RayitoError('USAGE', 'Expected `--address nats://HOST:PORT`, or RAY_ADDRESS', {
    remedy: '`rayito start --head` starts a cluster and says its address.',
  })
}

function cpus(text: string): number {
  const value = Number(text)
  if (!(value > 0 && value <= 4096)) throw new InvalidArgumentError('Expected a number above 0.')
  return value
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}
