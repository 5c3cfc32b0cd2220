import { SPANS, type Span } from '../../core/spans.js'
import type { TraceEvent } from '../../ray/index.js'

/** What the driver or a worker does at a moment. */
export type Doing = 'loading' | 'reading' | 'moving' | 'inferring' | 'waiting'

/** All of them, in the order in which they are shown. */
export const DOINGS: readonly Doing[] = ['loading', 'reading', 'moving', 'inferring', 'waiting']

/** A stretch of a version's time; seconds from its start. */
export interface Stretch {
  doing: Doing
  from: number
  to: number
}

/** What one of them did, from the version's start to its end without a gap. */
export interface Lane {
  /** `driver`, `worker#1`, `InferenceEngine#2`. */
  name: string
  stretches: Stretch[]
}

/** Shares of the time of all workers (in A: of the driver); they add up to 1. */
export type Shares = Record<Doing, number>

/** Where several things go on at once, the first of these counts: what the others only wait beside. */
const ORDER = ['infer', 'read', 'load', 'import', 'start', 'deserialise', 'task', 'transfer'] as const
type Category = (typeof ORDER)[number]

/** Notes what the driver does, until it is asked for it. */
export function watchDriver(): () => Span[] {
  const seen: Span[] = []
  const listen = (span: unknown) => void seen.push(span as Span)
  SPANS.subscribe(listen)
  return () => {
    SPANS.unsubscribe(listen)
    return seen
  }
}

export interface Window {
  /** Milliseconds of core/clock.ts. */
  began: number
  loaded: number
  ended: number
}

/**
 * The driver, and the workers that ran something within the window, by what `ray.timeline()` and the driver's own spans say.
 * What a call does beside loading, reading and unpacking counts as loading until all can infer, then as inferring.
 */
export function lanesOf(driver: readonly Span[], events: readonly TraceEvent[], window: Window): Lane[] {
  const threads = new Map<string, string>()
  for (const { ph, name, pid, tid, args } of events)
    if (ph === 'M' && name === 'thread_name') threads.set(`${pid}/${tid}`, String(args.name))
  const workers = new Map<string, { name: string; marks: Mark[]; works: boolean }>()
  for (const { cat, pid, tid, from, to } of timesOf(events)) {
    const name = threads.get(`${pid}/${tid}`)
    const rank = ORDER.indexOf(cat as Category)
    if (rank < 0 || !name || name === 'driver') continue
    if (to <= window.began || from >= window.ended) continue
    const key = `${pid}/${name}`
    const worker = workers.get(key) ?? { name, marks: [], works: false }
    workers.set(key, worker)
    worker.works ||= cat === 'task'
    worker.marks.push({ rank, from, to })
  }
  const own = driver.flatMap(({ category, began, ended }): Mark[] => {
    const rank = ORDER.indexOf(category as Category)
    return rank < 0 ? [] : [{ rank, from: began, to: ended }]
  })
  const busy = [...workers.values()]
    .filter(({ works }) => works)
    .sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }))
  return [{ name: 'driver', marks: own }, ...busy].map(({ name, marks }) => ({ name, stretches: split(marks, window) }))
}

/** When each event was, in milliseconds: those of one piece, and those whose beginning and end are two. */
function* timesOf(
  events: readonly TraceEvent[],
): Generator<Pick<TraceEvent, 'cat' | 'pid' | 'tid'> & Pick<Mark, 'from' | 'to'>> {
  const open = new Map<string, number>()
  for (const { ph, cat, ts, dur = 0, pid, tid, id2 } of events) {
    const key = `${pid}/${id2?.local}`
    if (ph === 'b') open.set(key, ts)
    else if (ph === 'e') yield { cat, pid, tid, from: open.get(key)! / 1e3, to: ts / 1e3 }
    else if (ph === 'X') yield { cat, pid, tid, from: ts / 1e3, to: (ts + dur) / 1e3 }
  }
}

/** A time in which something of that rank goes on. */
interface Mark {
  rank: number
  from: number
  to: number
}

/** The window as stretches side by side. */
function split(marks: readonly Mark[], { began, loaded, ended }: Window): Stretch[] {
  const within = (time: number) => Math.min(Math.max(time, began), ended)
  const edges = [
    ...marks.flatMap(({ rank, from, to }) => [
      { at: within(from), rank, more: 1 },
      { at: within(to), rank, more: -1 },
    ]),
    { at: loaded, rank: -1, more: 0 },
    { at: ended, rank: -1, more: 0 },
  ].sort((a, b) => a.at - b.at)
  const open = ORDER.map(() => 0)
  const stretches: Stretch[] = []
  let last = began
  for (const { at, rank, more } of edges) {
    if (at > last) {
      const doing = doingOf(ORDER[open.findIndex((count) => count > 0)], last < loaded)
      const previous = stretches.at(-1)
      const to = (at - began) / 1e3
      if (previous?.doing === doing) previous.to = to
      else stretches.push({ doing, from: (last - began) / 1e3, to })
      last = at
    }
    if (rank >= 0) open[rank]! += more
  }
  return stretches
}

function doingOf(category: Category | undefined, loading: boolean): Doing {
  if (category === undefined) return 'waiting'
  if (category === 'read') return 'reading'
  if (category === 'deserialise' || category === 'transfer') return 'moving'
  if (category === 'infer') return 'inferring'
  return category === 'task' && !loading ? 'inferring' : 'loading'
}

/** How the workers' time (in A: the driver's) divides. */
export function sharesOf(lanes: readonly Lane[]): Shares {
  const workers = lanes.length > 1 ? lanes.filter(({ name }) => name !== 'driver') : lanes
  const shares: Shares = { loading: 0, reading: 0, moving: 0, inferring: 0, waiting: 0 }
  let whole = 0
  for (const { doing, from, to } of workers.flatMap(({ stretches }) => stretches)) {
    shares[doing] += to - from
    whole += to - from
  }
  if (whole > 0) for (const doing of DOINGS) shares[doing] /= whole
  return shares
}
