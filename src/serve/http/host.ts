import type { RunningApplication } from '../running-application.js'
import type { ServeStatus } from '../types.js'
import type { Log } from './log.js'
import type { Metrics } from './metrics.js'

/** What the HTTP side needs to know of the rest. */
export interface HttpHost {
  readonly requestTimeout: number
  readonly log: Log
  readonly metrics: Metrics
  applications(): Iterable<RunningApplication>
  status(): ServeStatus
}
