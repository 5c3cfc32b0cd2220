import type { ObjectRef } from './object-ref.js'
import type { ObjectRefGenerator } from './object-ref-generator.js'
import type { ItemOf, Returned, Yielding } from './returns.js'

export type * from './figures.js'
export type * from './returns.js'

/** Ray's session options. */
export interface InitOptions {
  /**
   * CPUs that tasks may take together: so many workers run tasks that take one each, and more those that take less.
   * @default the cores of the machine (os.availableParallelism)
   */
  numCpus?: number | undefined
  /**
   * Where the work runs: 'local' for workers of this machine, `nats://host:4222` for the machines of a cluster
   * (`nats://user:password@host:4222`, `nats://token@host:4222`, `tls://…`; NATS_CREDS names a file of credentials),
   * with commas between them where its server is several.
   * @default RAY_ADDRESS, else 'local'
   */
  address?: string | undefined
  /**
   * What runs the work on this machine: threads share memory with this process and cost least; processes may crash without
   * taking it along, and copy bytes.
   * @default 'threads'
   */
  workers?: 'threads' | 'processes' | undefined
  /**
   * Bytes of shared memory that objects may take before `put` throws an ObjectStoreFullError: what was put, and results of calls,
   * as long as there are refs to them (of each, arrays and buffers from 4 KiB up). A ref that a worker had counts until that one
   * collects its garbage, a result for the turn in which it came; `ray.free` lets go at once. A result is never refused, since it is
   * there already; Ray would write objects to the disk.
   * @default 30 % of the machine's memory, as Ray's
   */
  objectStoreMemory?: number | undefined
  /**
   * Limits of each worker's heap, as node:worker_threads has them (megabytes). One that is reached is an OutOfMemoryError; but V8 ends the
   * whole process where a thread's is passed by much at once, as by an array that grows, or lies beyond 3 GB: see `workers`.
   * No worker starts with a stack below 0.3.
   * @default Node's own
   */
  resourceLimits?:
    | {
        maxOldGenerationSizeMb?: number | undefined
        maxYoungGenerationSizeMb?: number | undefined
        stackSizeMb?: number | undefined
      }
    | undefined
  /** Whether what workers print appears here, tagged with who printed it. @default true */
  logToDriver?: boolean | undefined
  /** The namespace of this session's named actors. @default '' */
  namespace?: string | undefined
  /**
   * What is kept for `ray.timeline()` and the percentiles of `ray.summary()`: the newest so many calls, and as many spans
   * (80 bytes a call); true for the default, false for nothing.
   * @default 10_000
   */
  timeline?: boolean | number | undefined
}

/** How one call, or every call, of a remote function runs. Names and defaults are Ray's. */
export interface TaskOptions {
  /** What the task is called in errors, logs and statistics. @default the function's name */
  name?: string | undefined
  /** CPUs held while it runs; may be a fraction. @default 1 */
  numCpus?: number | undefined
  /**
   * How often it runs again when its worker dies; −1 for ever. On threads a further try gets bytes (arrays and buffers from 4 KiB up) as
   * the one before left them: do not write into them. @default 3
   */
  maxRetries?: number | undefined
  /** Whether an exception is retried too (up to maxRetries): all, or instances of the classes named; bytes as there. @default false */
  retryExceptions?: boolean | readonly ErrorClass[] | undefined
  /** Milliseconds it may run before it is ended with a TaskTimeoutError. @default none */
  timeout?: number | undefined
  /**
   * Number of values it returns: with 1 `.remote()` gives one ref of all that it returns, with more an array of refs, one for each
   * element of the array (or other iterable) that it returns; of a generator the first so many, after which it is ended
   * (where it throws before that, or ends, those that are missing fail). 'streaming': what it yields comes as refs, one by one.
   * @default 1, of a generator 'streaming'
   */
  numReturns?: number | 'streaming' | undefined
  /** Of a generator: values that may lie untaken before it pauses; it keeps its CPUs meanwhile, as Ray's does. @default no limit */
  generatorBackpressureNumObjects?: number | undefined
}

/** How an actor lives. Names and defaults are Ray's. */
export interface ActorOptions {
  /** A name that ray.getActor finds. Of one that is taken `.remote()` throws an ActorNameError, or (another program's, on a cluster) its calls reject with it. @default none */
  name?: string | undefined
  /** @default the session's namespace */
  namespace?: string | undefined
  /** With a name that is taken: returns that actor instead of an error; only with a name. @default false */
  getIfExists?: boolean | undefined
  /**
   * CPUs that it holds as long as it lives, and waits for until they are free; 0: it is placed at once and holds none.
   * @default it waits until one is free, and holds none
   */
  numCpus?: number | undefined
  /**
   * How often it starts again (constructor included) when its worker dies, of process.exit() too; −1 for ever. Who wants it to end for
   * good calls ray.kill, in itself with `ray.getRuntimeContext().currentActor`. @default 0
   */
  maxRestarts?: number | undefined
  /** How often a call that its worker's death interrupted runs again; −1 for ever. @default 0 */
  maxTaskRetries?: number | undefined
  /**
   * Calls that may run at once (methods that await give way to each other). With 1, one that waits for another call of its actor waits
   * for ever; Ray's async actors run 1,000. @default 1
   */
  maxConcurrency?: number | undefined
  /** 'detached' outlives its handles. @default null: ends when its last handle is garbage, one with a name when the session does */
  lifetime?: 'detached' | null | undefined
}

