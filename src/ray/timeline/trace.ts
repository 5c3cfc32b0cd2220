import type { Span } from '../../core/spans.js'
import type { TraceEvent } from '../types.js'
import type { KeptCall } from './call-ring.js'

/** A worker, or the driver, and when it was there. */
export interface Row {
  name: string
  process: string
  began: number
  /** Infinity while it lives. */
  ended: number
  /** Whether what it does not do is idleness: of a driver that cannot be said. */
  idles: boolean
}

export interface Recorded {
  rows: ReadonlyMap<number, Row>
  calls: Iterable<KeptCall>
  spans: Iterable<{ worker: number; span: Span }>
  labelOf(tally: number): string
  /** What ended before may be forgotten: nothing is said of idleness there. */
  horizon: number
  now: number
}

/** A stretch of a row's time, in milliseconds. */
interface Stretch {
  category: string
  name: string
  began: number
  ended: number
  args: Record<string, unknown>
}

/** Milliseconds below which a pause is not told. */
const PAUSE = 0.1

/**
 * Chrome's trace events: a process for each process, in it a thread for each worker, one more for each set of calls that
 * overlap, and one for the messages on their way to it.
 */
export function traceEvents({ rows, calls, spans, labelOf, horizon, now }: Recorded): TraceEvent[] {
  const work = new Map<number, Stretch[]>()
  const messages = new Map<number, Stretch[]>()
  for (const call of calls) {
    if (!rows.has(call.worker)) continue
    add(work, call.worker, ofCall(call, labelOf(call.tally)))
    if (call.received > 0)
      add(messages, call.worker, {
        category: 'transfer',
        name: labelOf(call.tally),
        began: call.sent,
        ended: call.received,
        args: { bytes: call.bytesIn },
      })
  }
  for (const { worker, span } of spans) if (rows.has(worker)) add(work, worker, { args: {}, ...span })

  const events: TraceEvent[] = []
  const pids = new Map<string, number>()
  let tid = 0
  const thread = (pid: number, name: string, stretches: readonly Stretch[]) => {
    tid++
    events.push(named('thread_name', pid, tid, name), {
      ...named('thread_sort_index', pid, tid, ''),
      args: { sort_index: tid },
    })
    for (const { category, name, began, ended, args } of stretches)
      events.push({
        name,
        cat: category,
        ph: 'X',
        ts: began * 1e3,
        dur: Math.max(0, ended - began) * 1e3,
        pid,
        tid,
        args,
      })
  }
  for (const [number, row] of rows) {
    const done = work.get(number) ?? []
    if (done.length === 0 && !row.idles) continue
    let pid = pids.get(row.process)
    if (pid === undefined) {
      pid = pids.size + 1
      pids.set(row.process, pid)
      events.push(named('process_name', pid, 0, row.process))
    }
    const [first = [], ...others] = lanes(done)
    thread(pid, row.name, row.idles ? [...first, ...pauses(row, done, horizon, now)] : first)
    others.forEach((lane, i) => {
      thread(pid, `${row.name} (${i + 2})`, lane)
    })
    const inbox = messages.get(number)
    if (inbox) for (const lane of lanes(inbox)) thread(pid, `to ${row.name}`, lane)
  }
  return events
}

function add(to: Map<number, Stretch[]>, worker: number, stretch: Stretch): void {
  const known = to.get(worker)
  if (known) known.push(stretch)
  else to.set(worker, [stretch])
}

function ofCall({ submitted, began, ended, attempt, failed, bytesIn, bytesOut }: KeptCall, name: string): Stretch {
  const args = { attempt, failed, waitedMs: Math.max(0, began - submitted), bytesIn, bytesOut }
  return { category: 'task', name, began, ended, args }
}

function named(what: string, pid: number, tid: number, name: string): TraceEvent {
  return { name: what, cat: '__metadata', ph: 'M', ts: 0, pid, tid, args: { name } }
}

/** Stretches that lie within each other, or apart, side by side: a thread's may not cross. */
function lanes(stretches: readonly Stretch[]): Stretch[][] {
  const inOrder = [...stretches].sort((a, b) => a.began - b.began || b.ended - a.ended)
  const all: { stretches: Stretch[]; open: number[] }[] = []
  for (const stretch of inOrder) {
    let lane = all.find(({ open }) => {
      while (open.length && open.at(-1)! <= stretch.began) open.pop()
      return open.length === 0 || stretch.ended <= open.at(-1)!
    })
    if (!lane) {
      lane = { stretches: [], open: [] }
      all.push(lane)
    }
    lane.stretches.push(stretch)
    lane.open.push(stretch.ended)
  }
  return all.map(({ stretches }) => stretches)
}

/** When a worker did nothing. */
function pauses({ began, ended }: Row, done: readonly Stretch[], horizon: number, now: number): Stretch[] {
  const found: Stretch[] = []
  let from = Math.max(began, horizon)
  const until = (to: number) => {
    if (to - from >= PAUSE) found.push({ category: 'idle', name: 'idle', began: from, ended: to, args: {} })
  }
  for (const stretch of [...done].sort((a, b) => a.began - b.began)) {
    until(stretch.began)
    from = Math.max(from, stretch.ended)
  }
  until(Math.min(ended, now))
  return found
}
