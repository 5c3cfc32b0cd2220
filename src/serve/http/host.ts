import type { RunningApplication } from '../running-application.js'
import type { ServeStatus } from '../types.js'
import type { Access } from './access.js'
import type { Log } from './log.js'
import type { Metrics } from './metrics.js'

/** What the HTTP side needs to know of the rest. */
export interface HttpHost {
  readonly requestTimeout: number
  readonly log: Log
  readonly metrics: Metrics
  readonly access: Access
  /** Whether the server takes no more requests. */
  draining(): boolean
  applications(): Iterable<RunningApplication>
  status(): ServeStatus
}
