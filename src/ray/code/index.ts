// PLACEHOLDER, only until the real file of branch `travel` lands: on a rebase conflict take the whole file from `travel`.
// stub
import type { Travel } from '../../core/travel.js'
export type Code = { kind: 'module'; module: string; name: string } | { kind: 'source'; source: string }
export async function describe(fn: any, site?: string): Promise<Code> {
  if (site && site.startsWith('file:')) {
    const ns = await import(site)
    for (const k of Object.keys(ns))
      if (ns[k] === fn || ns[k]?.[Symbol.for('rayito.remote')] === fn) return { kind: 'module', module: site, name: k }
  }
  return { kind: 'source', source: fn.toString() }
}
export async function revive(code: Code, _r: (t: Travel) => unknown): Promise<Function> {
  if (code.kind === 'module') {
    const ns = await import(code.module)
    const v = ns[code.name]
    return v[Symbol.for('rayito.remote')] ?? v
  }
  return (0, eval)(`(${code.source})`)
}
export async function reviveTravel(t: Travel): Promise<unknown> {
  return (await import(t.module))[t.name](t.data)
}
export function callSite(): string | undefined {
  const l = new Error()
    .stack!.split('\n')
    .map((x) => /(file:\/\/[^:)]+):/.exec(x)?.[1])
    .filter(Boolean) as string[]
  return l.find((u) => !u.includes('/dist/ray/'))
}
