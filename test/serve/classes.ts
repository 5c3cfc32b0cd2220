/** Classes that the tests serve: replicas import this module. */
import { setTimeout as pause } from 'node:timers/promises'
import { threadId } from 'node:worker_threads'
import { type ActorHandle, ray } from '#src/ray/index.js'
import {
  type BatchOptions,
  type DeploymentHandle,
  HttpError,
  type HttpRequest,
  HttpResponse,
  serve,
} from '#src/serve/index.js'

/** What holds calls until the test lets them go: [how many began, whether they may end, how many were aborted]. */
export type Latch = Int32Array

export async function held(latch: Latch): Promise<void> {
  Atomics.add(latch, 0, 1)
  Atomics.notify(latch, 0)
  const wait = Atomics.waitAsync(latch, 1, 0)
  const alive = setInterval(() => {}, 1000)
  if (wait.async) await wait.value
  clearInterval(alive)
}

export class Greeter {
  #greeting: string
  constructor(greeting = 'Hello') {
    this.#greeting = greeting
  }
  async reconfigure({ greeting }: { greeting: string }): Promise<void> {
    if (greeting === '') throw new Error('an empty greeting')
    this.#greeting = greeting
  }
  call(name: string): string {
    return `${this.#greeting} ${name}`
  }
  async shout(name: string, times?: number): Promise<string> {
    return this.call(name)
      .toUpperCase()
      .repeat(times ?? 1)
  }
  thread(): number {
    return threadId
  }
  fail(): never {
    throw new TypeError('on purpose')
  }
  refuse(): never {
    throw new HttpError(404, [{ msg: 'nobody of that name' }], { 'x-asked': 'greeter' })
  }
}

/** Asks an actor that is no replica; what goes wrong there is not caught. */
export class Visitor {
  call(actor: ActorHandle<Greeter>): Promise<string> {
    return ray.get(actor.call.remote('Ada'))
  }
}

/** Stands between a site and a greeter. */
export class Porter {
  constructor(readonly greeter: DeploymentHandle<Greeter>) {}
  call(name: string): Promise<string> {
    return this.greeter.remote(name)
  }
  leave(): never {
    process.exit(3)
  }
  async refuse(): Promise<unknown> {
    return this.greeter.refuse.remote()
  }
}

/** Asks as a task. */
export const askOnce = ray.remote((greeter: DeploymentHandle<Greeter>, name: string) => greeter.remote(name))

/** May be made to end. */
export class Leaver extends Greeter {
  leave(): never {
    process.exit(3)
  }
}

/** Counts its calls. */
export class Counted {
  constructor(readonly latch: Latch) {}
  async call(): Promise<void> {
    Atomics.add(this.latch, 0, 1)
    Atomics.notify(this.latch, 0)
    await pause(1)
  }
}

/** Asks eight at a time until it is let go. @returns how many were answered */
export const askOn = ray.remote(async (counted: DeploymentHandle<Counted>, latch: Latch) => {
  let answered = 0
  const ask = async () => {
    for (; Atomics.load(latch, 1) === 0; answered++) await counted.remote()
  }
  await Promise.all(Array.from({ length: 8 }, ask))
  return answered
})

/** Arrives where it goes once it is let go. */
export class Late {
  constructor(readonly latch: Latch) {}
  [ray.serialize](): Latch {
    return this.latch
  }
  static async [ray.deserialize](latch: Latch): Promise<Late> {
    await held(latch)
    return new Late(latch)
  }
}

/** Counts what arrived. */
export class Taker {
  #taken = 0
  call(_late: Late): void {
    this.#taken++
  }
  *steps(_late: Late): Generator<number> {
    yield ++this.#taken
  }
  taken(): number {
    return this.#taken
  }
}

/** Is held until it is let go, or hears that it is cancelled. */
async function holdOn(latch: Latch): Promise<void> {
  const { signal } = ray.getRuntimeContext()
  const cancelled = new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => {
      Atomics.add(latch, 2, 1)
      Atomics.notify(latch, 2)
      resolve()
    })
  })
  await Promise.race([held(latch), cancelled])
}
export const holding = ray.remote(holdOn)
export const Holder = ray.remote(
  class Holder {
    hold(latch: Latch): Promise<void> {
      return holdOn(latch)
    }
  },
  { maxConcurrency: 10 },
)

