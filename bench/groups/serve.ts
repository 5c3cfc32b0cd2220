import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { range } from '#src/lab/settings.js'
import { runBare } from '../bare.js'
import { interleave } from '../interleave.js'
import { rssMB } from '../memory.js'
import type { Bare } from '../programs/bare.js'
import { type Measured, makeRow, type Row } from '../row.js'
import { type Load, type Loaded, load, type Server, serveProgram, serveRay, serveRun } from '../server.js'
import type { Bench, Group, Prepared } from './group.js'

const PICTURE = readFileSync(
  fileURLToPath(new URL('../../../test/fixtures/models/pictures/colour-64x64.png', import.meta.url)),
)
const CONNECTIONS = [1, 8, 32, 128]
const REPLICAS = 2
/** Ray's decoder with max_ongoing_requests=100 and as many replicas as ours, with which it did best. */
const BEST_RAY = 'Ray, two replicas, 100 at once'
/** The assignment's service has one replica. */
const RAY_AS_OURS = 'Ray, two replicas'
/** Nothing listens there: Wikipedia costs nothing. */
const NO_WIKIPEDIA = { RAYITO_WIKIPEDIA: 'http://127.0.0.1:9' }
const SERVICE = ['ray-server:info', '--num-replicas', String(REPLICAS)]

/** The HTTP server, alone and with ViT-Base. */
export const serve: Group = {
  name: 'serve',
  title: 'The server, decoding only and with ViT-Base',
  needsModel: true,
  charted: ({ id }) => /^(ready|memory|vit-(8|32)|decode-(8|32|128))$/.test(id),
  async measure(bench) {
    return [...(await starts(bench)), ...(await decoding(bench)), ...(await inferring(bench)), await flat(bench)]
  },
}

/** How soon the server with the built-in model is there. */
async function starts({ repetitions, model }: Bench): Promise<Row[]> {
  const { embedded } = await interleave('serve start', repetitions(9, 1), {
    embedded: () =>
      withServer(
        serveRun([...SERVICE, '--source', 'embedded'], { ...model!.embedded.env, ...NO_WIKIPEDIA }),
        async ({ readySeconds }) => readySeconds,
      ),
  })
  return [
    makeRow({
      id: 'ready-embedded',
      title: 'Ready after the command, built-in model',
      unit: 's',
      ours: embedded,
      target: { value: 1 },
    }),
  ]
}

/** Runs work on a server that lives as long as it takes. */
async function withServer<T>(starting: Promise<Server>, work: (server: Server) => Promise<T>): Promise<T> {
  const server = await starting
  try {
    return await work(server)
  } finally {
    await server.stop()
  }
}

/** What a server did: at each number of connections; ready after so many seconds; its highest memory in MB. */
interface Served {
  levels: Record<number, Loaded>
  ready: number
  memory: number | null
}

/** One server, loaded with each number of connections in turn. */
function served(
  starting: () => Promise<Server>,
  path: string,
  warmUp: Load,
  extents: [connections: number, Omit<Load, 'connections'>][],
) {
  return () =>
    withServer(starting(), async (server): Promise<Served> => {
      const levels: Record<number, Loaded> = {}
      await load(`${server.url}${path}`, PICTURE, warmUp)
      for (const [connections, extent] of extents)
        levels[connections] = await load(`${server.url}${path}`, PICTURE, { connections, ...extent })
      return { levels, ready: server.readySeconds, memory: await server.stop() }
    })
}

type Runs = Record<string, Served[]>

