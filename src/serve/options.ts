import { expected } from '../core/errors.js'
import { defined, knownOptions } from '../core/options.js'
import { timerTime } from '../core/timer.js'
import type { BatchOptions, DeploymentOptions, Page, Route, RunOptions } from './types.js'

/** Ray Serve's defaults, in one place. */
const DEPLOYMENT_DEFAULTS = {
  numReplicas: 1,
  maxOngoingRequests: 5,
  maxQueuedRequests: -1,
  healthCheckPeriod: 10_000,
  healthCheckTimeout: 30_000,
  gracefulShutdownTimeout: 20_000,
} as const

export const RUN_DEFAULTS = {
  name: 'default',
  routePrefix: '/',
  host: '127.0.0.1',
  port: 8000,
  requestTimeout: 60_000,
  log: false,
} as const

/** How HTTP is answered, for all applications. */
const HTTP_OPTIONS = ['host', 'port', 'requestTimeout', 'log'] as const

export const BATCH_DEFAULTS = {
  maxBatchSize: 10,
  batchWaitTimeout: 10,
  maxConcurrentBatches: 1,
} as const

/** Bytes a body may have. */
export const MAX_BYTES = 10 * 1024 * 1024

/** What a deployment relies on. */
export interface FilledDeployment {
  name: string
  numReplicas: number | 'auto'
  maxOngoingRequests: number
  /** Infinity where no bound was set. */
  maxQueuedRequests: number
  healthCheckPeriod: number
  healthCheckTimeout: number
  gracefulShutdownTimeout: number
  userConfig: unknown
}

/** What a run relies on. */
export type FilledRun = Omit<RunOptions, keyof typeof RUN_DEFAULTS> &
  Required<Pick<RunOptions, keyof typeof RUN_DEFAULTS>>

/** What a batch relies on. */
export type FilledBatch = Omit<BatchOptions<unknown>, keyof typeof BATCH_DEFAULTS> &
  Required<Pick<BatchOptions<unknown>, keyof typeof BATCH_DEFAULTS>>

type Rule = [what: string, fits: (value: unknown) => boolean]
const whole = (from: number): Rule => [
  `a whole number from ${from === -1 ? '−1' : from} and up`,
  (v) => Number.isInteger(v) && (v as number) >= from,
]
const timeFrom0: Rule = ['milliseconds from 0 and up', (v) => typeof v === 'number' && v >= 0]
const time: Rule = ['milliseconds above 0', (v) => typeof v === 'number' && v > 0]

