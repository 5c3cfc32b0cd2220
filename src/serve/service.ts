import { RayitoError } from '../core/errors.js'
import { notice } from '../core/progress.js'
import type { ObjectRef } from '../ray/index.js'
import type { Bound } from './deployment.js'
import { heard } from './heard.js'
import type { HttpSide } from './http/side.js'
import { differing, type FilledRun } from './options.js'
import { findRouter } from './routers.js'
import { RunningApplication } from './running-application.js'
import type { RunningDeployment } from './running-deployment.js'
import type {
  ApplicationStatus,
  DeploymentHandle,
  DeploymentStatus,
  RunOptions,
  ServeEvent,
  ServeStatus,
} from './types.js'

/** Of a run that a shutdown came between. */
export const stopped = (): RayitoError => new RayitoError('SERVE_STOPPED', 'serve.shutdown was called')

/** Of a run that another, or a delete, of its name came between. */
const overtaken = (name: string): RayitoError =>
  new RayitoError('SERVE_STOPPED', `serve.run or serve.delete was called for '${name}' while it was being started`)

/** All applications of this process, and what answers HTTP for them. The first run decides how. */
export class Service {
  readonly #applications = new Map<string, RunningApplication>()
  /** Further versions of them: that which is to take one's place and begins, and that whose place was taken and which ends. */
  readonly #others = new Set<RunningApplication>()
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

  get #versions(): RunningApplication[] {
    return [...this.#applications.values(), ...this.#others]
  }

  /**
   * Runs and deletes of one name come after each other. What is being started is started no
   * further once the next is asked for.
   * @param work is given what throws once it need not go on
   */
  #inTurn<T>(name: string, work: (goOn: () => void) => Promise<T>): Promise<T> {
    const before = this.#turns.get(name)
    for (const one of this.#versions) if (one.name === name && one.starts) void one.stop(0)
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

  /** A further run may ask for another port in vain. */
  tellUnheeded(given: RunOptions): void {
    const fields = differing(given, this.#options).join(', ')
    if (fields === '') return
    const message = `The new HTTP config differs from the existing one in the following fields: ${fields}. The new HTTP config is ignored: only the first serve.run decides, and that after a serve.shutdown().`
    if (given.onEvent) given.onEvent({ level: 'WARNING', source: 'serve', message })
    else notice(`rayito: ${message}`)
  }

  run(bound: Bound, options: FilledRun): Promise<DeploymentHandle> {
    return this.#inTurn(options.name, (goOn) => this.#run(bound, options, goOn))
  }

  async #run(bound: Bound, { name, routePrefix, onEvent }: FilledRun, goOn: () => void): Promise<DeploymentHandle> {
    goOn()
    const standing = this.#versions.filter((one) => one.starts || this.#applications.get(one.name) === one)
    for (const other of standing)
      if (other.name !== name && other.routePrefix === routePrefix)
        throw new RayitoError('INVALID_ARGUMENT', `Application '${other.name}' has the route prefix ${routePrefix}`, {
          remedy: 'Give another routePrefix.',
        })
    const event = (level: ServeEvent['level'], source: ServeEvent['source'], message: string) =>
      onEvent?.({ level, source, message })
    const changed = (deployment: RunningDeployment) => void this.#tell(application, [deployment])
    const application = new RunningApplication(name, routePrefix, bound, { event, changed })
    const before = this.#applications.get(name)
    if (before) this.#others.add(application)
    else {
      this.#applications.set(name, application)
      this.#publish(application)
    }
    // The slow part, in other threads; meanwhile this one loads what answers HTTP.
    const started = application.start()
    started.catch(() => {})
    try {
      this.#http ??= this.#open(event)
      const http = await this.#http
      // Its routes answer 503 until it is there; where there is one before, that answers.
      if (!before) await http.refresh()
      await started
      goOn()
      if (before) await this.#swap(before, application, http)
    } catch (error) {
      await this.#end(application, 0)
      goOn()
      throw before ? before.keeps(error) : error
    }
    const told = before ? this.#publish(application) : []
    event('INFO', 'serve', `Application '${name}' is ready at ${this.#url ?? 'serve.fetch'}${routePrefix}.`)
    if (before) await this.#retire(before, application, told)
    return application.handle
  }

  /** From one moment on whoever asks by HTTP is answered by the next version; nothing has changed if that cannot be. */
  async #swap(before: RunningApplication, next: RunningApplication, http: HttpSide): Promise<void> {
    const put = (one: RunningApplication, other: RunningApplication) => {
      this.#others.delete(one)
      this.#others.add(other)
      this.#applications.set(one.name, one)
    }
    put(next, before)
    await http.refresh().catch((error) => {
      put(before, next)
      throw error
    })
  }

