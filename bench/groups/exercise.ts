import { dirname } from 'node:path'
import { RayitoError } from '#src/core/errors.js'
import { range } from '#src/lab/settings.js'
import { ROWS } from '#src/transformers/first-token.js'
import type { Dtype } from '#src/transformers/index.js'
import { runBare } from '../bare.js'
import { interleave } from '../interleave.js'
import { type Outcome, runProgram } from '../program.js'
import type { Ran } from '../programs/exercise.js'
import type { ModelPaths } from '../programs/prepare.js'
import type { PlainWork } from '../programs/transformers-js.js'
import { makeRow, type Row } from '../row.js'
import { median } from '../statistics.js'
import { gflopOfPicture } from '../vit.js'
import type { Bench, Group } from './group.js'

const WORKERS = 2
const MANY = 4
/** By then all weights are mapped and every worker is at its largest. */
const PICTURES_OF_MANY = 48
const NAMES = ['A', 'A1', 'B', 'C1', 'C2'] as const
const REMOTE = ['B', 'C1', 'C2'] as const
type Name = (typeof NAMES)[number]
const TITLES: Record<Name, string> = {
  A: 'version A',
  A1: 'version A on one thread',
  B: 'version B',
  C1: 'version C1',
  C2: 'version C2',
}
/** Of onnxruntime-node alone. */
const TIMES: Partial<Record<Name, number>> = { A: 1.08, B: 1.1, C1: 1.1, C2: 1.1 }
/** Of Ray. */
const TIMES_RAY: Partial<Record<Name, number>> = { A: 0.86, B: 0.36, C1: 0.77, C2: 0.81 }
const BEST_RAY = 0.26
const MEMORY = { fp32: 700, q8: 400 }
const MEMORY_RAY = { fp32: 0.25, q8: 0.13 }
const MEMORY_EACH = 60
/** Of what sgemm alone would allow. */
const SGEMM_SHARE = 0.9

/** What takes long and has no target. */
const SELDOM = ['session1', 'A1', 'plain', 'transformers', 'Ray A1']

/** A model that the versions run on. */
interface Model {
  name: 'fp32' | 'q8' | 'embedded'
  title: string
  dtype: Dtype
  env: NodeJS.ProcessEnv
  paths: ModelPaths
}

type Runs = Record<string, Outcome<Ran>[]>
type Key = 'seconds' | 'loadSeconds' | 'cpuSeconds'

/** Time and memory of the versions of exercise 1, against onnxruntime-node alone and against Ray. */
export const exercise: Group = {
  name: 'exercise',
  title: 'Exercise 1: time and memory of its versions',
  needsModel: true,
  charted: ({ id }) => /^fp32\.\w+(\.memory)?$/.test(id),
  async measure(bench) {
    const { env, paths, embedded } = bench.model!
    const models: Model[] = [
      { name: 'fp32', title: 'ViT-Base fp32', dtype: 'fp32', env, paths: paths.fp32 },
      { name: 'q8', title: 'ViT-Base q8', dtype: 'q8', env, paths: paths.q8 },
      { name: 'embedded', title: 'the built-in model', dtype: 'fp32', env: embedded.env, paths: embedded.paths.fp32 },
    ]
    const rows: Row[] = []
    let rays: Runs | null = null
    for (const model of models) {
      const { rows: more, rays: measured } = await versions(model, bench, rays)
      rows.push(...more)
      rays ??= measured
    }
    return rows
  },
}

