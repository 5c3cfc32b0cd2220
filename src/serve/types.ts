import type { ItemOf, MethodName, OrRef } from '../ray/types.js'
import type { HttpRequest } from './http-request.js'

/** How a deployment runs. Names and defaults are Ray Serve's; times are milliseconds, Infinity is without limit. */
export interface DeploymentOptions<C = unknown> {
  /** What it is called in the status, logs and metrics. @default the class's name; `Deployment` if it has none */
  name?: string | undefined
  /** How many replicas, each an actor with a thread of its own; 'auto' is one a processor, or one a CPU of a cluster. @default 1 */
  numReplicas?: number | 'auto' | undefined
  /** Requests that one replica runs at once. @default 5 */
  maxOngoingRequests?: number | undefined
  /** Requests that may wait where they are sent from; further ones are refused (HTTP: 503). −1: without end. @default -1 */
  maxQueuedRequests?: number | undefined
  /** Milliseconds between two calls of a replica's `checkHealth()`. @default 10_000 */
  healthCheckPeriod?: number | undefined
  /** Milliseconds that it may take. @default 30_000 */
  healthCheckTimeout?: number | undefined
  /** Milliseconds that running requests may take to end when a replica is stopped. @default 20_000 */
  gracefulShutdownTimeout?: number | undefined
  /** Given to each replica's `reconfigure(userConfig)` after its constructor. @default none */
  userConfig?: C | undefined
}

/** Methods that a replica's class may have beside its own. */
export interface ReplicaHooks {
  /** What a handle's `remote(…)` calls: Python's `__call__`. Without `serve.ingress` it is given every request, too. */
  call?(...args: never[]): unknown
  /** Takes `userConfig`. A replica is ready only after it. */
  reconfigure?(userConfig: never): unknown
  /**
   * Throws or rejects when the replica is unusable. The first call is the wait for what the constructor began to load: a
   * replica is ready when it resolved, however long it takes.
   */
  checkHealth?(): unknown
}

/**
 * What a handle's call gives: a promise of the answer that can be cancelled. It rejects with a RayTaskError, whose `cause` is what the
 * method threw. What nobody listened to is told on stderr when the session ends.
 */
export interface DeploymentResponse<R> extends Promise<R> {
  /**
   * Takes a waiting call out of the queue; a running one is told by its signal (`ray.getRuntimeContext().signal`), and those that it
   * made are cancelled, as are the tasks and actors' calls that it has begun. The promise rejects with SERVE_CANCELLED.
   */
  cancel(): void
}

/**
 * What a call gives whose handle streams: the values of the deployment's generator, as they come. Leaving the loop cancels
 * the call. It counts as ongoing until it has been read to its end, or was left or cancelled.
 */
export interface DeploymentResponseGenerator<T> extends AsyncIterableIterator<T> {
  /** Rejects with what the generator threw, or with SERVE_CANCELLED: half an answer does not look whole. */
  next(): Promise<IteratorResult<T, undefined>>
  /** What leaving a loop calls: cancels the call. */
  return(): Promise<IteratorResult<T, undefined>>
  /** Nobody wants further values: a waiting call leaves the queue, a running one is told by its signal. */
  cancel(): void
}

/** What a call takes: values, or refs and other calls' answers, which it waits for (those inside of lists and objects it does not). */
export type HandleArgs<A extends readonly unknown[]> = {
  [K in keyof A]: OrRef<A[K]> | DeploymentResponse<Awaited<A[K]>>
}

/** A method of a deployment, called through its handle. */
export interface DeploymentMethod<A extends readonly unknown[], R> {
  /**
   * Calls the method on the replica that has least to do of two. Tried once more on another if the replica dies.
   * @throws RayitoError SERVE_BACK_PRESSURE where `maxQueuedRequests` wait already; SERVE_STOPPED
   */
  remote(...args: HandleArgs<A>): DeploymentResponse<R>
}

/** Only for the compiler: which class a handle or an application is of. */
declare const deployment: unique symbol

/**
 * A way to a deployment's replicas: its methods, each with `.remote()`, and `.remote()` for `call`. As of an actor's handle, methods
 * called `then`, `catch`, `finally`, `toJSON`, `inspect` or `asymmetricMatch` are not among them.
 */
export type DeploymentHandle<T extends object = object> = {
  readonly [K in keyof T as MethodName<T, K>]: T[K] extends (...args: infer A) => infer R
    ? DeploymentMethod<A, Awaited<R>>
    : never
} & {
  /** Calls `call(…)`; unknown where the class is not known to have it. */
  readonly remote: T extends { call(...args: infer A): infer R }
    ? (...args: HandleArgs<A>) => DeploymentResponse<Awaited<R>>
    : NoCall<T>
  /** The same replicas, called in another way. */
  options(options: HandleOptions & { stream: true }): StreamingHandle<T>
  options(options: HandleOptions): DeploymentHandle<T>
} & { readonly [deployment]: T }