/** Rate, and median and 99th percentile of the latency, at each number of connections. */
function levelRows(
  { id, title, unit, targets = {} }: { id: string; title: string; unit: string; targets?: Record<number, object> },
  runs: Runs,
): Row[] {
  return Object.keys(runs.ours![0]!.levels).flatMap((level) => {
    const connections = Number(level)
    const of = (key: 'rate' | 'p50' | 'p99') => {
      const samples = Object.entries(runs).map(([name, all]) => [
        name,
        all!.map(({ levels }) => levels[connections]![key]),
      ])
      const { ours, ...peers } = Object.fromEntries(samples) as Record<string, number[]>
      return { ours: ours!, peers }
    }
    const where = `${title}, ${connections} connection${connections === 1 ? '' : 's'}`
    return [
      makeRow({
        id: `${id}-${connections}`,
        title: where,
        unit,
        lowerIsBetter: false,
        ...of('rate'),
        ...targets[connections],
      }),
      makeRow({ id: `${id}-${connections}.p50`, title: `${where}: median latency`, unit: 'ms', ...of('p50') }),
      makeRow({ id: `${id}-${connections}.p99`, title: `${where}: 99th percentile`, unit: 'ms', ...of('p99') }),
    ]
  })
}

/** A row of the highest memory, where it was seen. */
function memoryRow(id: string, title: string, runs: Runs, bounds: Pick<Measured, 'target' | 'targets'>): Row[] {
  const of = (name: string) => runs[name]?.map(({ memory }) => memory ?? Number.NaN)
  const ours = of('ours')!
  if (ours.some(Number.isNaN)) return []
  return [makeRow({ id, title, unit: 'MB', ours, peers: { Ray: of('Ray') }, ...bounds })]
}

/** Only decoding: what the server itself costs. */
async function decoding({ quick, repetitions, ray }: Bench): Promise<Row[]> {
  const extents = (quick ? CONNECTIONS.slice(1) : CONNECTIONS).map((n): [number, object] => [
    n,
    quick ? { amount: 600 } : { duration: 3 },
  ])
  const decode = (starting: () => Promise<Server>) =>
    served(starting, '/decode', { connections: 32, amount: 500 }, extents)
  const runs: Runs = await interleave('serve decode', repetitions(7, 1), {
    ours: decode(() => serveProgram('serve-ours')),
    'Fastify, multipart, sharp': decode(() => serveProgram('serve-bare')),
    'own decoder': decode(() => serveProgram('serve-bare', { OWN_DECODER: '1' })),
    ...(ray && {
      Ray: decode(() => serveRay(ray, 'decoder')),
      [BEST_RAY]: decode(() => serveRay(ray, 'decoder_100')),
    }),
  })
  const rate = (connections: number) => runs.ours!.map(({ levels }) => levels[connections]!.rate)
  return [
    ...levelRows(
      {
        id: 'decode',
        title: 'Requests a second that decode a 64×64 PNG',
        unit: '/s',
        targets: {
          8: { targets: ray ? { Ray: 8 } : {} },
          32: { target: { ratio: 0.85 }, targets: ray ? { [BEST_RAY]: 4 } : {} },
        },
      },
      runs,
    ),
    makeRow({
      id: 'decode-steady',
      title: 'Requests a second at 128 connections, against 8',
      unit: '/s',
      lowerIsBetter: false,
      ours: rate(128),
      peers: { 'at 8': rate(8) },
      target: { ratio: 0.9 },
    }),
    ...memoryRow('decode-memory', 'Highest memory, decoding only', runs, {}),
  ]
}