/** `before`: what Ray took for the same pictures in fp32, which it runs in nothing else. */
async function versions(
  model: Model,
  { quick, repetitions, model: prepared, ray, note }: Bench,
  before: Runs | null,
): Promise<{ rows: Row[]; rays: Runs | null }> {
  const { name, dtype, env, paths } = model
  const indices = range(0, quick ? 160 : 10_000, 40)
  const vit = name === 'fp32'
  const bare =
    (threads: number, workers: number, plain = false) =>
    () =>
      runBare({ indices, paths, plain, threads, workers }, { env })
  const version =
    (version: Name, workers = WORKERS, of = indices) =>
    () => {
      const work = version === 'A1' ? { version: 'A', workers: 1 } : { version, workers }
      return runProgram<Ran>('exercise', { ...work, indices: of, dtype }, { env })
    }
  const rayVersion = (version: Name) => () => {
    const work = version === 'A1' ? { version: 'A', workers: 1 } : { version, workers: WORKERS }
    return ray!.run<Ran>('exercise', { ...work, indices, model: ray!.model })
  }
  const { rows: trainFile } = prepared!
  const plain = (trainFile: string) => () => {
    const work: PlainWork = { indices, rows: trainFile, model: dirname(dirname(paths.original)), workers: WORKERS }
    return runProgram<Ran>('transformers-js', work, { env })
  }
  const sgemm = async () => runProgram<{ gflops: number }>('sgemm', { workers: WORKERS, seconds: quick ? 0.5 : 3 })

  const subjects: Record<string, () => Promise<Outcome<Ran>>> = {
    session: bare(WORKERS, 0),
    A: version('A'),
    session1: bare(1, 0),
    A1: version('A1'),
    threads: bare(1, WORKERS),
    B: version('B'),
    C1: version('C1'),
    C2: version('C2'),
    ...(vit && { plain: bare(WORKERS, 0, true) }),
    ...(vit && trainFile !== null && { transformers: plain(trainFile) }),
    ...(vit && ray && Object.fromEntries(NAMES.map((name) => [`Ray ${name}`, rayVersion(name)]))),
  }
  const speeds: number[] = []
  const runs: Runs = await interleave(
    `exercise ${name}`,
    repetitions(5, 1),
    {
      ...subjects,
      ...(vit && {
        sgemm: async () => {
          const outcome = await sgemm()
          speeds.push(outcome.value.gflops)
          return { ...outcome, value: { seconds: 0, loadSeconds: 0, cpuSeconds: 0, labels: [] } }
        },
      }),
    },
    SELDOM,
  )
  const { transformers, sgemm: _, ...checked } = runs
  agree(runs.session![0]!.value.labels, Object.entries(checked))
  const large = quick ? (['C2'] as const) : REMOTE
  const first = indices.slice(0, PICTURES_OF_MANY)
  const many: Runs = await interleave(
    `exercise ${name}, ${MANY} workers`,
    quick ? 1 : 2,
    Object.fromEntries(large.map((one) => [one, version(one, MANY, first)])),
  )

  const rays = vit ? (ray ? runs : null) : name === 'q8' ? before : null
  const of = (subject: string, key: Key, from: Runs | null = runs) => from?.[subject]?.map(({ value }) => value[key])
  const loading = (subject: string, from?: Runs | null) => of(subject, 'loadSeconds', from)
  const inferring = (subject: string, from: Runs | null = runs) =>
    from?.[subject]?.map(({ value }) => value.seconds - value.loadSeconds)
  const memory = (subject: string, from: Runs | null = runs) => from?.[subject]?.map(({ treeMB }) => treeMB)
  const theirs = vit ? 'Ray' : 'Ray, fp32'

  const times = NAMES.flatMap((version) => {
    const reference = { A: 'session', A1: 'session1' }[version as string] ?? 'threads'
    const bareName = version in { A: 0, A1: 0 } ? 'bare session' : 'bare workers'
    const ratio = vit ? TIMES[version] : undefined
    const title = `${indices.length} pictures, ${model.title}, ${TITLES[version]}`
    const part = (id: string, what: string, seconds: (subject: string, from?: Runs | null) => number[] | undefined) =>
      makeRow({
        id: `${name}.${version}.${id}`,
        title: `${title}: ${what}`,
        unit: 's',
        ours: seconds(version)!,
        peers: { [bareName]: seconds(reference), [theirs]: seconds(`Ray ${version}`, rays) },
      })
    return [
      makeRow({
        id: `${name}.${version}`,
        title,
        unit: 's',
        ours: of(version, 'seconds')!,
        peers: {
          [bareName]: of(reference, 'seconds'),
          'the Hub’s file': version === 'A' ? of('plain', 'seconds') : undefined,
          'transformers.js': version === 'C2' ? of('transformers', 'seconds') : undefined,
          [theirs]: of(`Ray ${version}`, 'seconds', rays),
        },
        // the promises are of fp32; in q8 a picture takes a third, and what is beside the inference weighs more
        ...(ratio && { target: { ratio } }),
        targets: vit && TIMES_RAY[version] ? { Ray: TIMES_RAY[version] } : {},
        details: {
          'processor seconds, ours': of(version, 'cpuSeconds')!,
          'processor seconds, reference': of(reference, 'cpuSeconds')!,
        },
      }),
      part('load', 'loading', loading),
      part('infer', 'inference', inferring),
    ]
  })
  const best = quickest(REMOTE, runs)
  if (name === 'q8' && rays) {
    const bestRay = quickest(
      NAMES.map((version) => `Ray ${version}`),
      rays,
    )
    times.push(
      makeRow({
        id: `${name}.best`,
        title: `${indices.length} pictures, ${model.title}, best version (${best}) against Ray's (${bestRay.slice(4)}) in fp32`,
        unit: 's',
        ours: of(best, 'seconds')!,
        peers: { [theirs]: of(bestRay, 'seconds', rays) },
        target: { ratio: BEST_RAY },
      }),
    )
  }
  if (vit) {
    const rate = (subject: string) => inferring(subject)!.map((s) => (gflopOfPicture(ROWS) * indices.length) / s)
    times.push(
      makeRow({
        id: `${name}.sgemm`,
        title: `Arithmetic of version ${best} while it infers, against sgemm alone`,
        unit: 'GFLOP/s',
        lowerIsBetter: false,
        ours: rate(best),
        peers: { sgemm: speeds, 'bare workers': rate('threads') },
        target: { ratio: SGEMM_SHARE },
      }),
    )
    if (transformers) {
      const same = transformers[0]!.value.labels.filter((label, i) => label === runs.session![0]!.value.labels[i])
      if (same.length < indices.length)
        note(
          `transformers.js found another best class for ${indices.length - same.length} of ${indices.length} pictures.`,
        )
    }
  }
  const memories = REMOTE.flatMap((version) => {
    const two = memory(version)!
    const each = memory(version, many)?.map((four) => (four - median(two)) / (MANY - WORKERS))
    const what = `memory of ${model.title}, ${TITLES[version]}`
    return [
      makeRow({
        id: `${name}.${version}.memory`,
        title: `Peak ${what}, two workers`,
        unit: 'MB',
        ours: two,
        peers: {
          'bare workers': memory('threads'),
          'transformers.js': version === 'C2' ? memory('transformers') : undefined,
          [theirs]: memory(`Ray ${version}`, rays),
        },
        ...(name !== 'embedded' && { target: { value: MEMORY[name] } }),
        targets: name !== 'embedded' && rays ? { [theirs]: MEMORY_RAY[name] } : {},
      }),
      ...(each
        ? [
            makeRow({
              id: `${name}.${version}.worker`,
              title: `Peak ${what}, each further worker`,
              unit: 'MB',
              ours: each,
              target: { value: MEMORY_EACH },
            }),
          ]
        : []),
    ]
  })
  return { rows: [...times, ...memories], rays: vit && ray ? runs : null }
}

/** The subject with the smallest median. */
function quickest(names: readonly string[], runs: Runs): string {
  const seconds = (name: string) => median(runs[name]!.map(({ value }) => value.seconds))
  return names.reduce((best, name) => (seconds(name) < seconds(best) ? name : best))
}

/** All must have done the same work. */
function agree(labels: string[], runs: [name: string, outcomes: Outcome<Ran>[]][]): void {
  for (const [name, outcomes] of runs)
    for (const { value } of outcomes) {
      const at = labels.findIndex((label, i) => label !== value.labels[i])
      if (at >= 0)
        throw new RayitoError('BENCH_FAILED', `Picture ${at} is “${labels[at]}”, and “${value.labels[at]}” to ${name}`)
    }
}
