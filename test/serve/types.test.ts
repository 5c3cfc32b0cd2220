/** Checked by the compiler: each line under @ts-expect-error must not compile, the others must. Nothing of `never` runs. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ray } from '#src/ray/index.js'
import {
  type Application,
  type Batched,
  type DeploymentHandle,
  type DeploymentResponse,
  type HttpRequest,
  serve,
  type UploadedFile,
} from '#src/serve/index.js'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_equal: Equal<A, B>): void {}

class Wiki {
  readonly size = 2
  private secret = 1
  constructor(readonly language = 'en') {}
  async call(term: string, chars?: number): Promise<string> {
    return term.slice(this.secret, chars)
  }
  count(): number {
    return 1
  }
  reconfigure(_config: { language: string }): void {}
  inspect(): string {
    return this.language
  }
}

class Choir {
  sing = serve.batch(async (words: string[]) => words.map((word) => word.length), {
    batchSizeFn: (words) => words.join('').length,
  })
  refuse = serve.batch((words: string[]) => words.map((word) => (word ? { word } : new TypeError('no word'))))
  tell = serve.batch(async (words: string[]) => words.map((message) => ({ name: 'it', message })))
}

/** One in a chain of its own kind. */
class Link {
  next?: DeploymentHandle<Link>
  other!: DeploymentHandle<Link>
  async call(word: string) {
    const answer = await this.other.remote(word)
    same<typeof answer, string>(true)
    return word
  }
}

class Front {
  constructor(
    readonly wiki: DeploymentHandle<Wiki>,
    readonly limit: number,
    readonly other?: DeploymentHandle<Wiki>,
  ) {}
  async answer(request: HttpRequest): Promise<string> {
    const text = this.wiki.remote(request.path)
    same<typeof text, DeploymentResponse<string>>(true)
    const { tag = [] } = request.all.query
    same<typeof tag, readonly string[]>(true)
    for (const file of request.all.files.file ?? []) same<typeof file, UploadedFile>(true)
    return text
  }
  order({ body }: { body: { item: string } | null }): string {
    return body?.item ?? ''
  }
  plain(a: string): string {
    return a
  }
}

class Crowd {
  constructor(
    readonly all: readonly DeploymentHandle<Wiki>[],
    readonly by: { first?: DeploymentHandle<Wiki>; limit: number },
    readonly pick: () => number = () => 0,
  ) {}
}

async function never(): Promise<void> {
  const wiki = serve.deployment(Wiki)
  const front = serve.deployment(
    serve.ingress(Front, { 'GET /': 'answer', 'POST /a/:b': { call: 'answer', file: 'f' }, 'POST /order': 'order' }),
  )
  const app = front.bind(wiki.bind(), 3)
  same<typeof app, Application<Front>>(true)
  front.bind(wiki.bind('de'), 3, wiki.bind())
  // @ts-expect-error a number is missing
  front.bind(wiki.bind())
  // @ts-expect-error another deployment than the constructor takes
  front.bind(app, 3)
  // @ts-expect-error a deployment is bound first
  front.bind(wiki, 3)
  // @ts-expect-error the constructor takes a text
  wiki.bind(1)
  const crowd = serve.deployment(Crowd)
  crowd.bind([wiki.bind(), wiki.bind('de')], { first: wiki.bind(), limit: 1 }, () => 1)
  // @ts-expect-error another deployment than the list's
  crowd.bind([app], { limit: 1 })
  // @ts-expect-error nor does the object take a text
  crowd.bind([], { limit: '1' })
  // @ts-expect-error a function has no parts
  crowd.bind([], { limit: 1 }, {})
  // @ts-expect-error there is no such option
  wiki.options({ replicas: 1 })
  wiki.options({ numReplicas: 'auto', userConfig: { language: 'de' } })
  // @ts-expect-error what reconfigure does not take
  wiki.options({ userConfig: { language: 1 } })
  // @ts-expect-error there is no such method
  serve.ingress(Front, { 'GET /': 'anser' })
  // @ts-expect-error a method that takes no request
  serve.ingress(Front, { 'GET /': 'plain' })
  // @ts-expect-error no method of HTTP
  serve.ingress(Front, { 'FETCH /': 'answer' })

  const handle = await serve.run(wiki.bind())
  same<typeof handle, DeploymentHandle<Wiki>>(true)
  const text = await handle.remote('a', 3)
  same<typeof text, string>(true)
  const count = await handle.count.remote()
  same<typeof count, number>(true)
  handle.remote(handle.remote('a'), handle.count.remote())
  handle.remote(ray.put('a'), ray.put(3))
  // @ts-expect-error
  handle.remote(ray.put(1))
  // @ts-expect-error call takes a text
  handle.remote(1)
  // @ts-expect-error a text, not the answer of a call that gives a number
  handle.remote(handle.count.remote())
  // @ts-expect-error there is no such method
  handle.cont.remote()
  // @ts-expect-error a field is no method
  handle.size.remote()
  // @ts-expect-error a handle prints itself
  handle.inspect.remote()
  // @ts-expect-error one whose calls stream as well
  handle.options({ stream: true }).inspect.remote()
  const other = await serve.run(app)
  // @ts-expect-error Front has no call
  other.remote('a')
  // @ts-expect-error a deployment is bound first
  serve.run(wiki)
  // @ts-expect-error a port is a number
  serve.run(app, { port: '8000' })
  const link = await serve.run(serve.deployment(Link).bind())
  same<typeof link, DeploymentHandle<Link>>(true)
  const choir = await serve.run(serve.deployment(Choir).bind())
  same<Choir['sing'], Batched<string, number>>(true)
  same<Choir['refuse'], Batched<string, { word: string }>>(true)
  same<Choir['tell'], Batched<string, { name: string; message: string }>>(true)
  // A handle is one of any deployment, with call or without, and of what its class implements.
  const any: DeploymentHandle[] = [handle, other, choir, link]
  const counting: DeploymentHandle<{ count(): unknown }> = handle
  const calling: DeploymentHandle<{ call(term: string): unknown }> = handle
  // @ts-expect-error of what it does not implement it is none
  const rightly: DeploymentHandle<{ count(): string }> = handle
  // @ts-expect-error whether it has call is not known
  any[0].remote('a')
  void [any, counting, calling, rightly]
  // biome-ignore lint/suspicious/noExplicitAny: of which nothing is known
  const untold = serve.getAppHandle<any>()
  void [untold.remote('a', 3), untold.options({ stream: true }).remote('a')]
  const sung = choir.sing.remote('a')
  same<typeof sung, DeploymentResponse<number>>(true)
  // @ts-expect-error callers give one value
  choir.sing.remote(['a'])
  // @ts-expect-error a batched function answers a list
  serve.batch(async (words: string[]) => words.length)
  // @ts-expect-error a batched function takes a list
  serve.batch(async (word: string) => [word])
  // @ts-expect-error there is no such option
  serve.batch(async (words: string[]) => words, { max_batch_size: 1 })
  handle.remote('a').cancel()
  void [text, count]
}

test('a wrong argument of bind(), remote() or a wrong route is a compile error', () => {
  assert.equal(typeof never, 'function')
})