/** Has others do its work. */
export class Delegating {
  readonly #holder = Holder.remote()
  readonly #together = serve.batch(
    async (latches: Latch[]) => {
      await ray.get(latches.map((latch) => holding.remote(latch)))
      return latches.map(() => 'done')
    },
    { maxBatchSize: 2, batchWaitTimeout: Infinity },
  )
  async call(latch: Latch): Promise<string> {
    await ray.get([holding.remote(latch), this.#holder.hold.remote(latch)])
    return 'done'
  }
  async *steps(latch: Latch): AsyncGenerator<string> {
    yield 'first'
    yield this.call(latch)
  }
  together(latch: Latch): Promise<string> {
    return this.#together(latch)
  }
}

/** Answers requests in every way. */
export const Site = serve.ingress(
  class Site {
    readonly #greeter: DeploymentHandle<Greeter> | undefined
    constructor(greeter?: DeploymentHandle<Greeter>) {
      this.#greeter = greeter
    }
    async greet({ params, query }: HttpRequest): Promise<unknown> {
      return { greeting: await this.#greeter!.remote(params.name!), query }
    }
    echo({ method, path, params, query, headers, fields, files, body, id }: HttpRequest): unknown {
      const shown = Object.fromEntries(
        Object.entries(files).map(([field, { filename, contentType, bytes }]) => [
          field,
          { filename, contentType, size: bytes.length, shared: bytes.buffer instanceof SharedArrayBuffer },
        ]),
      )
      const kind = body instanceof Uint8Array ? `${body.length} bytes` : body
      return { method, path, params, query, agent: headers['x-agent'], fields, files: shown, body: kind, id }
    }
    thread(): number {
      return threadId
    }
    teapot(): never {
      throw new HttpError(418, 'I am a teapot', { 'x-pot': 'tea' })
    }
    text(): HttpResponse {
      return new HttpResponse('plain', { status: 201, headers: { 'X-Made': 'here' } })
    }
    /** So many bytes, at once or in pieces, as what they are asked for. */
    bytes({ query }: HttpRequest): HttpResponse {
      const bytes = new Uint8Array(Number(query.size)).map((_, i) => i)
      const pieces = function* () {
        yield bytes
      }
      const { type = 'application/octet-stream' } = query
      return new HttpResponse(query.pieces ? pieces() : bytes, { headers: { 'content-type': type } })
    }
    gone({ query }: HttpRequest): never {
      throw new HttpError(Number(query.status ?? 410))
    }
    copied(): HttpResponse {
      const framing = { 'Content-Length': '3', 'Transfer-Encoding': 'chunked', Trailer: 'x-sum' }
      const headers = { ...framing, 'Set-Cookie': ['a=1', 'b=2'] }
      return new HttpResponse('copied', { headers })
    }
    fail(): never {
      throw new Error('the secret of the house')
    }
    async failBelow(): Promise<unknown> {
      return this.#greeter!.fail.remote()
    }
    async refuseBelow(): Promise<unknown> {
      return this.#greeter!.refuse.remote()
    }
    forgotten(): unknown {
      return { greeting: this.#greeter!.remote('nobody waits') }
    }
    nothing(): void {}
    preflight(): HttpResponse {
      return new HttpResponse('', { status: 204, headers: { 'access-control-allow-origin': '*' } })
    }
  },
  {
    'GET /greet/:name': 'greet',
    'POST /echo': 'echo',
    'PUT /echo': 'echo',
    'POST /upload': { call: 'echo', file: 'file', maxBytes: 100_000, summary: 'Takes a file' },
    'GET /thread': 'thread',
    'GET /teapot': 'teapot',
    'GET /bytes': 'bytes',
    'GET /text': 'text',
    'OPTIONS /text': 'preflight',
    'GET /gone': 'gone',
    'GET /copied': 'copied',
    'GET /fail': 'fail',
    'GET /fail-below': 'failBelow',
    'GET /refuse-below': 'refuseBelow',
    'GET /forgotten': 'forgotten',
    'GET /refuse/below': 'refuseBelow',
    'GET /nothing': 'nothing',
    'GET /': { html: '<!doctype html><title>Site</title><script>document.title += 1</script>' },
  },
)

/** Tells what came by names that occur several times. */
export const Gatherer = serve.ingress(
  class Gatherer {
    tell({ all, query, fields, files }: HttpRequest): unknown {
      const shown = Object.entries(all.files).map(([field, list]) => [
        field,
        list.map(({ filename, bytes }) => [filename, Buffer.from(bytes).toString()]),
      ])
      const last = { x: query.x, y: query.y, tag: fields.tag, file: files.file?.filename }
      return { query: all.query, fields: all.fields, files: Object.fromEntries(shown), last }
    }
  },
  { 'GET /all': 'tell', 'POST /all': 'tell' },
)

/** Its paths overlap, and name their parameters as they like. */
export const Shelf = serve.ingress(
  class Shelf {
    tell({ method, path, params }: HttpRequest): unknown {
      return { method, path, params }
    }
  },
  {
    'GET /items/:id': 'tell',
    'DELETE /items/:item': 'tell',
    'POST /items/search': 'tell',
    'PUT /files/*': 'tell',
    'GET /files/:name.png': 'tell',
    'GET /größe': 'tell',
  },
)

/** Holds its calls until they are let go. */
export const Slow = serve.ingress(
  class Slow {
    constructor(readonly latch: Latch) {}
    async hold({ signal }: HttpRequest): Promise<string> {
      signal.addEventListener('abort', () => {
        Atomics.add(this.latch, 2, 1)
        Atomics.notify(this.latch, 2)
      })
      await held(this.latch)
      return 'let go'
    }
    async call(): Promise<number> {
      await held(this.latch)
      return threadId
    }
  },
  { 'GET /hold': 'hold', 'POST /hold': 'hold' },
)

/** Stands before one. */
export const SlowPorter = serve.ingress(
  class SlowPorter {
    constructor(readonly slow: DeploymentHandle<InstanceType<typeof Slow>>) {}
    call(): Promise<number> {
      return this.slow.remote()
    }
  },
  { 'GET /hold': 'call' },
)

/** Asks another once it is let go. */
export class Asker {
  constructor(
    readonly latch: Latch,
    readonly greeter: DeploymentHandle<Greeter>,
  ) {}
  async call(name: string): Promise<string> {
    await held(this.latch)
    return this.greeter.remote(name)
  }
}

/** Its thread ends in the middle of the first call that any replica takes; with `always` in that of each. */
export const Mortal = serve.ingress(
  class Mortal {
    constructor(
      readonly latch: Latch,
      readonly always = false,
    ) {}
    async die(): Promise<string> {
      const call = Atomics.add(this.latch, 0, 1)
      await pause(1)
      if (this.always || call === 0) process.exit(3)
      return `call ${call + 1}`
    }
    call(): Promise<string> {
      return this.die()
    }
  },
  { 'GET /die': 'die', 'POST /die': 'die' },
)

/** The first that is asked ends once it is let go; those that are asked later answer. */
export const Fickle = serve.ingress(
  class Fickle {
    constructor(readonly latch: Latch) {}
    async ask(): Promise<string> {
      const before = Atomics.load(this.latch, 0)
      await held(this.latch)
      if (before === 0) process.exit(3)
      return 'here'
    }
  },
  { 'GET /ask': 'ask' },
)

/** The first ends in its first call; those that are made for it begin when they are let go, `hangs`: it, too. */
export const Phoenix = serve.ingress(
  class Phoenix {
    readonly born: number
    constructor(latch: Latch, hangs = false) {
      this.born = Atomics.add(latch, 0, 1)
      Atomics.notify(latch, 0)
      if (hangs || this.born > 0) Atomics.wait(latch, 1, 0)
    }
    age(): number {
      if (this.born === 0) process.exit(3)
      return this.born
    }
  },
  { 'GET /age': 'age' },
)

/** Is well until the word is set, and then again in replicas that were made later. */
export class Patient {
  readonly #born: number
  constructor(readonly latch: Latch) {
    this.#born = Atomics.add(latch, 0, 1)
  }
  async checkHealth(): Promise<void> {
    if (Atomics.load(this.latch, 1) > this.#born) throw new Error('unwell')
  }
  call(): number {
    return this.#born
  }
}

/** Of its health checks, which take longer than they are apart, two fail after each that does not; counts those that others overtook. */
export class Moody {
  constructor(readonly latch: Latch) {}
  async checkHealth(): Promise<void> {
    const before = Atomics.add(this.latch, 0, 1)
    Atomics.notify(this.latch, 0)
    await pause(20)
    if (Atomics.load(this.latch, 0) > before + 1) Atomics.add(this.latch, 2, 1)
    if (before % 3 !== 0) throw new Error('not now')
  }
  call(): string {
    return 'here'
  }
}

/** Fails its health checks once it has been called. */
export class Ailing {
  #called = false
  constructor(readonly latch: Latch) {}
  async checkHealth(): Promise<void> {
    if (this.#called) throw new Error('unwell')
  }
  async call(): Promise<string> {
    this.#called = true
    await held(this.latch)
    return 'done'
  }
}

/** Ends in its first call, and another cannot be made. */
export class Last {
  constructor(latch: Latch) {
    if (Atomics.add(latch, 0, 1) > 0) throw new Error('there is one only')
  }
  call(): never {
    process.exit(3)
  }
}

/** Its second replica cannot be made, and those from the fourth on begin when they are let go. */
export const Stumbler = serve.ingress(
  class Stumbler {
    readonly born: number
    constructor(latch: Latch) {
      this.born = Atomics.add(latch, 0, 1)
      if (this.born === 1) throw new Error('stumbled')
      if (this.born > 2) Atomics.wait(latch, 1, 0)
    }
    die(): never {
      process.exit(3)
    }
    age(): number {
      return this.born
    }
  },
  { 'GET /die': 'die', 'GET /age': 'age' },
)

/** Holds its calls, and counts its health checks. */
export class Watched {
  constructor(
    readonly latch: Latch,
    readonly checks: Latch,
  ) {}
  async checkHealth(): Promise<void> {
    Atomics.add(this.checks, 0, 1)
    Atomics.notify(this.checks, 0)
  }
  async call(): Promise<void> {
    await held(this.latch)
  }
}

/** Answers nothing while the word says so, health checks neither. */
export class Silent {
  readonly #born: number
  constructor(readonly latch: Latch) {
    this.#born = Atomics.add(latch, 0, 1)
  }
  async checkHealth(): Promise<void> {
    if (Atomics.load(this.latch, 1) > this.#born) await new Promise(() => {})
  }
  async call(): Promise<number> {
    await this.checkHealth()
    return this.#born
  }
}

/** Answers nothing any more once it has been called, health checks neither. */
export class Stuck {
  #called = false
  async checkHealth(): Promise<void> {
    if (this.#called) await new Promise(() => {})
  }
  call(): Promise<void> {
    this.#called = true
    return this.checkHealth()
  }
}

/** Cannot be used, which it finds out once it is let go. */
export const Waning = serve.ingress(
  class Waning {
    constructor(readonly latch: Latch) {}
    async checkHealth(): Promise<void> {
      await held(this.latch)
      throw new Error('the weights are gone')
    }
    hold(): void {}
  },
  { 'GET /hold': 'hold' },
)

export class Broken {
  constructor() {
    throw new Error('no model here')
  }
}

export class NeverReady {
  async checkHealth(): Promise<void> {
    throw new Error('the weights are gone')
  }
}

export class Counting {
  readonly #calls = serve.counter('test_calls_total', 'Calls')
  readonly #sizes = serve.histogram('test_size', 'Sizes')
  /** @returns what was wrong with the number */
  call(size: number, by = 1): string {
    this.#sizes.observe(size)
    try {
      this.#calls.inc(by)
      return 'asked'
    } catch (error) {
      return (error as Error).message
    }
  }
}

/** Asks another deployment and measures there. */
export const Asking = serve.ingress(
  class Asking {
    constructor(readonly counting: DeploymentHandle<Counting>) {}
    ask({ query }: HttpRequest): Promise<string> {
      return this.counting.remote(2, Number(query.by ?? 1))
    }
  },
  { 'GET /ask': 'ask' },
)

/** Says which process answered, after a while. */
export const Host = serve.ingress(
  class Host {
    async where({ query }: HttpRequest): Promise<number> {
      await pause(Number(query.after ?? 0))
      return process.pid
    }
  },
  { 'GET /where': 'where' },
)

/** Answers piece by piece. */
export class Source {
  readonly #counted = serve.counter('test_counted_total', 'Values')
  constructor(readonly latch: Latch) {}
  *count(to: number): Generator<number> {
    for (let i = 0; i < to; i++) {
      this.#counted.inc()
      yield i
    }
  }
  /** For ever, each so wide as is asked; says when it is left. */
  async *endless(request?: HttpRequest): AsyncGenerator<string> {
    const width = Number(request?.query.width ?? 0)
    try {
      for (let i = 0; ; i++) yield `${i}\n`.padEnd(width)
    } finally {
      Atomics.add(this.latch, 2, 1)
      Atomics.notify(this.latch, 2)
    }
  }
  /** What it gave before, if anything holds that yet. */
  #given: WeakRef<object> | undefined
  given(): Generator<string> {
    const values = (function* () {
      yield 'a value'
    })()
    this.#given = new WeakRef(values)
    return values
  }
  async collected(): Promise<string> {
    const { collected } = await import('./helpers.js')
    await collected(this.#given!)
    return 'collected'
  }
  /** Goes on only when it is let go. */
  async *steps(): AsyncGenerator<string> {
    yield 'first'
    await held(this.latch)
    yield 'second'
  }
  *failing(): Generator<string> {
    yield 'half'
    throw new Error('dry')
  }
  whole(): string {
    return 'whole'
  }
}
export const Fountain = serve.ingress(
  class Fountain extends Source {
    constructor(
      latch: Latch,
      readonly below?: DeploymentHandle<Source>,
    ) {
      super(latch)
    }
    *lines(): Generator<unknown> {
      yield { line: 1 }
      yield [2]
    }
    mixed(): HttpResponse {
      const pieces = function* () {
        yield 'a text, '
        yield new Uint8Array([98, 121, 116, 101, 115])
      }
      return new HttpResponse(pieces(), {
        status: 203,
        headers: { 'Content-Type': 'text/event-stream', 'x-kind': 'mixed', 'Content-Length': '99' },
      })
    }
    stepwise(): HttpResponse {
      return new HttpResponse(this.steps())
    }
    /** As asked: with a status, or a header, that there is not. */
    impossible({ query }: HttpRequest): HttpResponse {
      if (query.status) return new HttpResponse(this.endless(), { status: Number(query.status) })
      return new HttpResponse(query.whole ?? this.endless(), {
        headers: { 'x-mine': 'yes', 'content-disposition': 'attachment; filename="☃.png"' },
      })
    }
    *refusing(): Generator<string> {
      if (!this.below) throw new HttpError(404, 'there is no water')
      yield 'water'
    }
    async *dry(): AsyncGenerator<string> {
      await pause(1)
      if (!this.below) throw new Error('the well was dry')
      yield 'water'
    }
    /** Hears that nobody waits any more, and goes on. */
    async late({ signal }: HttpRequest): Promise<HttpResponse> {
      signal.addEventListener('abort', () => {
        Atomics.add(this.latch, 2, 1)
        Atomics.notify(this.latch, 2)
      })
      await held(this.latch)
      return new HttpResponse(this.count(1))
    }
    async *broken(): AsyncGenerator<string> {
      yield 'half\n'
      await pause(1)
      throw new Error('the well is dry')
    }
    async *dying(): AsyncGenerator<string> {
      yield 'half\n'
      await held(this.latch)
      process.exit(3)
    }
    async *relay(): AsyncGenerator<number> {
      for await (const value of this.below!.options({ stream: true }).count.remote(3)) yield value * 10
    }
    async *relaySteps(): AsyncGenerator<string> {
      yield 'before'
      yield* this.below!.options({ stream: true }).steps.remote()
    }
    async *relayEndless(): AsyncGenerator<string> {
      yield* this.below!.options({ stream: true }).endless.remote()
    }
  },
  {
    'GET /lines': 'lines',
    'GET /mixed': 'mixed',
    'GET /steps': 'stepwise',
    'GET /given': 'given',
    'GET /impossible': 'impossible',
    'GET /endless': 'endless',
    'GET /refusing': 'refusing',
    'GET /dry': 'dry',
    'GET /late': 'late',
    'GET /broken': 'broken',
    'GET /dying': 'dying',
    'GET /relay': 'relay',
    'GET /relay-steps': 'relaySteps',
    'GET /relay-endless': 'relayEndless',
  },
)

/** Answers words in batches, each with all that were in its batch; some words have a meaning. */
export const Choir = serve.ingress(
  class Choir {
    readonly sing
    constructor(latch: Latch, options: BatchOptions<string>, below?: DeploymentHandle<InstanceType<typeof Slow>>) {
      this.sing = serve.batch(async function sing(words: string[]) {
        if (words.includes('hold')) await held(latch)
        if (words.includes('below')) await below!.remote()
        if (words.includes('break')) throw new HttpError(418, 'on purpose')
        if (words.includes('short')) return words.slice(1)
        return words.map((word) => (word === 'wrong' ? new HttpError(422, 'no word') : words.join(' ')))
      }, options)
    }
    answer({ params }: HttpRequest): Promise<string> {
      return this.sing(params.word!)
    }
    reconfigure(maxBatchSize: number): void {
      this.sing.setMaxBatchSize(maxBatchSize)
      this.sing.setBatchWaitTimeout(Infinity)
    }
  },
  { 'GET /:word': 'answer' },
)