/** How one call of an actor's method runs. */
export interface MethodOptions {
  /** @default Class.method */
  name?: string | undefined
  /** @default the actor's maxTaskRetries */
  maxTaskRetries?: number | undefined
  /** @default false */
  retryExceptions?: boolean | readonly ErrorClass[] | undefined
  /** Milliseconds it may run before the call rejects with a TaskTimeoutError. @default none */
  timeout?: number | undefined
  /** As of a task. @default 1, of a generator 'streaming' */
  numReturns?: number | 'streaming' | undefined
  /** Of a generator: values that may lie untaken before it pauses. @default no limit */
  generatorBackpressureNumObjects?: number | undefined
}

/** A class of errors, to name in `retryExceptions`. */
export type ErrorClass = abstract new (...args: never[]) => Error

/** What getting a ref gives. */
export type ValueOf<R> = R extends ObjectRef<infer T> ? T : never
/** What getting a ref, or a list of them, gives. */
export type ValuesOf<R> = R extends readonly unknown[] ? { -readonly [K in keyof R]: ValueOf<R[K]> } : ValueOf<R>

/**
 * Whether T is, or may be, a ref. No of `any`, as which the compiler takes a T that is still open when it compares this: so a
 * generic function can pass on what it was given.
 */
type HasRef<T> = [0] extends [1 & T] ? false : [Extract<T, ObjectRef<unknown>>] extends [never] ? false : true

/** A value that is no ref. */
export type NoRef<T> = [HasRef<T>] extends [true] ? never : T

/**
 * A value, or a ref to one: what a top-level argument may be. A ref itself can only be passed inside something (`[ref]`): at
 * the top its value arrives.
 */
export type OrRef<T> = ([HasRef<T>] extends [true] ? Exclude<T, ObjectRef<unknown>> : T) | ObjectRef<T>
/** The arguments of `.remote()`: each a value, or a ref to one. */
export type RemoteArgs<A extends readonly unknown[]> = { [K in keyof A]: OrRef<A[K]> }

/** What `ray.remote(fn)` gives: `fn.remote(...args)` runs it on a worker and returns a ref at once. */
export interface RemoteFunction<A extends readonly unknown[], R> {
  /** Sends one call. Arguments are checked first: what cannot cross throws a NotSerializableError that names it. */
  remote(...args: RemoteArgs<A>): ObjectRef<R>
  /** The same function with other options. */
  options<const N extends number>(options: TaskOptions & { numReturns: N }): MultiRemoteFunction<A, R, N>
  options(options: TaskOptions & { numReturns: 'streaming' }): RemoteGenerator<A, ItemOf<R>>
  options(options: TaskOptions): RemoteFunction<A, R>
}

/**
 * R, if it is what a generator may say that it returns; else unknown. When it runs, only a function* is one: of what can be iterated
 * otherwise, as a Dataset, a function returns one value.
 */
type OfGenerator<R> = [AnyGenerator] extends [R] ? R : [AnyAsyncGenerator] extends [R] ? R : unknown
// biome-ignore lint/suspicious/noExplicitAny: whatever it is given
type AnyGenerator = Generator<never, never, any>
// biome-ignore lint/suspicious/noExplicitAny: the same
type AnyAsyncGenerator = AsyncGenerator<never, never, any>
/** One for a generator; the other for what returns anything else, `any` or nothing ever. */
type Choice<R, Plain, Generator> = 0 extends 1 & R
  ? Plain
  : [R] extends [never]
    ? Plain
    : [Generator] extends [never]
      ? Plain
      : Generator
/** What `ray.remote` of a generator gives: `.remote(...args)` runs it on a worker and returns the refs of what it yields, as they come. */
export interface RemoteGenerator<A extends readonly unknown[], T> {
  /** Sends one call and returns the refs of what it yields, for `for await`, as they come. Arguments are checked as those of a function. */
  remote(...args: RemoteArgs<A>): ObjectRefGenerator<T>
  /**
   * The same generator with other options. With a number of values, from 2 and up, the call returns as many refs at once, as of a function
   * that returns an array.
   */
  options<const N extends number>(options: TaskOptions & { numReturns: N }): MultiRemoteFunction<A, Gathered<T, N>, N>
  options(options: TaskOptions): RemoteGenerator<A, T>
}

/** A function as `ray.remote` makes it. */
export type RemoteOf<A extends readonly unknown[], R> = Choice<
  R,
  RemoteFunction<A, Awaited<R>>,
  [OfGenerator<R>] extends [Yielding<infer T>] ? RemoteGenerator<A, T> : never