/** What is known of `remote` where the class is not known to have `call`; `any` has whatever is asked of it. */
type NoCall<T> = unknown extends T ? never : unknown

/** How a handle calls. */
export interface HandleOptions {
  /** Calls give what generators yield, value by value, as an async iterable. @default false */
  stream?: boolean | undefined
}

/** A handle whose calls give the values of the deployment's generators. */
export type StreamingHandle<T extends object = object> = {
  readonly [K in keyof T as MethodName<T, K>]: T[K] extends (...args: infer A) => infer R
    ? { remote(...args: HandleArgs<A>): DeploymentResponseGenerator<ItemOf<Awaited<R>>> }
    : never
} & {
  /** Calls `call(…)`, a generator. */
  readonly remote: T extends { call(...args: infer A): infer R }
    ? (...args: HandleArgs<A>) => DeploymentResponseGenerator<ItemOf<Awaited<R>>>
    : NoCall<T>
} & { readonly [deployment]: T }

/** A deployment with its constructor's arguments: what `serve.run` takes, or another deployment's `bind`. */
export interface Application<T extends object = object> {
  readonly [deployment]: T
}

/** What `bind` takes for a constructor's arguments: an application where the constructor takes a handle to it, in lists and objects too. */
export type BindArgs<A extends readonly unknown[]> = { [K in keyof A]: BindArg<A[K]> }
type BindArg<X> =
  X extends DeploymentHandle<infer T> ? Application<T> : [keyof X] extends [never] ? X : X | BindParts<X>
/** Of a list or an object; what has no parts, as a function, stands for itself. */
type BindParts<X> = X extends object ? { [K in keyof X]: BindArg<X[K]> } : never

/** A class to be served: `.bind(…)` gives it its arguments. */
export interface Deployment<A extends readonly unknown[], T extends object> {
  readonly name: string
  /** The same deployment with other options. */
  options(options: DeploymentOptions<ConfigOf<T>>): Deployment<A, T>
  /** Applications among the arguments are deployed too, and arrive in the constructor as handles. */
  bind(...args: BindArgs<A>): Application<T>
}

/** What a class's `reconfigure` takes. */
export type ConfigOf<T> = T extends { reconfigure(userConfig: infer C): unknown } ? C : undefined

/** `'POST /whatis'`; a path may have parameters, `/items/:id`. */
export type RouteName = `${'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'} /${string}`

/** A request as a method may take it: what its body is, which nobody checks, the method may say itself. */
// biome-ignore lint/suspicious/noExplicitAny: a method's own type of the body is neither wider nor narrower than unknown
type AnyRequest = HttpRequest & { readonly body: any }

/** Names of the methods that can answer a request. */
export type Answering<T> = {
  [K in keyof T]: T[K] extends (request: AnyRequest) => unknown ? K : never
}[keyof T] &
  string

/** A route with what its documentation says and what is checked before a replica sees it. */
export interface Route<T> {
  /** The method that answers; what it returns is sent as JSON (typed arrays as lists), unless it is bytes or an HttpResponse. */
  call: Answering<T>
  /** The field of a multipart form that must hold a file; without it 422. */
  file?: string | undefined
  /** Bytes a body may have; more is a 413. @default 10 MiB */
  maxBytes?: number | undefined
  /** What it does, in a line, for the documentation. */
  summary?: string | undefined
  /** Other answers than 200, for the documentation. */
  responses?: Readonly<Record<number, string>> | undefined
  /** Parameters after the `?`, for the documentation. */
  query?: Readonly<Record<string, string>> | undefined
  /** What a body of JSON looks like, for the documentation: a JSON schema. */
  body?: object | undefined
  /** What a 200 looks like, for the documentation: a JSON schema. */
  answer?: object | undefined
  /**
   * The field of an error's body that says what was wrong, whoever refuses. FastAPI's may hold lists; any other holds a text, and a
   * body that is no JSON is 400 then instead of 422. @default 'detail'
   */
  errorKey?: string | undefined
  /** What the other answers look like, for the documentation: a JSON schema. @default an object with `errorKey` */
  error?: object | undefined
}

/** A page that the HTTP thread answers by itself, with security headers; it may ask only this server. */
export interface Page {
  /**
   * The whole page; a function is called once, when it is first asked for, with the way from there to the server's own pages: `''`,
   * or `'../'` for an application below a prefix.
   */
  html: string | ((root: string) => string)
  /** @default its own scripts and styles, this server, and nothing else */
  contentSecurityPolicy?: (() => string) | undefined
}

