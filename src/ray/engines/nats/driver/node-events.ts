import type { Task } from '../../../task.js'
import type { Called, Recorder } from '../../../timeline/recorder.js'
import type { NetEvents } from '../messages.js'
import type { NodePeer } from './node-peer.js'

/** Calls that may be unheard of; of older ones nothing is told. */
const MOST_UNHEARD = 1_000

/** Calls that ended here – cancelled, or told to have taken too long – while a worker may be busy with them still. */
export class Unheard {
  readonly #calls = new Map<string, Called & Pick<Task, 'bytesIn'>>()

  add(id: string, { submitted, tally, bytesIn }: Task): void {
    this.#calls.set(id, { submitted, tally, bytesIn })
    if (this.#calls.size > MOST_UNHEARD) this.#calls.delete(this.#calls.keys().next().value!)
  }

  take(id: string): (Called & Pick<Task, 'bytesIn'>) | undefined {
    const call = this.#calls.get(id)
    this.#calls.delete(id)
    return call
  }
}

/** Tells the timeline what a node's workers did, as soon as that can be placed in time. */
export function recordEvents(
  recorder: Recorder,
  { clock, rows, lease }: NodePeer,
  { started, ended, calls, spans }: NetEvents,
  taskOf: (id: string) => Task | undefined,
  unheard: Unheard,
): void {
  const found = calls.flatMap(([id, worker, call]) => {
    const task = taskOf(id)
    if (!task || task.state === 'done') {
      const late = unheard.take(id)
      return late ? [{ task: late, worker, call }] : []
    }
    task.tally.bytesOut += call.bytesOut
    const bytesOut = call.bytesOut + task.bytesYielded
    task.bytesYielded = 0
    return [{ task, worker, call: { ...call, bytesOut } }]
  })
  clock.whenKnown(() => {
    const process = `${lease.name} (${lease.host}, ${lease.pid})`
    for (const [worker, name, at] of started) rows.set(worker, recorder.started(name, process, clock.here(at)))
    for (const { task, worker, call } of found) {
      const times = { began: clock.here(call.began), ended: clock.here(call.ended), sent: clock.here(call.sent) }
      const received = call.received && clock.here(call.received)
      recorder.call(rows.get(worker) ?? -1, task, { ...call, ...times, received, bytesIn: task.bytesIn })
    }
    for (const [worker, span] of spans)
      recorder.spans(rows.get(worker) ?? -1, [
        { ...span, began: clock.here(span.began), ended: clock.here(span.ended) },
      ])
    for (const [worker, at] of ended) {
      recorder.ended(rows.get(worker) ?? -1, clock.here(at))
      rows.delete(worker)
    }
  })
}