>

/** The same of `ray.remote` with a number of returns. */
export type MultiRemoteOf<A extends readonly unknown[], R, N extends number> = Choice<
  R,
  MultiRemoteFunction<A, Awaited<R>, N>,
  [OfGenerator<R>] extends [Yielding<infer T>] ? MultiRemoteFunction<A, Gathered<T, N>, N> : never
>

/** What a generator yields, as an array; as one value the generator itself cannot travel. */
type Gathered<T, N extends number> = N extends 1 ? never : T[]

/** A remote function with numReturns: from 2 on `.remote()` gives a ref for each value. */
export interface MultiRemoteFunction<A extends readonly unknown[], R, N extends number = number> {
  /** Sends one call and returns a ref for each value at once. Arguments are checked as those of a function. */
  remote(...args: RemoteArgs<A>): Returned<R, N>
  /** The same function with other options. */
  options<const M extends number>(options: TaskOptions & { numReturns: M }): MultiRemoteFunction<A, R, M>
  options(options: TaskOptions & { numReturns: 'streaming' }): RemoteGenerator<A, ItemOf<R>>
  options(options: TaskOptions): MultiRemoteFunction<A, R, N>
}

/** What `ray.remote(Class)` gives: `Class.remote(...args)` makes an actor. */
export interface ActorClass<A extends readonly unknown[], T extends object> {
  /** Makes an actor in a worker of its own and returns a handle at once; a constructor that throws shows in its calls. */
  remote(...args: RemoteArgs<A>): ActorHandle<T>
  /** The same class with other options. */
  options(options: ActorOptions): ActorClass<A, T>
}

/** A method of an actor, called through its handle. */
export interface ActorMethod<A extends readonly unknown[], R> {
  /** Calls the method on the actor, in the order of the calls. */
  remote(...args: RemoteArgs<A>): ObjectRef<R>
  /** The same method with other options. */
  options<const N extends number>(
    options: MethodOptions & { numReturns: N },
  ): {
    remote(...args: RemoteArgs<A>): Returned<R, N>
  }
  options(options: MethodOptions & { numReturns: 'streaming' }): ActorGenerator<A, ItemOf<R>>
  options(options: MethodOptions): ActorMethod<A, R>
}

/** A method that is a generator. */
export interface ActorGenerator<A extends readonly unknown[], T> {
  /** Calls the method in the order of the calls; it holds the actor until it ends, and the refs come as it yields. */
  remote(...args: RemoteArgs<A>): ObjectRefGenerator<T>
  /** The same method with other options. */
  options<const N extends number>(
    options: MethodOptions & { numReturns: N },
  ): {
    remote(...args: RemoteArgs<A>): Returned<Gathered<T, N>, N>
  }
  options(options: MethodOptions): ActorGenerator<A, T>
}

type MethodOf<A extends readonly unknown[], R> = Choice<
  R,
  ActorMethod<A, Awaited<R>>,
  [OfGenerator<R>] extends [Yielding<infer T>] ? ActorGenerator<A, T> : never
>

/** Names that a handle does not answer to, so that nobody takes it for a promise, or asks it what to print, write or compare. */
export type NotMethod = 'then' | 'catch' | 'finally' | 'toJSON' | 'constructor' | 'inspect' | 'asymmetricMatch'

/**
 * K, if it is the name of a method that a handle answers to. T is asked, not T[K]: of a class with a handle to one of its own kind
 * T[K] may be the type that is just being made, into which the compiler would descend for ever.
 */
export type MethodName<T, K extends keyof T> = T extends { readonly [P in K]: (...args: never[]) => unknown }
  ? Exclude<K, NotMethod>
  : never

/** Only for the compiler: which class a handle is of. */
declare const actor: unique symbol

/**
 * A handle to an actor: its methods, each with `.remote()`. Can be passed to tasks and other actors. Methods called `then`,
 * `catch`, `finally`, `toJSON`, `inspect` or `asymmetricMatch` are not among them: a handle is no promise and no JSON, and prints itself.
 */
export type ActorHandle<T extends object = object> = {
  readonly [K in keyof T as MethodName<T, K>]: T[K] extends (...args: infer A) => infer R ? MethodOf<A, R> : never
} & { readonly [actor]: T }

/** The methods of an actor whose class is not known. */
// biome-ignore lint/suspicious/noExplicitAny: any method, of any arguments and result
export type AnyMethods = Record<string, (...args: any[]) => any>

/** How long `ray.get` waits. */
export interface GetOptions {
  /** Milliseconds to wait before a GetTimeoutError; the task goes on. @default no limit */
  timeout?: number | undefined
  /** Stops waiting (not the task) with the signal's reason. */
  signal?: AbortSignal | undefined
}

/** For what, and how long, `ray.wait` waits. */
export interface WaitOptions {
  /** How many must be ready. @default 1 */
  numReturns?: number | undefined
  /** Milliseconds to wait at most. @default no limit */
  timeout?: number | undefined
}
