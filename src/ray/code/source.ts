import type {
  AnyNode,
  ClassExpression,
  ExpressionStatement,
  FunctionExpression,
  Identifier,
  MethodDefinition,
  ObjectExpression,
  Options,
  Property,
} from 'acorn'
import { type FreeName, type Lexical, namesOf } from './names.js'
import { parser } from './parse.js'

/** Names that stand in a source for what cannot be written there. */
export const META = 'rayito$meta'
export const IMPORT = 'rayito$import'
export const BASE = 'rayito$base'
const STAND_INS = new Set([META, IMPORT, BASE])
const METHOD = 'rayito$method'

/** A function's source as an expression that makes it again where its free names are bound. */
export interface Source {
  /** An expression; of a method, an object with that method. */
  text: string
  kind: 'function' | 'class' | 'method'
  free: Map<string, FreeName>
  /** What it uses of the place where it was defined and cannot take along. */
  lexical: Lexical[]
  /** Lines of it above the place that V8 says it stands at: a class's is its constructor. */
  above: number
}

interface Edit {
  start: number
  end: number
  text: string
}

/** Null: it has no source (it is native, or bound) or none that can be understood. */
export function sourceOf(fn: (...args: never[]) => unknown): Source | null {
  const text = Function.prototype.toString.call(fn)
  return (
    understand(`(${text}\n)`, 'module') ??
    understand(`(${text}\n)`, 'script') ??
    understand(`${CLASS}${text}\n})`, 'module', CLASS) ??
    understand(`${OBJECT}${text}\n})`, 'script', OBJECT)
  )
}

/** The expression's key under which a method's value is. */
export const METHOD_KEY = METHOD

/** What a method is put into, so that it can be parsed: only a class may have private ones, only an object sloppy ones. */
const CLASS = '(class{'
const OBJECT = '({'

/** @param around what the text was put into, if it is taken for a method */
function understand(wrapped: string, sourceType: 'module' | 'script', around?: string): Source | null {
  const options: Options = {
    ecmaVersion: 'latest',
    sourceType,
    allowSuperOutsideMethod: true,
    checkPrivateFields: false,
  }
  const parse = parser()
  let root: AnyNode
  try {
    root = (parse(wrapped, options).body[0] as ExpressionStatement).expression
  } catch {
    return null
  }
  const edits: Edit[] = []
  let kind: Source['kind'] = root.type === 'ClassExpression' ? 'class' : 'function'
  let within = root
  if (around) {
    const [member] = root.type === 'ClassExpression' ? root.body.body : (root as ObjectExpression).properties
    const { key, value } = member as MethodDefinition | Property
    edits.push({ start: 0, end: around.length, text: OBJECT }, { start: key.start, end: key.end, text: `'${METHOD}'` })
    kind = 'method'
    within = value
  }
  if (root.type === 'FunctionExpression' && root.id && assignsItself(root, root.id, wrapped)) {
    edits.push({ start: root.id.start, end: root.id.end, text: '' })
    within = { ...root, id: null }
  }
  const base = root.type === 'ClassExpression' && root.superClass
  if (base) edits.push({ start: base.start, end: base.end, text: BASE })
  const { free, lexical, metas, imports } = names(within, kind)
  edits.push(...metas.map((span) => ({ ...span, text: META })), ...imports.map((span) => ({ ...span, text: IMPORT })))
  for (const { text } of edits) if (STAND_INS.has(text)) free.set(text, { assigned: false, members: null, eager: true })
  return {
    text: edited(wrapped, edits),
    kind,
    free,
    lexical: [...lexical],
    above: root.type === 'ClassExpression' ? linesAbove(root, wrapped) : 0,
  }
}

/** Whether it assigns to its own name. Only a declaration can do that, whose name is a variable of the place around it: Babel's helpers replace themselves. */
function assignsItself(root: FunctionExpression, { name, end }: Identifier, text: string): boolean {
  return text.includes(name, end) && namesOf({ ...root, id: null }).free.get(name)?.assigned === true
}

function linesAbove({ body }: ClassExpression, text: string): number {
  const maker = body.body.find((member) => member.type === 'MethodDefinition' && member.kind === 'constructor')
  return maker ? text.slice(0, maker.start).split('\n').length - 1 : 0
}

function names(node: AnyNode, kind: Source['kind']): ReturnType<typeof namesOf> {
  if (node.type === 'ClassExpression' && node.superClass) {
    // The base class comes as a value.
    const { superClass, ...rest } = node
    return namesOf({ ...rest, superClass: null } as AnyNode)
  }
  const found = namesOf(node)
  // An arrow function has its super from where it stands, as a method has.
  const isSuper =
    kind === 'method' && namesOf({ ...node, type: 'ArrowFunctionExpression' } as AnyNode).lexical.has('super')
  if (isSuper) found.lexical.add('super')
  if (hasPrivateName(node)) found.lexical.add('private names')
  return found
}

/** Whether a node has one in it, other than in a class. */
function hasPrivateName(node: unknown): boolean {
  if (typeof node !== 'object' || node === null) return false
  const { type } = node as { type?: string }
  if (type === 'PrivateIdentifier') return true
  if (type === 'ClassExpression' || type === 'ClassDeclaration') return false
  return Object.values(node).some(hasPrivateName)
}

function edited(text: string, edits: Edit[]): string {
  let result = text
  for (const { start, end, text: by } of edits.sort((a, b) => b.start - a.start)) {
    // What comes after stays in its line.
    const breaks = result.slice(start, end).replace(/[^\n]/g, '')
    result = result.slice(0, start) + by + breaks + result.slice(end)
  }
  return result
}
