import { RayitoError } from '#src/core/errors.js'
import { range } from '#src/lab/settings.js'
import { openFullHub } from '../hub.js'
import { interleave } from '../interleave.js'
import { runProgram } from '../program.js'
import type { RowsResult } from '../programs/rows.js'
import { makeRow, type Row } from '../row.js'
import { median } from '../statistics.js'
import type { Bench, Group } from './group.js'

const ROWS = 100_000
/** A row at the beginning, one in the middle of a group, the last of a group of 50,000 and the last of all. */
const PLACES = [2_300, 74_321, 49_999, 99_999]
const LARGE = 50_000
const SIZES = [
  { rowGroup: 1_000, seconds: 0.15 },
  { rowGroup: LARGE, seconds: 0.4 },
]
const MEMORY = 150

interface Opened {
  seconds: number
  rows: number
}

/** How soon one row of many is there, and what memory that takes. */
export const data: Group = {
  name: 'data',
  title: 'Open a data set and read rows',
  needsModel: true,
  async measure(bench) {
    const rows: Row[] = await exerciseRows(bench)
    for (const { rowGroup, seconds } of SIZES) rows.push(...(await opening(bench, rowGroup, seconds)))
    return rows
  },
}

/** The data set of the exercise, as its versions open and read it. */
async function exerciseRows({ repetitions, model, ray }: Bench): Promise<Row[]> {
  const work = { indices: range(0, 10_000, 40) }
  const runs = await interleave('data', repetitions(9, 2), {
    ours: async () => (await runProgram<RowsResult>('rows', work, { env: model!.env })).value,
    ...(ray && { ray: async () => (await ray.run<RowsResult>('rows', work)).value }),
  })
  const row = (id: keyof RowsResult, title: string) =>
    makeRow({
      id,
      title,
      unit: 'ms',
      ours: runs.ours.map((run) => run[id] * 1e3),
      peers: { 'Python’s datasets': runs.ray?.map((run) => run[id] * 1e3) },
    })
  return [
    row('open', 'Open the data set of the exercise'),
    row('first', 'Its first row'),
    row('rows', `Its ${work.indices.length} rows, decoded`),
  ]
}

async function opening({ repetitions, note }: Bench, rowGroup: number, seconds: number): Promise<Row[]> {
  const hub = await openFullHub(rowGroup)
  if (!hub) {
    note(`data: rows in groups of ${rowGroup} were not measured, for that the stand-in ../shared/hub is needed.`)
    return []
  }
  const { env } = hub
  try {
    const { value } = await runProgram<Opened>('open-row', { row: 0 }, { env, loud: true })
    if (value.rows !== ROWS) throw new RayitoError('BENCH_FAILED', `Expected ${ROWS} rows, got ${value.rows}`)
  } finally {
    hub.close()
  }
  let turn = 0
  const runs = await interleave(`data, groups of ${rowGroup}`, repetitions(20, 2), {
    row: () => runProgram<Opened | null>('open-row', { row: PLACES[turn++ % PLACES.length] }, { env }),
    empty: () => runProgram<Opened | null>('empty', {}, { env }),
  })
  const empty = median(runs.empty.map(({ ownMB }) => ownMB))
  const time = makeRow({
    id: `row-${rowGroup}`,
    title: `Open and read a row, groups of ${rowGroup.toLocaleString('en-US')}`,
    unit: 's',
    ours: runs.row.map(({ value }) => value!.seconds),
    target: { value: seconds },
  })
  const memory = makeRow({
    id: `memory-${rowGroup}`,
    title: `Peak memory above an empty process, groups of ${rowGroup.toLocaleString('en-US')}`,
    unit: 'MB',
    ours: runs.row.map(({ ownMB }) => ownMB - empty),
    ...(rowGroup === LARGE && { target: { value: MEMORY } }),
  })
  return [time, memory]
}
