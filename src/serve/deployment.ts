import { inspect } from 'node:util'
import { expected, RayitoError } from '../core/errors.js'
import { defined } from '../core/options.js'
import { COPY, otherCopy, THIS_COPY } from '../core/travel.js'
import { callSite } from '../ray/code/index.js'
import { REMOTE } from '../ray/code/modules.js'
import { checkDeploymentOptions, type FilledDeployment, fillDeployment } from './options.js'
import type { Application, ConfigOf, Deployment, DeploymentOptions } from './types.js'

type AnyClass = new (...args: never[]) => object

/** A class with its options, as `serve.deployment` makes it. Carries its class as what `ray.remote` makes does. */
class ServedClass {
  readonly [REMOTE]: AnyClass
  readonly name: string
  readonly #options: DeploymentOptions
  readonly #site: string | undefined

  constructor(target: AnyClass, options: DeploymentOptions, site: string | undefined) {
    checkDeploymentOptions(options)
    this[REMOTE] = target
    this.#options = options
    this.#site = site
    // A bundler that minifies takes the names of class expressions away.
    this.name = options.name ?? (target.name || 'Deployment')
  }

  get [COPY](): object {
    return THIS_COPY
  }

  options(options: DeploymentOptions): ServedClass {
    return new ServedClass(this[REMOTE], { ...this.#options, ...defined(options) }, this.#site)
  }

  bind(...args: unknown[]): Bound {
    return new Bound(this[REMOTE], args, fillDeployment(this.#options, this.name), this.#site)
  }

  toString(): string {
    return `Deployment(${this.name})`
  }

  [inspect.custom](): string {
    return String(this)
  }
}

/** A deployment with its arguments. */
export class Bound {
  constructor(
    readonly target: AnyClass,
    readonly args: readonly unknown[],
    readonly options: FilledDeployment,
    /** URL of the module that may export the class. */
    readonly site: string | undefined,
  ) {}

  get [COPY](): object {
    return THIS_COPY
  }

  /** The same with another number of replicas. @throws RayitoError INVALID_ARGUMENT */
  scaled(numReplicas: number | 'auto'): Bound {
    checkDeploymentOptions({ numReplicas })
    return this.#with({ numReplicas })
  }

  /** The same under another name. */
  named(name: string): Bound {
    return this.#with({ name })
  }

  #with(options: Partial<FilledDeployment>): Bound {
    return new Bound(this.target, this.args, { ...this.options, ...options }, this.site)
  }

  toString(): string {
    return `Application(${this.options.name})`
  }

  [inspect.custom](): string {
    return String(this)
  }
}

/**
 * Makes a class a deployment: Ray's `@serve.deployment`. Nothing runs before `serve.run(deployment.bind(…))`.
 * @param type its methods answer requests; each replica is one instance, in a thread of its own
 */
export function deployment<A extends readonly unknown[], T extends object>(
  type: new (...args: A) => T,
  options: DeploymentOptions<ConfigOf<T>> = {},
): Deployment<A, T> {
  if (typeof type !== 'function' || !/^class\b/.test(Function.prototype.toString.call(type)))
    expected('Class', 'a class', type)
  return new ServedClass(type as unknown as AnyClass, options, callSite()) as unknown as Deployment<A, T>
}

/** The deployment behind an application, or null. */
export function boundOf(candidate: unknown): Bound | null {
  return candidate instanceof Bound ? candidate : null
}

export function checkApplication(app: Application): Bound {
  const bound = boundOf(app)
  if (bound) return bound
  if (app instanceof ServedClass)
    throw new RayitoError('INVALID_ARGUMENT', `${app.name} is a deployment without its arguments`, {
      remedy: `Give serve.run ${app.name}.bind(…).`,
    })
  return expected('app', 'an application, made by deployment.bind(…)', app, otherCopy(app))
}
