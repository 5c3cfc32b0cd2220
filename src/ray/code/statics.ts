import type { AnyNode, ClassExpression, ExpressionStatement } from 'acorn'
import { parser } from './parse.js'
import type { AnyFunction } from './types.js'

export interface Statics {
  /** Whether evaluating the class makes what is under that key, of which nobody can tell whether it is what was made here. */
  isMade(key: string | symbol): boolean
}

/** What a class's text says of its static members. */
export function staticsOf(type: AnyFunction): Statics {
  const text = `(${Function.prototype.toString.call(type)}\n)`
  const made = new Set<string>()
  /** What a static block does otherwise. */
  let blocks = ''
  let symbols = false
  const initialize = (key: string | undefined, value: AnyNode | null | undefined) => {
    if (isPlain(value)) return
    if (key === undefined) symbols = true
    else made.add(key)
  }
  for (const member of bodyOf(text)) {
    if (member.type === 'PropertyDefinition' && member.static)
      initialize(member.computed ? undefined : nameOfKey(member.key), member.value)
    if (member.type !== 'StaticBlock') continue
    // So does TypeScript write static properties where it does not define but sets them.
    for (const statement of member.body) {
      const set = statement.type === 'ExpressionStatement' && statement.expression
      if (set && set.type === 'AssignmentExpression' && set.left.type === 'MemberExpression' && !set.left.computed)
        initialize(nameOfKey(set.left.property), set.right)
      else blocks += text.slice(statement.start, statement.end)
    }
  }
  return {
    isMade: (key) => (typeof key === 'symbol' ? symbols || blocks !== '' : made.has(key) || blocks.includes(key)),
  }
}

/** A class's text may have `await` for a name, unless it is a module's. */
function bodyOf(text: string): ClassExpression['body']['body'] {
  const parse = parser()
  const parsed = (sourceType: 'module' | 'script') =>
    parse(text, { ecmaVersion: 'latest', sourceType, checkPrivateFields: false }).body[0] as ExpressionStatement
  let statement: ExpressionStatement
  try {
    statement = parsed('module')
  } catch {
    statement = parsed('script')
  }
  return (statement.expression as ClassExpression).body.body
}

function nameOfKey(key: AnyNode): string | undefined {
  if (key.type === 'Identifier') return key.name
  return key.type === 'Literal' ? String(key.value) : undefined
}

/** Whether an expression makes no function, or is one: whatever else is found was put there later. */
function isPlain(value: AnyNode | null | undefined): boolean {
  if (!value || /^(ArrowFunction|Function|Class)Expression$/.test(value.type)) return true
  switch (value.type) {
    case 'Literal':
      return true
    case 'UnaryExpression':
      return isData(value.argument)
    case 'ArrayExpression':
      return value.elements.every(isData)
    case 'ObjectExpression':
      return value.properties.every((property) => property.type === 'Property' && isData(property.value))
    case 'NewExpression':
      return value.arguments.every(isData)
    default:
      return false
  }
}

const isData = (value: AnyNode | null) => isPlain(value) && !/Function|Class/.test(value?.type ?? '')
