import type { ServerResponse } from 'node:http'
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
  /** A request has come: where it did not come over a socket, it may be given up otherwise. */
  heed(response: ServerResponse): void
  applications(): Iterable<RunningApplication>
  status(): ServeStatus
}
