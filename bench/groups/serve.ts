import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { range } from '#src/lab/settings.js'
import { interleave } from '../interleave.js'
import { rssMB } from '../memory.js'
import { runProgram } from '../program.js'
import type { Bare } from '../programs/bare.js'
import type { Ran } from '../programs/exercise.js'
import { makeRow, type Row } from '../row.js'
import { load, type Server, serveProgram, serveRun } from '../server.js'
import type { Bench, Group, Prepared } from './group.js'

const PICTURE = readFileSync(
  fileURLToPath(new URL('../../../test/fixtures/models/pictures/colour-64x64.png', import.meta.url)),
)
const CONNECTIONS = [1, 8, 32, 128]
const REPLICAS = 2
/** Nothing listens there: Wikipedia costs nothing. */
const NO_WIKIPEDIA = { RAYITO_WIKIPEDIA: 'http://127.0.0.1:9' }
const SERVICE = ['ray-server:info', '--num-replicas', String(REPLICAS)]

/** The HTTP server, alone and with ViT-Base. */
export const serve: Group = {
  name: 'serve',
  title: 'The server against Fastify, multipart and sharp, and against bare workers',
  needsModel: true,
  async measure(bench) {
    return [...(await starts(bench)), ...(await decoding(bench)), ...(await inferring(bench)), await flat(bench)]
  },
}

async function starts({ quick, model, note }: Bench): Promise<Row[]> {
  const env = { ...model!.env, ...NO_WIKIPEDIA }
  const start = (source: string) => async () => {
    const server = await serveRun([...SERVICE, '--source', source], env)
    await server.stop()
    return server.readySeconds
  }
  const times = quick ? 2 : 9
  const cached = await interleave('serve start', times, { hub: start('hub') })
  const rows = [
    makeRow({
      id: 'ready',
      title: 'Ready after the command, ViT-Base fp32 cached',
      unit: 's',
      ours: cached.hub,
      target: { value: 1.5 },
    }),
  ]
  try {
    const { embedded } = await interleave('serve start, embedded', times, { embedded: start('embedded') })
    rows.push(
      makeRow({
        id: 'ready-embedded',
        title: 'Ready after the command, embedded model',
        unit: 's',
        ours: embedded,
        target: { value: 1 },
      }),
    )
  } catch (error) {
    note(`serve.ready-embedded is missing: ${(error as Error).message}`)
  }
  return rows
}

/** Runs work on servers that live as long as it takes. */
async function withServers<T>(
  servers: Record<string, Promise<Server>>,
  work: (urls: Record<string, string>) => Promise<T>,
): Promise<T> {
  const started = Object.entries(servers)
  try {
    const urls: Record<string, string> = {}
    for (const [name, server] of started) urls[name] = (await server).url
    return await work(urls)
  } finally {
    for (const [, server] of started) await server.then((one) => one.stop()).catch(() => {})
  }
}

/** Only decoding: what the server itself costs. */
async function decoding({ quick }: Bench): Promise<Row[]> {
  const servers = {
    ours: serveProgram('serve-ours'),
    bare: serveProgram('serve-bare'),
    same: serveProgram('serve-bare', { OWN_DECODER: '1' }),
  }
  return withServers(servers, async (urls) => {
    const names = ['ours', 'bare', 'same'] as const
    for (const name of names) await load(`${urls[name]}/decode`, PICTURE, { connections: 32, duration: quick ? 1 : 3 })
    const subjects = Object.fromEntries(
      CONNECTIONS.flatMap((connections) =>
        names.map((name) => [
          `${name} ${connections}`,
          () => load(`${urls[name]}/decode`, PICTURE, { connections, duration: quick ? 1 : 3 }),
        ]),
      ),
    )
    const runs = await interleave('serve decode', quick ? 2 : 7, subjects)
    const rates = (name: string, connections: number) => runs[`${name} ${connections}`]!.map(({ rate }) => rate)
    const rows = CONNECTIONS.map((connections) =>
      makeRow({
        id: `decode-${connections}`,
        title: `Decode a 64×64 PNG, ${connections} connection${connections === 1 ? '' : 's'}`,
        unit: 'requests/s',
        lowerIsBetter: false,
        ours: rates('ours', connections),
        peers: {
          'Fastify, multipart, sharp': rates('bare', connections),
          'the same with our decoder': rates('same', connections),
        },
        ...(connections === 32 ? { target: { ratio: 0.85 } } : {}),
        details: { p99: runs[`ours ${connections}`]!.map(({ p99 }) => p99) },
      }),
    )
    const steady = makeRow({
      id: 'decode-steady',
      title: 'At 128 connections, against 8',
      unit: 'requests/s',
      lowerIsBetter: false,
      ours: rates('ours', 128),
      peers: { 'at 8': rates('ours', 8) },
      target: { ratio: 0.9 },
    })
    return [...rows, steady]
  })
}

