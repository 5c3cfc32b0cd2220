import { Actor } from '../../../actor.js'
import { RemoteDefinition } from '../../../definition.js'
import { EMPTY, Entry } from '../../../object-ref.js'
import { Tallies } from '../../../tally.js'
import { Task } from '../../../task.js'
import type { NameRecord } from '../name-record.js'

/** An actor that another driver made and restarts: only its name is known here. */
export function foreignActor(
  { id, className, label, maxConcurrency, maxTaskRetries = 0 }: NameRecord,
  { name, namespace }: { name: string; namespace: string },
  owner: object,
): Actor {
  const lifetime = { maxRestarts: -1, maxTaskRetries, maxConcurrency, detached: true }
  const settings = { name, namespace, numCpus: 0, ...lifetime }
  const definition = RemoteDefinition.received(className, { kind: 'module', module: '', name: className })
  const call = { method: null, maxRetries: 0, retryExceptions: false, timeout: undefined, numReturns: 1 }
  const made = { ...settings, ...call, label: className }
  const creation = new Task(definition, made, [new Entry(`${id}/found`, owner)], new Tallies().of(''), () => {})
  creation.succeed([EMPTY])
  return new Actor(id, className, label, settings, creation)
}
