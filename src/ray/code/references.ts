import { builtinExports, globalPath } from './known.js'
import { requiredExports } from './modules.js'
import type { CodeNode } from './types.js'

/** What stands for a value that every thread has or can import, found by its identity; undefined for any other. */
export type Reference = (value: unknown) => Extract<CodeNode, { kind: 'global' | 'module' }> | undefined

/** As of now: of the language, of Node, of the modules loaded by `require`. */
export function references(): Reference {
  const builtins = builtinExports()
  const required = requiredExports()
  return (value) => {
    const path = globalPath(value)
    return path ? { kind: 'global', path } : (builtins(value) ?? required.get(value))
  }
}
