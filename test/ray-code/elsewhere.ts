import { once } from 'node:events'
import { after } from 'node:test'
import { Worker } from 'node:worker_threads'
import { type Code, describe, reviveTravel } from '#src/ray/code/index.js'
import { decodeError } from '#src/ray/pack/error-codec.js'
import { pack, unpack } from '#src/ray/pack.js'

type Any = (...args: never[]) => unknown

let worker: Worker | null = null
after(async () => {
  await worker?.terminate()
})

async function send(code: Code, args: readonly unknown[], construct: boolean): Promise<unknown> {
  worker ??= new Worker(new URL('./worker.js', import.meta.url))
  const packed = await pack(args, 'args')
  worker.postMessage([code, packed.data, packed.special, construct])
  const [[ok, data, special]] = (await once(worker, 'message')) as [[boolean, unknown, boolean]]
  if (!ok) throw decodeError(data)
  return unpack(data, special, reviveTravel)
}

/** What a function returns when it is shipped to a worker thread and called there. */
export async function elsewhere<F extends Any>(fn: F, ...args: Parameters<F>): Promise<Awaited<ReturnType<F>>> {
  return (await send(await describe(fn), args, false)) as Awaited<ReturnType<F>>
}

/** What methods return of an instance made in a worker thread: `calls` are the constructor's arguments, then [method, …args]. */
export async function instanceElsewhere(
  type: abstract new (...args: never[]) => object,
  ...calls: unknown[][]
): Promise<unknown> {
  return send(await describe(type as never), calls, true)
}
