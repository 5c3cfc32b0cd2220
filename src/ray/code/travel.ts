import { deserialize, type Travel } from '../../core/travel.js'
import { revive } from './revive.js'
import type { Code } from './types.js'

/** What a Travel stands for: what its module's export makes of its data. */
export async function reviveTravel({ module, name, data }: Travel): Promise<unknown> {
  return (await import(module))[name](data)
}

/** An instance of the class, from the data that its `[serialize]` gave. */
export async function reviveInstance(code: Code, data: unknown, via: (travel: Travel) => unknown): Promise<unknown> {
  const type = (await revive(code, via)) as unknown as { [deserialize](data: unknown): unknown }
  return type[deserialize](data)
}
