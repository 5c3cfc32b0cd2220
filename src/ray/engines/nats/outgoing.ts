import { carriedBy, portableCode } from '../../code/index.js'
import { carriedId } from '../../handle.js'
import { type Content, type Entry, entryOf } from '../../object-ref.js'
import { KIND } from '../../protocol.js'
import type { Task } from '../../task.js'
import type { NetArgument, NetContent, NetTask } from './messages.js'

/** Bytes up to which an object goes along with every call that needs it. */
const INLINE = 32 * 1024

const idsOf = (carried: readonly object[]): string[] => (carried.length ? [...new Set(carried.map(carriedId))] : [])

export const netContent = ({ data, special, carried, shared }: Content): NetContent => [
  data,
  special,
  idsOf(carried),
  shared,
]

export const taskId = (task: Task): string => task.returns[0]!.id

/** A call as it goes over the wire. @param sent told of each object that goes or will be asked for */
export function netTask(task: Task, kind: number, sent: (entry: Entry) => void): NetTask {
  const { definition, settings } = task
  task.bytesIn = task.args.reduce((sum, { content }) => sum + (content ? content.copied + content.shared : 0), 0)
  const { retryExceptions } = settings
  return {
    id: taskId(task),
    label: task.label,
    code: kind === KIND.METHOD ? null : [definition.name, portableCode(definition.code!)],
    method: settings.method,
    args: task.args.map(({ content, ref }) =>
      ref ? netObject(entryOf(ref), sent) : (['value', netContent(content)] as const),
    ),
    numReturns: settings.numReturns,
    numCpus: settings.numCpus,
    attempt: task.attempt,
    maxRetries: settings.maxRetries,
    // Classes do not travel: which exceptions to retry is known by name.
    retryExceptions:
      typeof retryExceptions === 'boolean' ? retryExceptions : retryExceptions.map(({ name }) => ({ name })),
    timeout: settings.timeout,
  }
}

/** A call's arguments as values, with the content of each; null if one is not here. */
export function wholeArguments(task: Task): (readonly ['value', NetContent])[] | null {
  const contents = task.args.map(({ content, ref }) => (ref ? entryOf(ref).content : content))
  return contents.every((content) => content)
    ? contents.map((content) => ['value', netContent(content!)] as const)
    : null
}

/** @throws ObjectLostError for one that was freed meanwhile */
function netObject(entry: Entry, sent: (entry: Entry) => void): NetArgument {
  const { content } = entry
  if (!content) throw entry.error
  if (typeof content.data !== 'object' || content.data === null) return ['value', netContent(content)]
  sent(entry)
  return ['object', entry.id, content.copied + content.shared <= INLINE ? netContent(content) : null]
}

/** Everything that a call's arguments and code carry, by id. */
export function carriedOf(task: Task): Map<string, object> {
  const found = new Map<string, object>()
  const add = (carried: readonly object[]) => {
    for (const thing of carried) found.set(carriedId(thing), thing)
  }
  for (const { content, ref } of task.args) add(ref ? (entryOf(ref).content?.carried ?? []) : content.carried)
  if (task.definition.code) add(carriedBy(task.definition.code))
  return found
}
