import type { AnyFunction, Code } from './types.js'

export async function describe(fn: AnyFunction, callSite?: string): Promise<Code> {
  if (callSite) {
    const namespace = (await import(callSite).catch(() => ({}))) as Record<string, unknown>
    for (const [name, value] of Object.entries(namespace))
      if (value === fn || (value as never)?.[Symbol.for('rayito.remote')] === fn)
        return { kind: 'module', module: callSite, name }
  }
  return { kind: 'source', name: fn.name, source: Function.prototype.toString.call(fn) }
}