/** ViT-Base behind the server, against sessions in two bare workers; meanwhile is the server awake? */
async function inferring({ quick, repetitions, model, ray }: Bench): Promise<Row[]> {
  const { env, paths } = model as Prepared
  const indices = range(0, (quick ? 8 : 60) * 40, 40)
  const bare = async (): Promise<Served> => {
    const work: Bare = { indices, paths: paths.fp32, threads: 1, workers: REPLICAS }
    const { seconds, loadSeconds } = (await runBare(work, { env })).value
    const loaded = { rate: indices.length / (seconds - loadSeconds), p50: Number.NaN, p99: Number.NaN, requests: 0 }
    return { levels: Object.fromEntries(CONNECTIONS.map((n) => [n, loaded])), ready: loadSeconds, memory: null }
  }
  const amounts = quick ? { 1: 2, 8: 12 } : { 1: 8, 8: 60, 32: 32, 128: 128 }
  const extents = Object.entries(amounts).map(([n, amount]): [number, object] => [Number(n), { amount }])
  const whatis = (starting: () => Promise<Server>) =>
    served(starting, '/whatis', { connections: 2, amount: 4 }, extents)
  const start = () => serveRun([...SERVICE, '--source', 'hub'], { ...env, ...NO_WIKIPEDIA })
  const { awake, ...runs } = await interleave('serve ViT-Base', repetitions(5, 1), {
    ours: whatis(start),
    'bare workers': bare,
    ...(ray && {
      Ray: whatis(() => serveRay(ray, 'info')),
      [RAY_AS_OURS]: whatis(() => serveRay(ray, 'info_2')),
    }),
    awake: () =>
      withServer(start(), async ({ url }) => {
        await load(`${url}/whatis`, PICTURE, { connections: 2, amount: 4 })
        return health(url, () => load(`${url}/whatis`, PICTURE, { connections: 8, amount: quick ? 8 : 40 }))
      }),
  })
  const enough = availableParallelism() >= REPLICAS
  const rows = levelRows(
    {
      id: 'vit',
      title: `Pictures a second, ViT-Base fp32, ${REPLICAS} replicas`,
      unit: '/s',
      targets: { 8: { ...(enough && { target: { ratio: 0.95 } }), targets: ray ? { Ray: 2.2 } : {} } },
    },
    runs,
  )
  return [
    makeRow({
      id: 'ready',
      title: 'Ready after the command, ViT-Base fp32 cached',
      unit: 's',
      ours: runs.ours.map(({ ready }) => ready),
      peers: { Ray: runs.Ray?.map(({ ready }) => ready) },
      target: { value: 1.5 },
      targets: ray ? { Ray: 1 / 7 } : {},
    }),
    ...rows,
    makeRow({
      id: 'healthz',
      title: '/-/healthz while both replicas infer, 99th percentile',
      unit: 'ms',
      ours: awake,
      target: { value: 50 },
    }),
    ...memoryRow('memory', `Highest memory, ViT-Base fp32, ${REPLICAS} replicas`, runs, {
      target: { value: 700 },
      targets: ray ? { Ray: 0.25 } : {},
    }),
  ]
}

/** Asks /-/healthz every 20 ms, one after the other, while `work` goes on: the 99th percentile in ms. */
async function health(url: string, work: () => Promise<unknown>): Promise<number> {
  let going = true
  const times: number[] = []
  const asking = async () => {
    while (going) {
      const began = performance.now()
      await (await fetch(`${url}/-/healthz`)).text()
      times.push(performance.now() - began)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const working = work().finally(() => {
    going = false
  })
  await Promise.all([working, asking()])
  return times.sort((a, b) => a - b)[Math.floor(times.length * 0.99)]!
}

/** Times that as many requests more are sent. */
const MORE = 4

/**
 * What the server keeps of many requests: how much the most that it holds grows by, each time that as many more have come.
 * Between two of V8's collections it holds tens of MB of garbage, so that two single looks say little, nor do two peaks.
 */
async function flat({ quick, repetitions }: Bench): Promise<Row> {
  const amount = quick ? 2_000 : 20_000
  const growth: number[] = []
  for (let run = 0; run < repetitions(3, 1); run++)
    await withServer(serveProgram('serve-ours'), async (server) => {
      const most = async () => {
        let peak = 0
        const looking = setInterval(() => {
          peak = Math.max(peak, rssMB(server.pid))
        }, 100)
        await load(`${server.url}/decode`, PICTURE, { connections: 16, amount }).finally(() => clearInterval(looking))
        return Math.max(peak, rssMB(server.pid))
      }
      const first = await most()
      let last = first
      for (let times = 0; times < MORE; times++) last = await most()
      growth.push((last - first) / MORE)
    })
  return makeRow({
    id: 'flat',
    title: `Highest resident memory, for each ${amount.toLocaleString('en-US')} requests more`,
    unit: 'MB',
    ours: growth,
    target: { value: 20 },
  })
}
