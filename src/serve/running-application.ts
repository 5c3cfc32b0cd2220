import { RayitoError } from '../core/errors.js'
import { type Bound, boundOf } from './deployment.js'
import { makeHandle } from './handle.js'
import { routesOf, type ServedRoute } from './ingress.js'
import type { Router } from './router.js'
import { type Listener, RunningDeployment, rootMessage } from './running-deployment.js'
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
    if (bound) return makeHandle(this.#make(bound).router)
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
  tell(changed: Router): void {
    for (const deployment of this.deployments) if (deployment.router !== changed) deployment.tell(changed)
  }

  /** All its replicas were ready once, and each deployment has one now. */
  get ready(): boolean {
    return this.#state === 'RUNNING' && this.deployments.every(({ actors }) => actors.length > 0)
  }

  /** Requests may be sent to it: where the only replica has died, they wait for the next. */
  get accepts(): boolean {
    return this.#state === 'RUNNING' && this.deployments.every(({ accepts }) => accepts)
  }

  get routers(): Router[] {
    return this.deployments.map(({ router }) => router)
  }

  get handle(): DeploymentHandle {
    return makeHandle(this.ingress.router)
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
   */
  stop(within = this.patience): Promise<void> {
    this.#state = 'DELETING'
    this.#stopping ??= this.#stopAll(within)
    return this.#stopping
  }

  /** Whoever runs something is to end it soon: the application is about to stop. */
  drain(): void {
    for (const deployment of this.deployments) deployment.drain()
  }

  async #stopAll(within: number): Promise<void> {
    this.drain()
    const end = performance.now() + within
    // What asks first: whoever is asked has nothing to do then.
    for (const deployment of [...this.deployments].reverse())
      await deployment.stop(Math.max(0, end - performance.now()))
  }

  status(): ApplicationStatus {
    const deployments = Object.fromEntries(this.deployments.map((one) => [one.name, one.status()]))
    const ill = Object.values(deployments).find(({ status }) => status === 'UNHEALTHY')
    const status = this.#state === 'RUNNING' && ill ? 'UNHEALTHY' : this.#state
    return { status, message: this.#message || (ill?.message ?? ''), routePrefix: this.routePrefix, deployments }
  }
}
