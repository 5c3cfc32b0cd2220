import { types } from 'node:util'
import type { AnyNode } from 'acorn'
import { kernel } from '../../core/notebook.js'
import { isNode, type Span } from './names.js'
import { parser } from './parse.js'
import type { Script } from './scope.js'
import type { Source } from './source.js'
import type { AnyFunction } from './types.js'

/** A script's text and where in it code is strict; all of it, if its first words say so. */
interface Strictness {
  source: string
  spans: readonly Span[]
}

const known = new Map<string, Strictness>()
/** Each cell of a notebook is a script, each time that it runs. */
const KEPT = 64

/** `'use strict'` before anything else but comments. */
const FIRST = /^(?:#!.*)?(?:\s|\/\*(?:[^*]|\*(?!\/))*\*\/|\/\/[^\n]*\n)*(['"])use strict\1/

/** Whether a function's code is strict where it was written. @param script where that is; undefined where it is not known */
export function isStrict(fn: AnyFunction, kind: Source['kind'], script: Script | undefined): boolean {
  if (script?.isModule) return true
  // An ordinary function shows it.
  if (kind === 'function' && 'prototype' in fn && !types.isGeneratorFunction(fn)) return hidesCaller(fn)
  // A notebook's cells are not; to ask for their text takes long.
  return script !== undefined && !kernel() && isStrictIn(script, Function.prototype.toString.call(fn))
}

/** Of strict code nobody is told who calls it. (Whether a sloppy function has `caller` itself depends on V8's version.) */
function hidesCaller(fn: AnyFunction): boolean {
  try {
    return (fn as { caller?: unknown }).caller === undefined
  } catch {
    return true
  }
}

/**
 * Whether a piece of a script is strict, since the script is, or a function or class around it. (A function that is no ordinary
 * one does not show it.) False where the script cannot be understood.
 */
function isStrictIn(script: Script, piece: string): boolean {
  let strictness = known.get(script.id)
  if (!strictness) {
    const { source } = script
    strictness = { source, spans: strictSpans(source) }
    if (known.size >= KEPT) known.clear()
    known.set(script.id, strictness)
  }
  const at = strictness.source.indexOf(piece)
  return at >= 0 && strictness.spans.some(({ start, end }) => start <= at && at < end)
}

function strictSpans(source: string): Span[] {
  if (FIRST.test(source)) return [{ start: 0, end: source.length }]
  if (!/use strict|\bclass\b/.test(source)) return []
  const parse = parser()
  const spans: Span[] = []
  const visit = (node: AnyNode): void => {
    if (beginsStrict(node)) spans.push(node)
    else
      for (const value of Object.values(node) as unknown[])
        for (const inner of Array.isArray(value) ? value : [value]) if (isNode(inner)) visit(inner)
  }
  try {
    visit(parse(source, { ecmaVersion: 'latest', allowHashBang: true, allowReturnOutsideFunction: true }))
  } catch {
    // What is not known to be strict is not.
  }
  return spans
}

function beginsStrict(node: AnyNode): boolean {
  if (node.type === 'ClassDeclaration' || node.type === 'ClassExpression') return true
  if (!('body' in node) || !('params' in node) || node.body.type !== 'BlockStatement') return false
  return node.body.body.some((statement) => 'directive' in statement && statement.directive === 'use strict')
}
