import { parentPort } from 'node:worker_threads'
import { revive, reviveTravel } from '#src/ray/code/index.js'
import { encodeError } from '#src/ray/pack/error-codec.js'
import { pack, unpack } from '#src/ray/pack.js'

// A worker keeps the functions that it was sent.
const kept: unknown[] = []

// Makes the function that arrives and calls it: [code, args, special] in, [ok, data, special] out.
parentPort!.on('message', async ([code, args, special, construct]) => {
  try {
    const fn = await revive(code, reviveTravel)
    kept.push(fn)
    const values = (await unpack(args, special, reviveTravel)) as unknown[]
    const result = construct ? await constructed(fn, values) : await (fn as (...args: unknown[]) => unknown)(...values)
    const packed = await pack(result, 'its result')
    parentPort!.postMessage([true, packed.data, packed.special])
  } catch (error) {
    parentPort!.postMessage([false, encodeError(error), false])
  }
})

/** Makes an instance and calls its methods in turn: [name, ...args]. Gives what each returned. */
async function constructed(type: unknown, calls: unknown[]): Promise<unknown[]> {
  const [first, ...rest] = calls as unknown[][]
  const made = Reflect.construct(type as never, first!) as Record<string, (...args: unknown[]) => unknown>
  const results: unknown[] = []
  for (const [name, ...args] of rest) results.push(await made[name as string]!(...args))
  return results
}