/** ViT-Base behind the server, against sessions in two bare workers; meanwhile is the server awake? */
async function inferring({ quick, model }: Bench): Promise<Row[]> {
  const { env, paths } = model as Prepared
  const indices = range(0, (quick ? 40 : 100) * 40, 40)
  const bare = async () => {
    const work: Bare = { indices, paths: paths.fp32, threads: 1, workers: REPLICAS }
    const { seconds, loadSeconds } = (await runProgram<Ran>('bare', work, { env })).value
    return indices.length / (seconds - loadSeconds)
  }
  const served = async () => {
    const server = await serveRun([...SERVICE, '--source', 'hub'], { ...env, ...NO_WIKIPEDIA })
    try {
      await load(`${server.url}/whatis`, PICTURE, { connections: 2, amount: 4 })
      const { rate, p99 } = await load(`${server.url}/whatis`, PICTURE, { connections: 8, amount: indices.length })
      const awake = health(server.url)
      await load(`${server.url}/whatis`, PICTURE, { connections: 8, amount: quick ? 16 : 40 })
      return { rate, p99, health: await awake.stop(), memory: await server.stop() }
    } catch (error) {
      await server.stop()
      throw error
    }
  }
  const runs = await interleave('serve ViT-Base', quick ? 2 : 5, { bare, served })
  const of = (key: 'rate' | 'health' | 'p99') => runs.served.map((run) => run[key])
  const rows = [
    makeRow({
      id: 'vit',
      title: `ViT-Base fp32, 8 connections, ${REPLICAS} replicas`,
      unit: 'pictures/s',
      lowerIsBetter: false,
      ours: of('rate'),
      peers: { 'bare workers': runs.bare },
      ...(availableParallelism() >= REPLICAS ? { target: { ratio: 0.95 } } : {}),
      details: { p99: of('p99') },
    }),
    makeRow({
      id: 'healthz',
      title: '/-/healthz meanwhile, p99',
      unit: 'ms',
      ours: of('health'),
      target: { value: 50 },
    }),
  ]
  const memory = runs.served.map((run) => run.memory).filter((mb): mb is number => mb !== null)
  if (memory.length === runs.served.length)
    rows.push(
      makeRow({
        id: 'memory',
        title: `Highest memory, ViT-Base fp32, ${REPLICAS} replicas`,
        unit: 'MB',
        ours: memory,
        target: { value: 700 },
      }),
    )
  return rows
}

/** Asks /-/healthz every 20 ms, one after the other, until it is stopped: the 99th percentile in ms. */
function health(url: string): { stop(): Promise<number> } {
  let going = true
  const times: number[] = []
  const asking = (async () => {
    while (going) {
      const began = performance.now()
      await (await fetch(`${url}/-/healthz`)).text()
      times.push(performance.now() - began)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  return {
    async stop() {
      going = false
      await asking
      return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)]!
    },
  }
}

/** What the server keeps of many requests. */
async function flat({ quick }: Bench): Promise<Row> {
  const amount = quick ? 2_000 : 20_000
  const growth: number[] = []
  for (let run = 0; run < (quick ? 1 : 3); run++) {
    const server = await serveProgram('serve-ours')
    const ask = (requests: number) => load(`${server.url}/decode`, PICTURE, { connections: 16, amount: requests })
    await ask(4_000)
    const before = rssMB(server.pid)
    await ask(amount)
    growth.push(rssMB(server.pid) - before)
    await server.stop()
  }
  return makeRow({
    id: 'flat',
    title: `Resident memory gained by ${amount.toLocaleString('en-US')} requests`,
    unit: 'MB',
    ours: growth,
    target: { value: 20 },
  })
}
