import { RayitoError } from '../core/errors.js'
import type { Bound } from './deployment.js'
import type { HttpSide } from './http/side.js'
import type { FilledRun } from './options.js'
import type { Router } from './router.js'
import { RunningApplication } from './running-application.js'
import type { RunningDeployment } from './running-deployment.js'
import type { DeploymentHandle, ServeEvent, ServeStatus } from './types.js'

/** Of a run that a shutdown came between. */
export const stopped = (): RayitoError => new RayitoError('SERVE_STOPPED', 'serve.shutdown was called')

/** Of a run that another, or a delete, of its name came between. */
const overtaken = (name: string): RayitoError =>
  new RayitoError('SERVE_STOPPED', `serve.run or serve.delete was called for '${name}' while it was being started`)

/** All applications of this process, and what answers HTTP for them. The first run decides how. */
export class Service {
  readonly #applications = new Map<string, RunningApplication>()
  /** By name the last that was asked for and has not ended. */
  readonly #turns = new Map<string, Promise<unknown>>()
  readonly #options: FilledRun
  #http: Promise<HttpSide> | null = null
  #url: string | null = null
  #draining = false

  constructor(options: FilledRun) {
    this.#options = options
  }

  get isEmpty(): boolean {
    return this.#applications.size === 0 && this.#turns.size === 0
  }

  has(name: string): boolean {
    return this.#applications.has(name)
  }

  handle(name: string): DeploymentHandle | undefined {
    return this.#applications.get(name)?.handle
  }

  /**
   * Runs and deletes of one name come after each other: their deployments share routers. What is being started is started no
   * further once the next is asked for.
   * @param work is given what throws once it need not go on
   */
  #inTurn<T>(name: string, work: (goOn: () => void) => Promise<T>): Promise<T> {
    const before = this.#turns.get(name)
    const current = this.#applications.get(name)
    if (current?.starts) void current.stop(0)
    const goOn = () => {
      if (this.#draining) throw stopped()
      if (this.#turns.get(name) !== turn) throw overtaken(name)
    }
    const turn: Promise<T> = Promise.resolve(before)
      .catch(() => {})
      .then(() => work(goOn))
      .finally(() => {
        if (this.#turns.get(name) === turn) this.#turns.delete(name)
      })
    this.#turns.set(name, turn)
    return turn
  }

  run(bound: Bound, options: FilledRun): Promise<DeploymentHandle> {
    return this.#inTurn(options.name, (goOn) => this.#run(bound, options, goOn))
  }

  async #run(bound: Bound, { name, routePrefix, onEvent }: FilledRun, goOn: () => void): Promise<DeploymentHandle> {
    goOn()
    for (const other of this.#applications.values())
      if (other.name !== name && other.routePrefix === routePrefix)
        throw new RayitoError('INVALID_ARGUMENT', `Application '${other.name}' has the route prefix ${routePrefix}`, {
          remedy: 'Give another routePrefix.',
        })
    const before = this.#applications.get(name)
    // Its routes stay until those of the next are there, and answer 503.
    if (before) await before.stop()
    goOn()
    const event = (level: ServeEvent['level'], source: ServeEvent['source'], message: string) =>
      onEvent?.({ level, source, message })
    const changed = ({ router }: RunningDeployment) => this.#tell([router])
    const application = new RunningApplication(name, routePrefix, bound, { event, changed })
    this.#applications.set(name, application)
    // What is there again has no replicas yet; what is not has ended.
    this.#tell([...(before?.routers ?? []), ...application.routers])
    // The slow part, in other threads; meanwhile this one loads what answers HTTP.
    const started = application.start()
    started.catch(() => {})
    try {
      this.#http ??= this.#open(event)
      const http = await this.#http
      await http.refresh()
      await started
      goOn()
    } catch (error) {
      await this.#end(application, 0)
      goOn()
      throw error
    }
    event('INFO', 'serve', `Application '${name}' is ready at ${this.#url ?? 'serve.fetch'}${routePrefix}.`)
    return application.handle
  }

  async #open(event: (level: 'INFO', source: 'proxy', message: string) => void): Promise<HttpSide> {
    const { HttpSide } = await import('./http/side.js')
    const { host, port, requestTimeout, log } = this.#options
    const http = new HttpSide({
      requestTimeout,
      log,
      applications: () => this.#applications.values(),
      status: () => this.status(),
    })
    if (port === null) return http
    this.#url = await http.listen(host, port)
    event('INFO', 'proxy', `Proxy starting on ${host} (HTTP port: ${new URL(this.#url).port || 80}).`)
    return http
  }

  async fetch(request: Request): Promise<Response> {
    const http = await this.#http
    if (!http) throw new RayitoError('SERVE_STOPPED', 'No application is running')
    return http.fetch(request)
  }

  remove(name: string): Promise<void> {
    return this.#inTurn(name, async () => {
      const application = this.#applications.get(name)
      if (application) await this.#end(application)
    })
  }

  async #end(application: RunningApplication, within = application.patience): Promise<void> {
    await application.stop(within)
    this.#applications.delete(application.name)
    const http = await this.#http?.catch(() => null)
    if (!this.#draining) await http?.refresh()
    this.#tell(application.routers)
  }

  /** Replicas of every application may have handles to these deployments. */
  #tell(routers: readonly Router[]): void {
    for (const router of routers) for (const application of this.#applications.values()) application.tell(router)
  }

  async shutdown(): Promise<void> {
    this.#draining = true
    const applications = [...this.#applications.values()]
    const patience = Math.max(0, ...applications.map(({ patience }) => patience))
    const end = performance.now() + patience
    const http = await this.#http?.catch(() => null)
    for (const application of applications) application.drain()
    await http?.drain(patience)
    const left = Math.max(0, end - performance.now())
    await Promise.all(applications.map((application) => application.stop(left)))
    this.#applications.clear()
    await http?.close()
  }

  status(): ServeStatus {
    const applications = Object.fromEntries([...this.#applications].map(([name, one]) => [name, one.status()]))
    return { url: this.#url, draining: this.#draining, applications }
  }
}
