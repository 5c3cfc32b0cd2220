import { deserialize, type Travel } from '../../core/travel.js'
import { importExport } from './import-export.js'
import { revive } from './revive.js'
import type { Code } from './types.js'

/** What a Travel stands for: what its module's export makes of its data. A promise only if something takes a while. */
export function reviveTravel({ module, name, data }: Travel): unknown {
  const make = importExport(module, name)
  return make instanceof Promise ? make.then((ready) => ready(data)) : (make as (data: unknown) => unknown)(data)
}

/** An instance of the class, from the data that its `[serialize]` gave. */
export async function reviveInstance(code: Code, data: unknown, via: (travel: Travel) => unknown): Promise<unknown> {
  const type = (await revive(code, via)) as unknown as { [deserialize](data: unknown): unknown }
  return type[deserialize](data)
}
