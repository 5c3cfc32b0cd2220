import { runInThisContext } from 'node:vm'
import type { Travel } from '../../core/travel.js'
import type { AnyFunction, Code } from './types.js'

/** The function or class again. */
export async function revive(code: Code, _reviveTravel: (travel: Travel) => unknown): Promise<AnyFunction> {
  if (code.kind === 'source') return runInThisContext(`(${code.source})`)
  const namespace = await import(code.module)
  const found = namespace[code.name]
  return found?.[Symbol.for('rayito.remote')] ?? found
}
