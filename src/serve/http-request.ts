/** A file of a multipart form. */
export interface UploadedFile {
  /** As the client named it: to be shown, not to be trusted. */
  filename: string
  /** As the client said. */
  contentType: string
  /** Its content, in shared memory. */
  bytes: Uint8Array
}

/** What crosses from the HTTP thread, beside the files' bytes. */
export interface WireRequest {
  id: string
  method: string
  path: string
  params: Record<string, string>
  /** A list where a name occurs several times. */
  query: Record<string, string | string[]>
  headers: Record<string, string>
  fields: [name: string, text: string][]
  files: { field: string; filename: string; contentType: string; start: number; end: number }[]
  /** How `bytes` is to be read where it is not files. */
  kind: 'none' | 'files' | 'json' | 'text' | 'bytes'
  /** The field of an error's body. */
  errorKey: string
}

/** By name all that a request has, in its order. */
interface Lists {
  readonly query: Readonly<Record<string, readonly string[]>>
  readonly fields: Readonly<Record<string, readonly string[]>>
  readonly files: Readonly<Record<string, readonly UploadedFile[]>>
}

type Pairs<T> = readonly (readonly [name: string, value: T])[]

/** A request, as a replica's method gets it. */
export class HttpRequest {
  /** X-Request-ID: the client's, or one made here. */
  readonly id: string
  /** GET, POST … */
  readonly method: string
  /** Below the application's prefix: '/whatis', and '' for the prefix itself (of '/', '/'). */
  readonly path: string
  /** Parameters of the path, as the route names them. */
  readonly params: Readonly<Record<string, string>>
  /** Of a parameter that occurs twice the last; `all.query` has both. */
  readonly query: Readonly<Record<string, string>>
  /** Names in small letters. */
  readonly headers: Readonly<Record<string, string>>
  /** Texts of a form: at most 32, of 64 KiB each; of two of one name the last, `all.fields` has both. */
  readonly fields: Readonly<Record<string, string>>
  /** Files of a multipart form, at most 8, by field; of two in one field the last, as FastAPI takes it, `all.files` has both. */
  readonly files: Readonly<Record<string, UploadedFile>>
  /** The body where it is no form: of JSON its value, of text a string, else bytes; undefined without one. */
  readonly body: unknown
  readonly #context: { readonly signal: AbortSignal }
  readonly #pairs: { [K in keyof Lists]: Pairs<Lists[K][string][number]> }
  /** Made when it is asked for: few requests have a name twice. */
  #all: Lists | null = null

  /** @internal */
  constructor(wire: WireRequest, bytes: Uint8Array | null, context: { readonly signal: AbortSignal }) {
    this.#context = context
    this.id = wire.id
    this.method = wire.method
    this.path = wire.path
    this.params = wire.params
    this.headers = wire.headers
    const query = Object.entries(wire.query).flatMap(([name, given]) =>
      [given].flat().map((one) => [name, one] as const),
    )
    const files = wire.files.map(({ field, filename, contentType, start, end }) => {
      const content = bytes ? bytes.subarray(start, end) : new Uint8Array()
      return [field, { filename, contentType, bytes: content }] as const
    })
    this.#pairs = { query, fields: wire.fields, files }
    this.query = Object.fromEntries(query)
    this.fields = Object.fromEntries(wire.fields)
    this.files = byName(files)
    this.body = bytes ? bodyOf(wire.kind, bytes) : undefined
  }

  /**
   * Lists of all that came by one name, in order: `all.query.tag ?? []` of `?tag=a&tag=b`, `all.files.file ?? []` of a form
   * (FastAPI's `list[str]`, `list[UploadFile]`).
   */
  get all(): Lists {
    const { query, fields, files } = this.#pairs
    this.#all ??= { query: listed(query), fields: listed(fields), files: listed(files) }
    return this.#all
  }

  /** Aborted when the client leaves or its time runs out. */
  get signal(): AbortSignal {
    return this.#context.signal
  }
}

/** Nothing but the names of a request: of others, as `constructor`, it has none. */
function byName<T>(pairs: Iterable<readonly [string, T]>): Record<string, T> {
  const named: Record<string, T> = Object.create(null)
  for (const [name, one] of pairs) named[name] = one
  return named
}

function listed<T>(pairs: Pairs<T>): Record<string, T[]> {
  const lists = new Map<string, T[]>()
  for (const [name, one] of pairs) {
    const list = lists.get(name)
    if (list) list.push(one)
    else lists.set(name, [one])
  }
  return byName(lists)
}

function bodyOf(kind: WireRequest['kind'], bytes: Uint8Array): unknown {
  if (kind === 'bytes') return bytes
  if (kind !== 'json' && kind !== 'text') return undefined
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  if (kind === 'text') return text
  // A byte order mark is no JSON, but what Windows' programs begin a text with.
  return JSON.parse(text.startsWith('\uFEFF') ? text.slice(1) : text)
}
