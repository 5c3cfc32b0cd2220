import { availableParallelism, totalmem } from 'node:os'
import { expected } from '../core/errors.js'
import { defined, knownOptions, within } from '../core/options.js'
import type { ActorOptions, GetOptions, InitOptions, MethodOptions, TaskOptions, WaitOptions } from './types.js'

/** Ray's defaults, in one place. */
export const TASK_DEFAULTS = { numCpus: 1, maxRetries: 3, retryExceptions: false } as const
/** Calls, and spans, that the timeline keeps. */
export const TIMELINE_DEFAULT = 10_000
export const ACTOR_DEFAULTS = { maxRestarts: 0, maxTaskRetries: 0, maxConcurrency: 1 } as const

/** A session's options, those included that were not given. */
export interface SessionOptions extends Required<Omit<InitOptions, 'resourceLimits' | 'timeline'>> {
  resourceLimits: InitOptions['resourceLimits']
  timeline: number | false
}

export function sessionOptions({
  numCpus = availableParallelism(),
  address = process.env.RAY_ADDRESS || 'local',
  workers = 'threads',
  objectStoreMemory = Math.floor(totalmem() * 0.3),
  resourceLimits,
  logToDriver = true,
  namespace = '',
  timeline = true,
}: InitOptions): SessionOptions {
  return {
    numCpus,
    address,
    workers,
    objectStoreMemory,
    resourceLimits: resourceLimits && defined(resourceLimits),
    logToDriver,
    namespace,
    timeline: timeline === true ? TIMELINE_DEFAULT : timeline,
  }
}

/** What `ray.init` gives: there at once on one machine, awaited to know that a cluster answers. */
export interface SessionInfo {
  /** CPUs of all machines together. */
  readonly numCpus: number
  /** 'local', or the cluster's. */
  readonly address: string
}

type Check = (value: unknown) => boolean
const RULES = {
  name: ['a text that is not empty', (v) => typeof v === 'string' && v !== ''],
  namespace: ['a text', (v) => typeof v === 'string'],
  numCpus: ['a number from 0 and up', (v) => typeof v === 'number' && v >= 0 && v < Infinity],
  maxRetries: ['a whole number from −1 and up', (v) => Number.isInteger(v) && (v as number) >= -1],
  maxRestarts: ['a whole number from −1 and up', (v) => Number.isInteger(v) && (v as number) >= -1],
  maxTaskRetries: ['a whole number from −1 and up', (v) => Number.isInteger(v) && (v as number) >= -1],
  maxConcurrency: ['a whole number from 1 and up', (v) => Number.isInteger(v) && (v as number) >= 1],
  retryExceptions: [
    'true, false or a list of error classes',
    (v) => typeof v === 'boolean' || (Array.isArray(v) && v.every((c) => typeof c === 'function')),
  ],
  timeout: ['milliseconds from 0 and up', (v) => typeof v === 'number' && v >= 0],
  signal: ['an AbortSignal', (v) => v instanceof AbortSignal],
  numReturns: [
    "a whole number from 1 and up, or 'streaming' for a generator",
    (v) => v === 'streaming' || (Number.isInteger(v) && (v as number) >= 1),
  ],
  generatorBackpressureNumObjects: ['a whole number from 1 and up', (v) => Number.isInteger(v) && (v as number) >= 1],
  getIfExists: ['true or false', (v) => typeof v === 'boolean'],
  lifetime: ["'detached' or null", (v) => v === 'detached' || v === null],
  address: ['a text', (v) => typeof v === 'string'],
  workers: ["'threads' or 'processes'", (v) => v === 'threads' || v === 'processes'],
  objectStoreMemory: ['bytes above 0', (v) => typeof v === 'number' && v > 0],
  resourceLimits: ['an object', (v) => typeof v === 'object' && v !== null],
  logToDriver: ['true or false', (v) => typeof v === 'boolean'],
  ignoreIfTimedout: ['true or false', (v) => typeof v === 'boolean'],
  noRestart: ['true or false', (v) => typeof v === 'boolean'],
  force: ['true or false', (v) => typeof v === 'boolean'],
  recursive: ['true or false', (v) => typeof v === 'boolean'],
  timeline: [
    'true, false or a whole number of calls from 1 to 10,000,000',
    (v) => typeof v === 'boolean' || (Number.isInteger(v) && (v as number) >= 1 && (v as number) <= 10_000_000),
  ],
} satisfies Record<string, [string, Check]>

/** Megabytes of stack below which Node cannot start a worker, and ends the program. */
const LEAST_STACK = 0.3
const megabytes: [string, Check] = ['megabytes above 0', (v) => Number.isFinite(v) && (v as number) > 0]
const LIMITS = {
  maxOldGenerationSizeMb: megabytes,
  maxYoungGenerationSizeMb: megabytes,
  stackSizeMb: [`megabytes from ${LEAST_STACK} and up`, (v) => Number.isFinite(v) && (v as number) >= LEAST_STACK],
} satisfies Record<string, [string, Check]>

/** @param of the option whose fields they are */
function check(options: object, rules: Record<string, [string, Check]>, names: readonly string[], of = ''): void {
  knownOptions(options, names, of)
  for (const [name, value] of Object.entries(options)) {
    const [what, fits] = rules[name]!
    if (value !== undefined && !fits(value)) expected(within(of, name), what, value)
  }
}

function checker<T extends object>(...names: (keyof typeof RULES & keyof T)[]): (options: T) => void {
  return (options) => check(options, RULES, names)
}

export const checkGetOptions = checker<GetOptions>('timeout', 'signal')
export const checkGetNextOptions = checker<{ timeout?: unknown; ignoreIfTimedout?: unknown }>(
  'timeout',
  'ignoreIfTimedout',
)
/** How many it may wait for, only its refs tell. */
export const checkWaitOptions = checker<Omit<WaitOptions, 'numReturns'>>('timeout')
export const checkKillOptions = checker<{ noRestart?: unknown }>('noRestart')
export const checkCancelOptions = checker<{ force?: unknown; recursive?: unknown }>('force', 'recursive')
export const checkNamespace = checker<Pick<ActorOptions, 'namespace'>>('namespace')
const checkSession = checker<InitOptions>(
  'numCpus',
  'address',
  'workers',
  'objectStoreMemory',
  'resourceLimits',
  'logToDriver',
  'namespace',
  'timeline',
)
export function checkInitOptions(options: InitOptions): void {
  checkSession(options)
  if (options.resourceLimits) check(options.resourceLimits, LIMITS, Object.keys(LIMITS), 'resourceLimits')
}
export const checkTaskOptions = checker<TaskOptions>(
  'name',
  'numCpus',
  'maxRetries',
  'retryExceptions',
  'timeout',
  'numReturns',
  'generatorBackpressureNumObjects',
)
export const checkActorOptions = checker<ActorOptions>(
  'name',
  'namespace',
  'getIfExists',
  'numCpus',
  'maxRestarts',
  'maxTaskRetries',
  'maxConcurrency',
  'lifetime',
)
export const checkMethodOptions = checker<MethodOptions>(
  'name',
  'maxTaskRetries',
  'retryExceptions',
  'timeout',
  'numReturns',
  'generatorBackpressureNumObjects',
)
