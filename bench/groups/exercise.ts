import { RayitoError } from '#src/core/errors.js'
import { range } from '#src/lab/settings.js'
import type { Dtype } from '#src/transformers/index.js'
import { interleave } from '../interleave.js'
import { type Outcome, runProgram } from '../program.js'
import type { Bare } from '../programs/bare.js'
import type { Ran } from '../programs/exercise.js'
import { makeRow, type Row } from '../row.js'
import { median } from '../statistics.js'
import type { Bench, Group, Prepared } from './group.js'

const WORKERS = 2
const MANY = 4
const TIMES = { A: 1.08, B: 1.1, C1: 1.1, C2: 1.1 }
const MEMORY = { fp32: 700, q8: 400 }
const MEMORY_EACH = 60
const REMOTE = ['B', 'C1', 'C2'] as const

/** Time and memory of the four versions of exercise 1, against onnxruntime-node alone. */
export const exercise: Group = {
  name: 'exercise',
  title: 'Exercise 1 against bare onnxruntime-node',
  needsModel: true,
  async measure({ quick, model }) {
    const rows: Row[] = []
    for (const dtype of ['fp32', 'q8'] as const) rows.push(...(await versions(dtype, quick, model!)))
    return rows
  },
}

async function versions(dtype: Dtype, quick: Bench['quick'], { env, paths }: Prepared): Promise<Row[]> {
  const indices = range(0, quick ? 800 : 10_000, 40)
  const bare =
    (threads: number, workers: number, plain = false) =>
    () =>
      runProgram<Ran>('bare', { indices, paths: paths[dtype], plain, threads, workers } satisfies Bare, { env })
  const version = (version: string, workers: number) => () =>
    runProgram<Ran>('exercise', { version, indices, dtype, workers }, { env })

  const runs = await interleave(`exercise ${dtype}`, quick ? 2 : 5, {
    session: bare(WORKERS, 0),
    A: version('A', WORKERS),
    plain: bare(WORKERS, 0, true),
    threads: bare(1, WORKERS),
    B: version('B', WORKERS),
    C1: version('C1', WORKERS),
    C2: version('C2', WORKERS),
  })
  agree(runs.session[0]!.value.labels, Object.values(runs).flat())
  const many = await interleave(`exercise ${dtype}, ${MANY} workers`, quick ? 1 : 2, {
    B: version('B', MANY),
    C1: version('C1', MANY),
    C2: version('C2', MANY),
  })

  const of = (name: keyof typeof runs, key: 'seconds' | 'loadSeconds' | 'cpuSeconds') =>
    runs[name].map(({ value }) => value[key])
  const memory = (outcomes: Outcome<Ran>[]) => outcomes.map(({ treeMB }) => treeMB)
  const times = (['A', ...REMOTE] as const).map((name) => {
    const reference = name === 'A' ? 'session' : 'threads'
    return makeRow({
      id: `${dtype}.${name}`,
      title: `Version ${name}, ${dtype}, ${indices.length} pictures`,
      unit: 's',
      ours: of(name, 'seconds'),
      peers:
        name === 'A'
          ? { 'bare session': of('session', 'seconds'), 'the Hub’s file': of('plain', 'seconds') }
          : { 'bare workers': of('threads', 'seconds') },
      // the promise is one of fp32; in q8 a picture takes a third, and what is beside the inference weighs more
      ...(dtype === 'fp32' && { target: { ratio: TIMES[name] } }),
      details: {
        'seconds of loading': of(name, 'loadSeconds'),
        'seconds of loading, reference': of(reference, 'loadSeconds'),
        'processor seconds': of(name, 'cpuSeconds'),
        'processor seconds, reference': of(reference, 'cpuSeconds'),
      },
    })
  })
  const memories = REMOTE.flatMap((name) => {
    const two = memory(runs[name])
    const each = memory(many[name]).map((four) => (four - median(two)) / (MANY - WORKERS))
    const what = `memory of version ${name}, ${dtype}`
    return [
      makeRow({
        id: `${dtype}.${name}.memory`,
        title: `Peak ${what}, two workers`,
        unit: 'MB',
        ours: two,
        target: { value: MEMORY[dtype] },
      }),
      makeRow({
        id: `${dtype}.${name}.memory-each`,
        title: `Peak ${what}, each further worker`,
        unit: 'MB',
        ours: each,
        target: { value: MEMORY_EACH },
      }),
    ]
  })
  return [...times, ...memories]
}

/** All must have done the same work. */
function agree(labels: string[], outcomes: Outcome<Ran>[]): void {
  for (const { value } of outcomes) {
    const at = labels.findIndex((label, i) => label !== value.labels[i])
    if (at >= 0)
      throw new RayitoError('BENCH_FAILED', `Picture ${at} is “${labels[at]}” and “${value.labels[at]}” to another`)
  }
}
