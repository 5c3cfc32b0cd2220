import type { Finding } from '../../../core/findings.js'
import type { Span } from '../../../core/spans.js'
import type { Code } from '../../code/index.js'
import type { ToWorker } from '../../protocol.js'
import type { StreamTarget } from '../../stream.js'
import type { Try } from '../../timeline/recorder.js'

/**
 * A value: data for structured cloning, whether it has to be unpacked, ids of the refs and handles inside, and bytes of shared memory that
 * whoever gets it allocates.
 */
export type NetContent = readonly [data: unknown, special: boolean, carried: readonly string[], shared: number]

export type NetArgument =
  | readonly ['value', NetContent]
  /** An object, with its content while that is small; otherwise the node asks for it, once. */
  | readonly ['object', id: string, NetContent | null]

/** A function or class: always an export of a module. */
export type NetCode = readonly [name: string, code: Code]

/** A call of a function, constructor or method. */
export interface NetTask {
  id: string
  label: string
  code: NetCode | null
  method: string | null
  args: readonly NetArgument[]
  numReturns: number | StreamTarget
  numCpus: number
  /** Tries that were made already. */
  attempt: number
  maxRetries: number
  retryExceptions: boolean | readonly { name: string }[]
  timeout: number | undefined
}

export interface NetActor {
  id: string
  className: string
  label: string
  creation: NetTask
  numCpus: number | undefined
  maxRestarts: number
  maxTaskRetries: number
  maxConcurrency: number
  detached: boolean
  /** Under which the server has its name, where it has one. */
  key: string | null
}

export type ToNode =
  /** Says nothing, but must be received: by a node that was given up and is there again, or that may have forgotten the driver. */
  | readonly ['hello']
  | readonly ['actor', NetActor]
  | readonly ['call', actor: string, NetTask]
  | readonly ['kill', actor: string, restart: boolean]
  /** `recursive`: what it begins until it hears of it is not wanted either */
  | readonly ['cancel', task: string, force: boolean, recursive: boolean]
  | readonly ['free', ids: readonly string[]]
  /** What a node asked for; null when nobody has it any more. */
  | readonly ['object', id: string, NetContent | null]
  | readonly ['body', publication: number, Uint8Array | null]
  /** Whether what a node has from the queue may begin there; in the order of the questions. */
  | readonly ['mayBegin', boolean]
  /** For code in a worker; the ids of what it holds from now on. */
  | readonly ['answer', worker: number, ToWorker, held: readonly string[]]
  /** What the driver found out meanwhile. */
  | readonly ['findings', readonly Finding[]]
  /** Refs and handles that are garbage in its workers are to be let go. */
  | readonly ['collect', beside: boolean]
  /** What does your clock show? */
  | readonly ['clock', asked: number]
  /** The driver leaves. */
  | readonly ['end']

export type NetResult = readonly [
  task: string,
  ok: boolean,
  values: readonly NetContent[] | unknown,
  milliseconds: number,
  worker: string,
  /** Of the refs and handles in its arguments, those that the node still holds. */
  borrowed: readonly string[],
  /** How often it was tried again there. */
  retries: number,
  /** Of a generator that failed: the values from before. */
  before?: readonly NetContent[],
]

/** What workers did, on the node's clock. */
export interface NetEvents {
  started: [worker: number, name: string, at: number][]
  ended: [worker: number, at: number][]
  calls: [task: string, worker: number, call: Try][]
  spans: [worker: number, span: Span][]
}

export type FromNode =
  | readonly ['results', readonly NetResult[], NetEvents | null]
  | readonly ['clock', asked: number, shown: number]
  /** Tasks that run for longer. */
  | readonly ['running', tasks: readonly string[]]
  /** Tasks of a message that do not run there: for want of room, or because a node that had it was lost. */
  | readonly ['returned', publication: number, tasks: readonly string[], lost: boolean]
  | readonly ['restarted', actor: string, restarts: number]
  | readonly ['died', actor: string, error: unknown, NetEvents | null]
  /** It is not there, or not any more; a call of it, which may have begun there, has no other answer. null: it was to be killed */
  | readonly ['moved', actor: string, call: string | null, begun: boolean]
  | readonly ['want', object: string]
  | readonly ['wantBody', publication: number]
  /** May this task begin, which may run once? */
  | readonly ['begin', publication: number, task: string]
  | readonly ['release', readonly (readonly [id: string, count: number])[]]
  | readonly ['request', worker: number, request: number, operation: string, payload: unknown]
  /** A worker that has asked for something asks no more. */
  | readonly ['workerEnded', worker: number]
  | readonly ['output', label: string, stream: 'stdout' | 'stderr', text: string, worker: string]
  | readonly ['refused', error: unknown]

/** What lies in the queue: tasks; null if they are too large for the server, and their driver is asked for them. */
export type Queued = { driver: string; publication: number; tasks: readonly NetTask[] | null }
