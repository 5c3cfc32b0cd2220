import type { Task } from '../../task.js'
import type { Recorder } from '../../timeline/recorder.js'
import type { NetEvents } from './messages.js'
import type { NodePeer } from './node-peer.js'

/** Tells the timeline what a node's workers did, as soon as that can be placed in time. */
export function recordEvents(
  recorder: Recorder,
  { clock, rows, lease }: NodePeer,
  { started, ended, calls, spans }: NetEvents,
  taskOf: (id: string) => Task | undefined,
): void {
  const found = calls.flatMap(([id, worker, call]) => {
    const task = taskOf(id)
    if (!task || task.state === 'done') return []
    task.tally.bytesOut += call.bytesOut
    return [{ task, worker, call }]
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