const DEPLOYMENT_RULES: Record<keyof DeploymentOptions, Rule> = {
  name: ['a text that is not empty, without # and line ends', (v) => typeof v === 'string' && /^[^#\r\n]+$/.test(v)],
  numReplicas: ["a whole number from 1 and up, or 'auto'", (v) => v === 'auto' || whole(1)[1](v)],
  maxOngoingRequests: whole(1),
  maxQueuedRequests: whole(-1),
  healthCheckPeriod: time,
  healthCheckTimeout: time,
  gracefulShutdownTimeout: timeFrom0,
  userConfig: ['anything', () => true],
}

const RUN_RULES: Record<keyof RunOptions, Rule> = {
  name: ['a text that is not empty', (v) => typeof v === 'string' && v !== ''],
  routePrefix: ['a path that begins with /', (v) => typeof v === 'string' && /^\/[^?#:*]*$/.test(v)],
  host: ['an address', (v) => typeof v === 'string' && v !== ''],
  port: ['a port from 0 to 65535, or null', (v) => v === null || (whole(0)[1](v) && (v as number) <= 65_535)],
  requestTimeout: time,
  log: [
    'true, false or something with write()',
    (v) => typeof v === 'boolean' || typeof (v as { write?: unknown })?.write === 'function',
  ],
  onEvent: ['a function', (v) => typeof v === 'function'],
}

const BATCH_RULES: Record<keyof BatchOptions<unknown>, Rule> = {
  maxBatchSize: whole(1),
  batchWaitTimeout: timeFrom0,
  maxConcurrentBatches: whole(1),
  batchSizeFn: ['a function', (v) => typeof v === 'function'],
}

const isRecord = (v: unknown) => typeof v === 'object' && v !== null && !Array.isArray(v)
const text: Rule = ['a text', (v) => typeof v === 'string']
const someText: Rule = ['a text that is not empty', (v) => typeof v === 'string' && v !== '']
const schema: Rule = ['a JSON schema', isRecord]
const texts: Rule = ['an object of texts', (v) => isRecord(v) && Object.values(v as object).every(text[1])]

const ROUTE_RULES: Record<keyof Route<unknown>, Rule> = {
  call: ['the name of a method', text[1]],
  file: someText,
  maxBytes: whole(1),
  summary: text,
  responses: texts,
  query: texts,
  body: schema,
  answer: schema,
  errorKey: someText,
  error: schema,
}

const PAGE_RULES: Record<keyof Page, Rule> = {
  html: ['a page, or a function that gives it', (v) => typeof v === 'string' || typeof v === 'function'],
  contentSecurityPolicy: ['a function', (v) => typeof v === 'function'],
}

/** @param where whose options they are, where a call takes several */
function check(options: object, rules: Record<string, Rule>, where = ''): void {
  knownOptions(options, Object.keys(rules), where)
  for (const [name, value] of Object.entries(options)) {
    const rule = rules[name]!
    if (value !== undefined && !rule[1](value)) expected(where ? `${where}.${name}` : name, rule[0], value)
  }
}

/** A route as it was given, or a method's name alone. @param name the route's own */
export function checkedRoute(given: unknown, name: string): Route<unknown> | Page {
  const where = `routes['${name}']`
  if (typeof given !== 'string' && !isRecord(given))
    expected(where, 'the name of a method, a route ({ call }) or a page ({ html })', given)
  const route = defined(typeof given === 'string' ? { call: given } : (given as object))
  const isPage = 'html' in route
  check(route, isPage ? PAGE_RULES : ROUTE_RULES, where)
  if (!isPage && !('call' in route)) expected(`${where}.call`, ROUTE_RULES.call[0], undefined)
  return route as Route<unknown> | Page
}

export const checkDeploymentOptions = (options: DeploymentOptions): void => check(options, DEPLOYMENT_RULES)
export const checkRunOptions = (options: RunOptions): void => check(options, RUN_RULES)
export const checkBatchOptions = (options: BatchOptions<never>): void => check(options, BATCH_RULES)

export function fillDeployment(options: DeploymentOptions, className: string): FilledDeployment {
  const { numReplicas = 1, maxQueuedRequests = -1 } = options
  const filled = { ...DEPLOYMENT_DEFAULTS, name: className, userConfig: undefined, ...defined(options) }
  return {
    ...filled,
    numReplicas,
    maxQueuedRequests: maxQueuedRequests === -1 ? Infinity : maxQueuedRequests,
    healthCheckPeriod: timerTime(filled.healthCheckPeriod),
    healthCheckTimeout: timerTime(filled.healthCheckTimeout),
    gracefulShutdownTimeout: timerTime(filled.gracefulShutdownTimeout),
  }
}

export function fillRun(options: RunOptions): FilledRun {
  const filled = { ...RUN_DEFAULTS, ...defined(options) }
  const routePrefix = filled.routePrefix.replace(/\/+$/, '') || '/'
  return { ...filled, routePrefix, requestTimeout: timerTime(filled.requestTimeout) }
}

/** Those of HTTP that a further run is given otherwise than the first, which decides of them. */
export function differing(given: RunOptions, first: FilledRun): string[] {
  const filled = fillRun(given)
  return HTTP_OPTIONS.filter((name) => given[name] !== undefined && filled[name] !== first[name])
}
