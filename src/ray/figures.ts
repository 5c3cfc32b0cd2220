/** A machine (or the part of one) that runs work. */
export interface NodeInfo {
  /** No other node of the session has it. */
  id: string
  /** `local`; of a cluster's node what `rayito worker --name` said, which several may have. */
  name: string
  /** True: those that have left, or were given up, are not in the list. */
  alive: boolean
  /** All that it has, whether in use or not. */
  resources: Resources
}

/** Amounts of what tasks and actors take, by name: of CPUs as numCpus counts them. */
export interface Resources {
  CPU: number
  [name: string]: number
}

/** An event of Chrome's trace format, as Perfetto and chrome://tracing open it. */
export interface TraceEvent {
  name: string
  /** start, import, load, read, infer, transfer, deserialise, task, profile, idle, forgotten (what was there is kept no more); __metadata where `ph` is M. */
  cat: string
  /** X: a stretch of time. b and e: beginning and end of one that may overlap others. M: names a process or thread. */
  ph: 'X' | 'b' | 'e' | 'M'
  /** Whole microseconds since the epoch. */
  ts: number
  /** Whole microseconds; of X. */
  dur?: number
  /** What a beginning and its end have in common, and no others of the process. */
  id2?: { local: string }
  /** Number of the process, named by an event with `ph` M. */
  pid: number
  /** Number of the thread, named likewise. */
  tid: number
  args: Record<string, unknown>
}

/** Values below which 50, 95 and 99 % lie. */
export interface Percentiles {
  p50: number
  p95: number
  p99: number
}

/** Figures of one function, method or constructor, by its name. */
export interface FunctionSummary {
  name: string
  /** Calls that have ended. */
  count: number
  /** Calls that have not. */
  pending: number
  /** Calls that ended with an error. */
  failures: number
  /** Further tries, after a worker's death or an exception. */
  retries: number
  /** Milliseconds from `.remote()` until the call began, of the calls that are kept; null of none. */
  wait: Percentiles | null
  /** Milliseconds it ran, of the same calls. */
  run: Percentiles | null
  /**
   * Bytes of arguments. What a ref stands for counts where a worker of this machine is sent a copy of it, without its
   * arrays and buffers from 4 KiB up.
   */
  bytesIn: number
  /** Bytes of results. */
  bytesOut: number
}

/** Figures of each function, and of how many tries of calls their times are. */
export interface SessionSummary {
  /** In the order of their first calls. */
  readonly functions: readonly FunctionSummary[]
  /** Tries that ran and ended; of the newest of them, so many as are kept, are the times. */
  readonly tries: number
  /** How many that are. */
  readonly kept: number
}

/** Figures of the session so far. */
export interface Stats {
  /** Bytes of objects, arguments and results: copied through messages, and handed over in shared memory. */
  bytes: { copied: number; shared: number }
  /** Calls of functions and actors' methods; those that failed are not among those that finished. */
  tasks: { submitted: number; finished: number; failed: number; retried: number }
  /** Finished calls of each worker, by its name: `worker#1`, `InferenceEngine#2`. */
  perWorker: Record<string, number>
}