  /** Ends a version whose place was taken, once all have heard of the next: it answers what it was asked before. */
  async #retire(before: RunningApplication, next: RunningApplication, told: readonly ObjectRef[]): Promise<void> {
    const end = performance.now() + before.patience
    await heard(told, before.patience)
    await before.stop(Math.max(0, end - performance.now()), next)
    this.#others.delete(before)
    this.#tell(before, before.deployments)
  }

  /** Handles reach this version from now on. */
  #publish(application: RunningApplication): ObjectRef[] {
    application.publish()
    return this.#tell(application, application.deployments)
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
    // It has answered nobody yet.
    if (this.#others.delete(application)) return
    this.#applications.delete(application.name)
    const http = await this.#http?.catch(() => null)
    if (!this.#draining) await http?.refresh()
    this.#tell(application, application.deployments)
  }

  /**
   * Replicas of every application may have handles to the deployments of one, but for its other versions: those have their own; and to
   * one that handles do not reach, only its own replicas have any.
   */
  #tell(application: RunningApplication, deployments: readonly RunningDeployment[]): ObjectRef[] {
    const others = this.#versions.filter(({ name }) => name !== application.name)
    return deployments.flatMap(({ router }) => {
      const reached = findRouter(router.plan.key) === router
      return [application, ...(reached ? others : [])].flatMap((one) => one.tell(router))
    })
  }

  async shutdown(): Promise<void> {
    this.#draining = true
    const applications = this.#versions
    const patience = Math.max(0, ...applications.map(({ patience }) => patience))
    const end = performance.now() + patience
    const http = await this.#http?.catch(() => null)
    for (const application of applications) {
      application.drain()
      // Though others have more time.
      void application.endIfLate()
    }
    await http?.drain(patience)
    const left = Math.max(0, end - performance.now())
    await Promise.all(applications.map((application) => application.stop(left)))
    this.#applications.clear()
    this.#others.clear()
    await http?.close()
  }

  status(): ServeStatus {
    const others = [...this.#others]
    const applications = Object.fromEntries(
      [...this.#applications].map(([name, one]) => {
        const versions = others.filter((other) => other.name === name)
        return [name, versions.reduce((status, other) => joined(status, other.status()), one.status())]
      }),
    )
    return { url: this.#url, draining: this.#draining, applications }
  }
}

/** Of an application, with another version of it that begins or ends. */
function joined(status: ApplicationStatus, other: ApplicationStatus): ApplicationStatus {
  const deployments = { ...status.deployments }
  for (const [name, theirs] of Object.entries(other.deployments)) {
    const ours = deployments[name]
    if (!ours) deployments[name] = theirs
    else
      deployments[name] = {
        ...ours,
        status: theirs.replicas.STARTING > 0 ? 'UPDATING' : ours.status,
        replicas: sum(ours.replicas, theirs.replicas),
        ongoing: ours.ongoing + theirs.ongoing,
        queued: ours.queued + theirs.queued,
      }
  }
  return { ...status, status: other.status === 'DEPLOYING' ? other.status : status.status, deployments }
}

function sum(ours: DeploymentStatus['replicas'], theirs: DeploymentStatus['replicas']): DeploymentStatus['replicas'] {
  const { RUNNING, STARTING, STOPPING } = theirs
  return { RUNNING: ours.RUNNING + RUNNING, STARTING: ours.STARTING + STARTING, STOPPING: ours.STOPPING + STOPPING }
}
