/** A head and two workers of one CPU each on this machine, in turn with the bare client on the same server. */
import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AckPolicy, jetstream, jetstreamManager, RetentionPolicy } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import { RayitoError } from '#src/core/errors.js'
import { ray } from '#src/ray/index.js'
import { clocked, given, report, step } from '../report.js'
import { ECHO, QUEUE, TASKS } from './cluster-bare.js'
import { Echo, nothing } from './work.js'

export interface ClusterWork {
  blocks: number
  tasks: number
  roundTrips: number
  /** Bytes of the object that both nodes get. */
  bytes: number
  /** How often it is sent, and the command run. */
  looks: number
}

/** Seconds: each call, each round trip, the object on both nodes, one look with the command. */
export interface ClusterResult {
  noOp: { ours: number[]; theirs: number[] }
  roundTrip: { ours: number[]; theirs: number[] }
  object: number[]
  status: number[]
}

const COMMAND = fileURLToPath(import.meta.resolve('#src/cli/main.js'))
const HERE = fileURLToPath(new URL('.', import.meta.url))
/** Starts the command and resolves when it has printed what is looked for. Rejects with BENCH_FAILED if it ends before. */
async function rayito(pattern: RegExp, ...args: string[]): Promise<{ child: ChildProcess; found: string }> {
  const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let seen = ''
  for await (const text of child.stdout!.iterator({ destroyOnReturn: false })) {
    seen += text
    const found = pattern.exec(seen)?.[0]
    if (!found) continue
    child.stdout!.resume()
    return { child, found }
  }
  throw new RayitoError('BENCH_FAILED', `rayito ${args[0]} ended before it said ${pattern}`)
}

report(async (): Promise<ClusterResult> => {
  const { blocks, tasks, roundTrips, bytes, looks } = given<ClusterWork>()
  const data = mkdtempSync(join(tmpdir(), 'rayito-bench-'))
  const { child: head, found: address } = await rayito(
    /nats:\/\/127\.0\.0\.1:\d+/,
    'start',
    '--head',
    '--port',
    '0',
    '--data',
    data,
  )
  const workers: ChildProcess[] = []
  try {
    const worker = async (name: string) => {
      const args = ['worker', '--address', address, '--num-cpus', '1', '--name', name, '--allow', HERE]
      workers.push((await rayito(/joined/, ...args)).child)
    }
    await Promise.all([worker('alpha'), worker('beta')])
    await ray.init({ address })
    const actor = Echo.remote()
    const bare = await bareClient(address)
    const result: ClusterResult = {
      noOp: { ours: [], theirs: [] },
      roundTrip: { ours: [], theirs: [] },
      object: [],
      status: [],
    }
    const kinds = {
      noOp: {
        ours: () => ray.get(Array.from({ length: tasks }, () => nothing.remote())),
        theirs: () => bare.publishAndConsume(tasks),
        calls: tasks,
      },
      roundTrip: {
        ours: async () => {
          for (let i = 0; i < roundTrips; i++) await ray.get(actor.say.remote(i))
        },
        theirs: () => bare.requests(roundTrips),
        calls: roundTrips,
      },
    }
    for (let block = -1; block < blocks; block++) {
      for (const kind of ['noOp', 'roundTrip'] as const)
        for (const who of block % 2 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const)) {
          const { seconds } = await clocked<unknown>(kinds[kind][who])
          // the first block warms up
          if (block >= 0) result[kind][who].push(seconds / kinds[kind].calls)
        }
      if (block >= 0) step()
    }
    const actors = [Echo.remote(), Echo.remote()]
    await ray.get(actors.map((one) => one.say.remote(1)))
    for (let i = 0; i < looks; i++) {
      const large = ray.put(new Uint8Array(bytes).fill(i))
      const both = () => ray.get(actors.map((one) => one.length.remote(large)))
      result.object.push((await clocked<unknown>(both)).seconds)
      ray.free(large)
      const look = async () => once((await rayito(/CPUs;/, 'status', '--address', address)).child, 'exit')
      result.status.push((await clocked(look)).seconds)
    }
    await bare.close()
    await ray.shutdown()
    return result
  } finally {
    for (const worker of workers) worker.kill('SIGKILL')
    // it passes the signal on to its server
    head.kill('SIGTERM')
    await once(head, 'exit')
    rmSync(data, { recursive: true, force: true })
  }
})

/** The same client without us, both ends in processes of their own. */
async function bareClient(address: string) {
  const client = await connect({ servers: address })
  const jsm = await jetstreamManager(client)
  await jsm.streams.add({ name: QUEUE, subjects: [TASKS], retention: RetentionPolicy.Workqueue })
  await jsm.consumers.add(QUEUE, { durable_name: 'bare', ack_policy: AckPolicy.Explicit })
  const js = jetstream(client)
  const other = fork(join(HERE, 'cluster-bare.js'), [address])
  await once(other, 'message')
  return {
    async publishAndConsume(count: number): Promise<void> {
      const consumed = once(other, 'message')
      other.send(count)
      await Promise.all(Array.from({ length: count }, () => js.publish(TASKS, 'x')))
      await consumed
    },
    async requests(count: number): Promise<void> {
      for (let i = 0; i < count; i++) await client.request(ECHO, `${i}`)
    },
    async close(): Promise<void> {
      other.disconnect()
      await once(other, 'exit')
      await jsm.streams.delete(QUEUE)
      await client.close()
    },
  }
}
