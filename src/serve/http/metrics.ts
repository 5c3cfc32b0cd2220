import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import { installSink, type Measurement } from '../measured.js'
import type { RunningApplication } from '../running-application.js'

const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** What /metrics tells, in Prometheus' format. */
export class Metrics {
  readonly #registry = new Registry()
  readonly #requests = this.#counter('rayito_http_requests_total', 'HTTP requests by code', ['method', 'route', 'code'])
  readonly #seconds = this.#histogram('rayito_http_request_seconds', 'Time from a request to its answer', ['route'])
  readonly #brokenOff = this.#counter('rayito_http_broken_off_total', 'Answers that ended half way', ['route'])
  readonly #queued = this.#histogram('rayito_queue_seconds', 'Time a request that came by HTTP waited for a replica', [
    'deployment',
  ])
  readonly #processed = this.#histogram(
    'rayito_processing_seconds',
    'Time a replica took for a request that came by HTTP',
    ['deployment'],
  )
  readonly #own = new Map<string, Counter | Histogram>()

  constructor(applications: () => Iterable<RunningApplication>) {
    // Deployments of one name, of several applications, add up.
    const each = (then: (name: string, one: RunningApplication['ingress']) => void) => {
      for (const { deployments } of applications()) for (const one of deployments) then(one.name, one)
    }
    this.#gauge('rayito_replicas', 'Replicas by state', ['deployment', 'state'], (gauge) =>
      each((deployment, one) => {
        for (const [state, count] of Object.entries(one.status().replicas)) gauge.inc({ deployment, state }, count)
      }),
    )
    this.#counted('rayito_replica_restarts_total', 'Replicas that were replaced', ['deployment'], (counter) =>
      each((deployment, one) => counter.inc({ deployment }, one.restarts)),
    )
    this.#gauge(
      'rayito_queue_length',
      'Requests, by HTTP or a handle of the driver, that wait for a replica',
      ['deployment'],
      (gauge) => each((deployment, one) => gauge.inc({ deployment }, one.router.queued)),
    )
    this.#gauge(
      'rayito_ongoing_requests',
      'Requests, by HTTP or a handle of the driver, that replicas run',
      ['deployment'],
      (gauge) => each((deployment, one) => gauge.inc({ deployment }, one.router.ongoing)),
    )
    this.#gauge('process_resident_memory_bytes', 'Resident memory', [], (gauge) => gauge.set(process.memoryUsage.rss()))
    this.#counted('process_cpu_seconds_total', 'Processor time', [], (counter) => {
      const { user, system } = process.cpuUsage()
      counter.inc((user + system) / 1e6)
    })
    installSink((measurements) => {
      for (const measurement of measurements) this.#measured(measurement)
    })
  }

  answered(method: string, route: string, code: number, milliseconds: number): void {
    this.#requests.inc({ method, route, code })
    this.#seconds.observe({ route }, milliseconds / 1000)
  }

  /** An answer that has begun comes no further, whoever left. */
  brokenOff(route: string): void {
    this.#brokenOff.inc({ route })
  }

  waited(deployment: string, milliseconds: number): void {
    this.#queued.observe({ deployment }, milliseconds / 1000)
  }

  processed(deployment: string, took: number): void {
    this.#processed.observe({ deployment }, took / 1000)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  end(): void {
    installSink(null)
  }

  /** What an application measures by `serve.counter` and `serve.histogram`. */
  #measured([name, kind, help, value, buckets]: Measurement): void {
    let metric = this.#own.get(name)
    if (!metric) {
      if (this.#registry.getSingleMetric(name)) return
      metric = kind === 'counter' ? this.#counter(name, help, []) : this.#histogram(name, help, [], buckets ?? SECONDS)
      this.#own.set(name, metric)
    }
    if (metric instanceof Counter) metric.inc(value)
    else metric.observe(value)
  }

  #counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name, help, labelNames, registers: [this.#registry] })
  }

  #histogram(name: string, help: string, labelNames: string[], buckets: readonly number[] = SECONDS): Histogram {
    return new Histogram({ name, help, labelNames, buckets: [...buckets], registers: [this.#registry] })
  }

  #gauge(name: string, help: string, labelNames: string[], read: (gauge: Gauge) => void): void {
    new Gauge({ name, help, labelNames, registers: [this.#registry], collect: reading(read) })
  }

  /** A counter of what is counted elsewhere. */
  #counted(name: string, help: string, labelNames: string[], read: (counter: Counter) => void): void {
    new Counter({ name, help, labelNames, registers: [this.#registry], collect: reading(read) })
  }
}

/** Reads it anew whenever it is asked for. */
function reading<M extends Gauge | Counter>(read: (metric: M) => void): (this: M) => void {
  return function () {
    this.reset()
    read(this)
  }
}
