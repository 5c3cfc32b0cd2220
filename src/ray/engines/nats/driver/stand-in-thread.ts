import { workerData } from 'node:worker_threads'
import type { Bus } from '../bus.js'
import { BEAT } from '../subjects.js'
import type { StandInStart } from './stand-in.js'

/** Looks in a row that find the event loop where it was: it stands still then. */
const STILL = 3

const { address, id, turns } = workerData as StandInStart
const counter = new Int32Array(turns)
let last = 0
let still = 0
let bus: Promise<Bus | null> | null = null
let given: Uint8Array | null = null

/** A connection of its own, made the first time that it is needed. */
async function connect(): Promise<Bus> {
  const { Bus } = await import('../bus.js')
  const opened = await Bus.open(address, `rayito driver ${id}, standing in`)
  // The driver's own connection may be closed by a server whose pings it does not answer.
  opened.vouch(id)
  return opened
}

/** The driver's last sign of life once more, unless it has given another, or taken leave. */
async function give({ leases }: Bus): Promise<void> {
  const key = `driver.${id}`
  const entry = await leases.get(key)
  if (entry?.operation === 'PUT') {
    given = entry.value
    await leases.update(key, given, entry.revision)
  } else if (!entry && given) await leases.create(key, given)
}

setInterval(() => {
  const now = Atomics.load(counter, 0)
  still = now === last ? still + 1 : 0
  last = now
  if (still < STILL) return
  bus ??= connect().catch(() => {
    bus = null
    return null
  })
  // In vain where the server is away, or the driver has just given one itself: it is tried again.
  bus.then((there) => there && give(there)).catch(() => {})
}, BEAT)