/** What answers which request: a method by its name, a route with more to say, or a page. */
export type Routes<T> = { readonly [name in RouteName]?: Answering<T> | Route<T> | Page | undefined }

/** What `serve.run` may be told. */
export interface RunOptions {
  /**
   * The application's name. Another run with it replaces the first, which answers until all replicas of the next are ready, then ends
   * what it was asked (`gracefulShutdownTimeout`); the run resolves when it has. It goes on if the next cannot be started. Both need
   * their memory meanwhile (where Ray replaces replica by replica): `serve.delete` first if that, or what only one can hold, as a
   * port, is too little for two. @default 'default'
   */
  name?: string | undefined
  /** Where its routes begin. A path is that application's whose prefix is the longest. @default '/' */
  routePrefix?: string | undefined
  /**
   * The address that is listened on. Only the first run decides of it, as of `port`, `requestTimeout` and `log`: one that is given others
   * hears a WARNING, without `onEvent` on stderr. @default '127.0.0.1'
   */
  host?: string | undefined
  /** 0 for a free one; null for no socket at all (`serve.fetch` answers). Only the first run decides. @default 8000 */
  port?: number | null | undefined
  /**
   * Milliseconds from a request's arrival to its answer before it gets 408; of an answer that comes piece by piece, to its first
   * piece: what follows may take as long as it likes, but a client that takes nothing of what it is sent for so long counts as one
   * that left. Infinity: never. Only the first run decides. @default 60_000
   */
  requestTimeout?: number | undefined
  /**
   * A JSON line for each request: to stdout, or to what has `write`. Without it only failures of the server are told, on
   * stderr. Only the first run decides. @default false
   */
  log?: boolean | { write(line: string): void } | undefined
  /** Is told what happens, in Ray's words. @default nobody */
  onEvent?: ((event: ServeEvent) => void) | undefined
}

/** How values are gathered into batches. Names and defaults are Ray Serve's; times are milliseconds. */
export interface BatchOptions<T> {
  /**
   * The largest batch. A replica never has more values at once than its deployment's `maxOngoingRequests` (5), which must be
   * at least this, times `maxConcurrentBatches`: a batch waits for the others in vain otherwise. @default 10
   */
  maxBatchSize?: number | undefined
  /** Milliseconds that the first value waits for others. @default 10 */
  batchWaitTimeout?: number | undefined
  /** Batches that run at once; while they do, the next one fills up. @default 1 */
  maxConcurrentBatches?: number | undefined
  /** The size of a batch of these values, where it is not their number: their words, their pixels. @default their number */
  batchSizeFn?: ((values: T[]) => number) | undefined
}

/** What `serve.batch` makes: takes one value and answers one, and works on several at a time. */
export interface Batched<T, R> {
  (value: T): Promise<R>
  /** Holds for the next batch on. */
  setMaxBatchSize(maxBatchSize: number): void
  /** In milliseconds; holds for the next batch on. */
  setBatchWaitTimeout(batchWaitTimeout: number): void
}

/** Without errors, with which callers reject; a record of name and message is none. */
export type BatchAnswer<R> = R extends Error ? ('stack' extends keyof R ? never : R) : R

/** A line of what happens: `controller`, `Adding 2 replicas to Deployment(name='A', app='default').` */
export interface ServeEvent {
  level: 'INFO' | 'WARNING' | 'ERROR'
  source: 'proxy' | 'serve' | 'controller'
  message: string
}

/** Ray Serve's words for how an application is. */
export type ApplicationState = 'DEPLOYING' | 'RUNNING' | 'UNHEALTHY' | 'DEPLOY_FAILED' | 'DELETING'
/** Ray Serve's words for how a deployment is. */
export type DeploymentState = 'UPDATING' | 'HEALTHY' | 'UNHEALTHY'

/** How a deployment and its replicas are. */
export interface DeploymentStatus {
  status: DeploymentState
  /** Why, if it is not healthy. */
  message: string
  /** Of both versions while one takes the other's place. */
  replicas: { RUNNING: number; STARTING: number; STOPPING: number }
  /** Requests that run, as far as this thread sends them. */
  ongoing: number
  /** Those that wait for a replica. */
  queued: number
  /** Replicas that were replaced. */
  restarts: number
}

/** How an application is; its deployments by their names. */
export interface ApplicationStatus {
  /** DEPLOYING while a next version starts, too: the one before answers. */
  status: ApplicationState
  message: string
  /** Where its routes begin. */
  routePrefix: string
  deployments: Record<string, DeploymentStatus>
}

/** What `serve.status()` tells; applications by their names. */
export interface ServeStatus {
  /** Where HTTP is answered; null without a socket. */
  url: string | null
  /** It is being shut down: running requests are answered, new ones get 503. */
  draining: boolean
  applications: Record<string, ApplicationStatus>
}
