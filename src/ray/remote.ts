import { types } from 'node:util'
import { expected, RayitoError } from '../core/errors.js'
import { defined } from '../core/options.js'
import { offer, serialize, via } from '../core/travel.js'
import { callSite, nameOf } from './code/index.js'
import { REMOTE } from './code/modules.js'
import { RemoteDefinition } from './definition.js'
import { makeHandle } from './handle.js'
import { returned, streaming } from './object-ref-generator.js'
import { checkActorOptions, checkTaskOptions } from './options.js'
import { runtime } from './runtime.js'
import type {
  ActorClass,
  ActorOptions,
  ItemOf,
  MultiRemoteOf,
  RemoteGenerator,
  RemoteOf,
  TaskOptions,
} from './types.js'

type AnyFunction = (...args: never[]) => unknown
type AnyClass = abstract new (...args: never[]) => object

/**
 * Makes a function run on workers, or a class an actor: Ray's `@ray.remote`.
 * A function of a module travels as the module and its export; one of a notebook cell or of the program's first file, or
 * that its module does not export, by its source, with the values that it uses from around it, as they are at its first
 * call (where an object has a getter, what that gives). What is of a module into which nothing has looked yet is only taken
 * when the caller has come to an await.
 *
 * A class that several functions use is one class in each worker: its statics are as they were when the first of these functions came
 * there, and as that worker has changed them since. An object that is imported by name is the one of the worker's own module, as the
 * module makes it, so that functions of that module see the same; what is to be told to workers is an argument.
 *
 * A generator (`function*`, `async function*`) gives the refs of its values as they come; a function that returns another's iterator wants
 * `numReturns: 'streaming'` for that. Called directly, a remote function or class throws: use `.remote()`.
 */
export function remote<A extends readonly unknown[], T extends object>(
  type: new (...args: A) => T,
  options?: ActorOptions,
): ActorClass<A, T>
export function remote<A extends readonly unknown[], R, const N extends number>(
  fn: (...args: A) => R,
  options: TaskOptions & { numReturns: N },
): MultiRemoteOf<A, R, N>
export function remote<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: TaskOptions & { numReturns: 'streaming' },
): RemoteGenerator<A, ItemOf<Awaited<R>>>
export function remote<A extends readonly unknown[], R>(fn: (...args: A) => R, options?: TaskOptions): RemoteOf<A, R>
export function remote(target: AnyFunction | AnyClass, options: TaskOptions & ActorOptions = {}): unknown {
  if (typeof target !== 'function') expected('fn', 'a function or a class', target)
  if (REMOTE in target)
    throw new RayitoError('RAY_MISUSE', `${target.name} is remote already`, {
      remedy: 'Call its .remote() or .options().',
    })
  const definition = new RemoteDefinition(target as AnyFunction, callSite())
  return isClass(target) ? actorClass(definition, options) : remoteFunction(definition, options)
}

/**
 * An actor class that is called something else in logs and errors.
 * @param site URL of the module that exports the class
 * @internal
 */
export function remoteAs<A extends readonly unknown[], T extends object>(
  type: new (...args: A) => T,
  site: string,
  name: string,
  options: ActorOptions,
): ActorClass<A, T> {
  const definition = new RemoteDefinition(type as unknown as AnyFunction, site, name)
  return actorClass(definition, options) as ActorClass<A, T>
}

function remoteFunction(definition: RemoteDefinition, options: TaskOptions): unknown {
  checkTaskOptions(options)
  const call = streaming(options, types.isGeneratorFunction(definition.target))
  return dressed(definition, options, 'and ray.get of what it returns', {
    remote: (...args: unknown[]) => {
      const session = runtime()
      return returned(session.submit(definition, args, call), call, session)
    },
    options: (more: TaskOptions) => remoteFunction(definition, { ...options, ...defined(more) }),
  })
}

function actorClass(definition: RemoteDefinition, options: ActorOptions): unknown {
  checkActorOptions(options)
  return dressed(definition, options, 'for a handle of the actor', {
    remote: (...args: unknown[]) => makeHandle(runtime().createActor(definition, args, options)),
    options: (more: ActorOptions) => actorClass(definition, { ...options, ...defined(more) }),
  })
}

/** A function that only says how it is to be called, with the methods on it. */
function dressed(definition: RemoteDefinition, options: object, then: string, methods: object): unknown {
  const { name, target } = definition
  const shown = nameOf(target) ? name : `\`${name}\``
  const call = nameOf(target) ? `${name}.remote(…)` : 'its .remote(…)'
  const direct = function direct(): never {
    throw new RayitoError('RAY_MISUSE', `${shown} is remote and cannot be called directly`, {
      remedy: `Call ${call} ${then}.`,
    })
  }
  Object.defineProperty(direct, 'name', { value: name })
  Object.defineProperty(direct, REMOTE, { value: target })
  const travel = () => via(import.meta.url, 'remoteAgain', { target, options })
  Object.defineProperty(direct, serialize, { value: travel })
  return Object.assign(direct, methods)
}

/** What is remote stays so in another thread. @internal */
export function remoteAgain({ target, options }: { target: AnyFunction; options: TaskOptions }): unknown {
  return remote(target, options)
}

offer(remoteAgain)

function isClass(target: AnyFunction | AnyClass): target is AnyClass {
  // A method may be called so, but makes no objects.
  return /^class\b/.test(Function.prototype.toString.call(target)) && Object.hasOwn(target, 'prototype')
}
