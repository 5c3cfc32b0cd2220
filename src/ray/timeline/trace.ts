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
  /** What has not ended. */
  running: readonly (Pick<KeptCall, 'worker' | 'submitted' | 'began' | 'attempt' | 'bytesIn'> & { label: string })[]
  /** Until when a worker that lives is idle if nothing is known of it. */
  idleUntil: number
  labelOf(tally: number): string
  /** What ended before may be forgotten: where nothing is known there, that is said instead of idleness. */
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
 * Chrome's trace events: a process for each process, in it a thread for each worker. What runs beside what its thread shows, and the
 * messages on their way to it, are asynchronous events, which may overlap.
 */
export function traceEvents(recorded: Recorded): TraceEvent[] {
  const { rows, calls, spans, running, labelOf, horizon, now } = recorded
  const work = new Map<number, Stretch[]>()
  const messages = new Map<number, Stretch[]>()
  for (const call of calls) {
    const row = rows.get(call.worker)
    if (!row) continue
    add(work, call.worker, ofCall(call, labelOf(call.tally)))
    if (call.received > 0) add(messages, call.worker, ofMessage(call, labelOf(call.tally), row.name))
  }
  for (const { worker, label: name, submitted, began, attempt, bytesIn } of running) {
    const args = { attempt, running: true, waitedMs: Math.max(0, began - submitted), bytesIn }
    add(work, worker, { category: 'task', name, began, ended: now, args })
  }
  for (const { worker, span } of spans) if (rows.has(worker)) add(work, worker, { args: {}, ...span })

  const events: TraceEvent[] = []
  const pids = new Map<string, number>()
  let tid = 0
  let asynchronous = 0
  for (const [number, row] of rows) {
    const done = work.get(number) ?? []
    if (done.length === 0 && !row.idles) continue
    let pid = pids.get(row.process)
    if (pid === undefined) {
      pid = pids.size + 1
      pids.set(row.process, pid)
      events.push(named('process_name', pid, 0, row.process))
    }
    tid++
    events.push(named('thread_name', pid, tid, row.name), {
      ...named('thread_sort_index', pid, tid, ''),
      args: { sort_index: tid },
    })
    const { nested, beside } = apart(done)
    const idle = row.idles ? pauses(row, done, horizon, row.ended === Infinity ? recorded.idleUntil : row.ended) : []
    for (const stretch of [...nested, ...idle]) events.push(complete(stretch, pid, tid))
    for (const stretch of beside) events.push(...overlapping(ofWorker(stretch, row.name), pid, tid, ++asynchronous))
    for (const message of messages.get(number) ?? []) events.push(...overlapping(message, pid, tid, ++asynchronous))
  }
  return events
}

/** Whole microseconds: of fractions, a stretch's start and length would add up to a little more than the start of the next. */
const micros = (milliseconds: number) => Math.round(milliseconds * 1e3)

function complete({ category: cat, name, began, ended, args }: Stretch, pid: number, tid: number): TraceEvent {
  const ts = micros(began)
  return { name, cat, ph: 'X', ts, dur: Math.max(0, micros(ended) - ts), pid, tid, args }
}

/** Beginning and end of what may overlap others, one after the other. */
function overlapping(stretch: Stretch, pid: number, tid: number, number: number): [TraceEvent, TraceEvent] {
  const { category: cat, name, began, ended, args } = stretch
  const common = { name, cat, pid, tid, id2: { local: `0x${number.toString(16)}` } }
  const [ts, end] = [micros(began), micros(Math.max(began, ended))]
  return [
    { ...common, ph: 'b', ts, args },
    { ...common, ph: 'e', ts: end, args: {} },
  ]
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

function ofMessage({ sent, received, bytesIn }: KeptCall, call: string, worker: string): Stretch {
  return { category: 'transfer', name: `to ${worker}`, began: sent, ended: received, args: { call, bytes: bytesIn } }
}

/** Perfetto gives each name of overlapping events a track: what has names without end goes by its category. */
function ofWorker({ args, name, ...stretch }: Stretch, worker: string): Stretch {
  const few = stretch.category === 'task' || stretch.category === 'profile'
  return {
    ...stretch,
    name: few ? name : stretch.category,
    args: few ? { ...args, worker } : { ...args, name, worker },
  }
}

function named(what: string, pid: number, tid: number, name: string): TraceEvent {
  return { name: what, cat: '__metadata', ph: 'M', ts: 0, pid, tid, args: { name } }
}

/** What may be one thread's, where no stretch may cross another; and what ran beside it. */
function apart(stretches: readonly Stretch[]): { nested: Stretch[]; beside: Stretch[] } {
  const inOrder = [...stretches].sort((a, b) => a.began - b.began || b.ended - a.ended)
  const [nested, beside]: [Stretch[], Stretch[]] = [[], []]
  const open: number[] = []
  for (const stretch of inOrder) {
    while (open.length && open.at(-1)! <= stretch.began) open.pop()
    if (open.length && stretch.ended > open.at(-1)!) beside.push(stretch)
    else {
      nested.push(stretch)
      open.push(stretch.ended)
    }
  }
  return { nested, beside }
}

/** When a worker did nothing; and when, before the horizon, nobody knows any more. */
function pauses({ began }: Row, done: readonly Stretch[], horizon: number, end: number): Stretch[] {
  const found: Stretch[] = []
  let from = began
  const add = (name: string, began: number, ended: number) => {
    if (ended - began >= PAUSE) found.push({ category: name, name, began, ended, args: {} })
  }
  const until = (to: number) => {
    add('forgotten', from, Math.min(to, horizon))
    add('idle', Math.max(from, horizon), to)
  }
  for (const stretch of [...done].sort((a, b) => a.began - b.began)) {
    until(stretch.began)
    from = Math.max(from, stretch.ended)
  }
  until(end)
  return found
}
