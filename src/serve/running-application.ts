import { RayitoError } from '../core/errors.js'
import type { ObjectRef } from '../ray/index.js'
import { type Bound, boundOf } from './deployment.js'
import { makeHandle } from './handle.js'
import { routesOf, type ServedRoute } from './ingress.js'
import { rootMessage } from './root-message.js'
import type { Router } from './router.js'
import { findRouter } from './routers.js'
import { type Listener, RunningDeployment } from './running-deployment.js'
import type { ApplicationState, ApplicationStatus, DeploymentHandle } from './types.js'

/** An application that runs: the deployments of one `serve.run`. */
export class RunningApplication {
  readonly deployments: RunningDeployment[] = []
  readonly ingress: RunningDeployment
  readonly routes: readonly ServedRoute[]
  #state: ApplicationState = 'DEPLOYING'
  #message = ''
  #stopping: Promise<void> | null = null
  readonly #made = new Map<Bound, RunningDeployment>()
  readonly #names = new Map<string, number>()

  constructor(
    readonly name: string,
    readonly routePrefix: string,
    bound: Bound,
    private readonly listener: Listener,
  ) {
    this.ingress = this.#make(bound)
    this.routes = routesOf(bound.target)
  }

  /** The deployments that a bound one uses, then it. */
  #make(bound: Bound): RunningDeployment {
    const known = this.#made.get(bound)
    if (known) return known
    const args = bound.args.map((arg) => this.#argument(arg))
    const made = new RunningDeployment(this.name, this.#named(bound), args, this.listener)
    this.#made.set(bound, made)
    this.deployments.push(made)
    return made
  }

  #argument(value: unknown): unknown {
    const bound = boundOf(value)
    if (bound) {
      // Of this version, whichever runs.
      const { router } = this.#make(bound)
      return makeHandle(() => router, false, true)
    }
    if (Array.isArray(value)) return value.map((item) => this.#argument(item))
    if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.#argument(item)]))
  }

  /** Two deployments of one name are told apart, as Ray does it. */
  #named(bound: Bound): Bound {
    const { name } = bound.options
    const times = this.#names.get(name) ?? 0
    this.#names.set(name, times + 1)
    return times === 0 ? bound : bound.named(`${name}_${times}`)
  }

  /** @throws RayitoError SERVE_DEPLOY_FAILED (rejects); nothing is left of it then */
  async start(): Promise<void> {
    await Promise.all(this.deployments.map((deployment) => deployment.count()))
    for (const { title, target } of this.deployments)
      this.listener.event(
        'INFO',
        'controller',
        `Deploying new version of ${title} (initial target replicas: ${target}).`,
      )
    try {
      await Promise.all(this.deployments.map((deployment) => this.#startOne(deployment)))
      if (this.#state === 'DEPLOYING') this.#state = 'RUNNING'
    } catch (error) {
      if (this.#state === 'DEPLOYING') this.#state = 'DEPLOY_FAILED'
      this.#message = (error as Error).message
      await this.#stopAll(0)
      throw error
    }
  }

  async #startOne(deployment: RunningDeployment): Promise<void> {
    try {
      await deployment.start()
    } catch (cause) {
      throw new RayitoError(
        'SERVE_DEPLOY_FAILED',
        `Deployment ${deployment.name} of application '${this.name}' could not be started: ${rootMessage(cause).replace(/\.$/, '')}`,
        { cause },
      )
    }
  }

  /** A deployment's replicas have changed: the others may hold handles to it, whichever application is theirs. */
  tell({ state }: Router): ObjectRef<void>[] {
    return this.deployments.flatMap((deployment) => deployment.tell(state))
  }

  /** Whether requests of these routes are for its methods, too. */
  answers(routes: readonly ServedRoute[]): boolean {
    const methods = this.ingress.bound.target.prototype as Record<string, unknown>
    return routes.every(({ route }) => !('call' in route) || typeof methods[route.call] === 'function')
  }

  /** Handles reach its deployments from now on. */
  publish(): void {
    for (const deployment of this.deployments) deployment.publish()
  }

  /** All its replicas were ready once, and it is not being ended. */
  get runs(): boolean {
    return this.#state === 'RUNNING'
  }

  /** The same, and each deployment has one now. */
  get ready(): boolean {
    return this.runs && this.deployments.every(({ actors }) => actors.length > 0)
  }

  /** Requests may be sent to it: where the only replica has died, they wait for the next. */
  get accepts(): boolean {
    return this.runs && this.deployments.every(({ accepts }) => accepts)
  }

  get handle(): DeploymentHandle {
    const { router } = this.ingress
    return makeHandle(() => findRouter(router.plan.key) ?? router)
  }

  /** Milliseconds that its running requests may take to end when it is stopped. */
  get patience(): number {
    return Math.max(...this.deployments.map(({ bound }) => bound.options.gracefulShutdownTimeout))
  }

  get starts(): boolean {
    return this.#state === 'DEPLOYING'
  }

  /**
   * Resolves when it has ended, whoever has stopped it first.
   * @param within milliseconds that all its deployments together may take, each at most its own
   * @param next the version that goes on with what has not begun by then
   */
  stop(within = this.patience, next?: RunningApplication): Promise<void> {
    this.#state = 'DELETING'
    this.#stopping ??= this.#stopAll(within, next)
    return this.#stopping
  }

  /** The next version could not be started: this one goes on, and says so. @returns what is told of it */
  keeps(error: unknown): unknown {
    if (!(error instanceof RayitoError) || error.code !== 'SERVE_DEPLOY_FAILED' || !this.accepts) return error
    const { code, cause } = error
    this.#message = `${error.message}; the version before goes on`
    return new RayitoError(code, this.#message, { cause })
  }

  /** Whoever runs something is to end it soon: the application is about to stop. */
  drain(): void {
    for (const deployment of this.deployments) deployment.drain()
  }

  /** Its requests have no longer than the deployment gives them which answers; as long as that is idle, others may ask it yet. */
  async endIfLate(): Promise<void> {
    const { router, bound } = this.ingress
    if (!(await router.idle(bound.options.gracefulShutdownTimeout))) await this.ingress.stop(0)
  }

  async #stopAll(within: number, next?: RunningApplication): Promise<void> {
    this.drain()
    const end = performance.now() + within
    // What asks first: whoever is asked has nothing to do then.
    for (const deployment of [...this.deployments].reverse()) {
      const same = next?.deployments.find(({ name }) => name === deployment.name)
      const heir = deployment !== this.ingress ? same : next?.answers(this.routes) ? next.ingress : undefined
      await deployment.stop(Math.max(0, end - performance.now()), heir)
    }
  }

  status(): ApplicationStatus {
    const deployments = Object.fromEntries(this.deployments.map((one) => [one.name, one.status()]))
    const ill = Object.values(deployments).find(({ status }) => status === 'UNHEALTHY')
    const status = this.#state === 'RUNNING' && ill ? 'UNHEALTHY' : this.#state
    return { status, message: ill?.message || this.#message, routePrefix: this.routePrefix, deployments }
  }
}
