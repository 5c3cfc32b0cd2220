import type { AnyNode, ClassBody, Pattern } from 'acorn'
import { handsOnThis } from './awaiter.js'

/** How a name that is not bound inside is used. */
export interface FreeName {
  /** Whether something is assigned to it. */
  assigned: boolean
  /** The members that are read or written (`exports.NAME`), if it is used in no other way. */
  members: Set<string> | null
  /** Used where a class is evaluated: in a computed key. (`typeof` asks for nothing.) */
  eager: boolean
}

/** What belongs to the place where a function was defined rather than to the function. */
export type Lexical = 'this' | 'super' | 'arguments' | 'new.target' | 'private names'

export interface Names {
  free: Map<string, FreeName>
  /** Used outside of any inner function that would have its own. */
  lexical: Set<Lexical>
  /** Where `import.meta` is written. */
  metas: Span[]
  /** Where the word `import` of `import(…)` is. */
  imports: Span[]
}

export interface Span {
  start: number
  end: number
}

type Node = AnyNode
type Child = Node | null | undefined

/** Names bound by a function, block or class, and the scope around it. */
interface Scope {
  bound: Set<string>
  outer: Scope | null
}

/**
 * The names that a piece of a program uses but does not bind.
 * @param root an expression; what a whole program binds at its top is bound
 */
export function namesOf(root: Node): Names {
  return new Walk().run(root)
}

class Walk {
  readonly #free = new Map<string, FreeName>()
  readonly #lexical = new Set<Lexical>()
  readonly #metas: Span[] = []
  readonly #imports: Span[] = []
  #scope: Scope = { bound: new Set(), outer: null }
  /** How many functions (that have a `this` of their own) and classes the walk is in. */
  #depth = 0

  run(root: Node): Names {
    this.#node(root)
    return { free: this.#free, lexical: this.#lexical, metas: this.#metas, imports: this.#imports }
  }

  #within(bound: Iterable<string>, work: () => void): void {
    this.#scope = { bound: new Set(bound), outer: this.#scope }
    work()
    this.#scope = this.#scope.outer!
  }

  #uses(name: string, how: { member?: string; assigned?: boolean; typeof?: boolean } = {}): void {
    for (let scope: Scope | null = this.#scope; scope; scope = scope.outer) if (scope.bound.has(name)) return
    if (name === 'arguments') {
      if (this.#depth === 0) this.#lexical.add('arguments')
      return
    }
    let use = this.#free.get(name)
    if (!use) {
      use = { assigned: false, members: new Set(), eager: false }
      this.#free.set(name, use)
    }
    if (how.assigned) use.assigned = true
    if (!how.typeof && this.#depth === 0) use.eager = true
    if (how.member !== undefined) use.members?.add(how.member)
    else if (!how.typeof) use.members = null
  }

  #all(nodes: readonly Child[]): void {
    for (const node of nodes) if (node) this.#node(node)
  }

  /** A function's or class's part that has its own `this`. */
  #own(work: () => void): void {
    this.#depth++
    work()
    this.#depth--
  }

  #node(node: Node): void {
    switch (node.type) {
      case 'Identifier':
        return this.#uses(node.name)
      case 'MemberExpression':
        if (node.object.type === 'Identifier') {
          const member = memberName(node)
          this.#uses(node.object.name, member === undefined ? {} : { member })
        } else this.#node(node.object)
        if (node.computed) this.#node(node.property)
        return
      case 'UnaryExpression':
        if (node.operator === 'typeof' && node.argument.type === 'Identifier')
          return this.#uses(node.argument.name, { typeof: true })
        return this.#node(node.argument)
      case 'AssignmentExpression':
        this.#target(node.left)
        return this.#node(node.right)
      case 'UpdateExpression':
        return this.#target(node.argument)
      case 'ForInStatement':
      case 'ForOfStatement':
        return this.#within(lexicals([node.left]), () => {
          if (node.left.type === 'VariableDeclaration') this.#node(node.left)
          else this.#target(node.left)
          this.#node(node.right)
          this.#node(node.body)
        })
      case 'ForStatement':
        return this.#within(node.init ? lexicals([node.init]) : [], () =>
          this.#all([node.init, node.test, node.update, node.body]),
        )
      case 'Program':
        return this.#within([...vars(node.body), ...lexicals(node.body)], () => this.#all(node.body))
      case 'BlockStatement':
        return this.#within(lexicals(node.body), () => this.#all(node.body))
      case 'StaticBlock':
        return this.#own(() => this.#within([...vars(node.body), ...lexicals(node.body)], () => this.#all(node.body)))
      case 'SwitchStatement':
        this.#node(node.discriminant)
        return this.#within(lexicals(node.cases.flatMap(({ consequent }) => consequent)), () =>
          this.#all(node.cases.flatMap(({ test, consequent }) => [test, ...consequent])),
        )
      case 'CatchClause':
        return this.#within(node.param ? bindings(node.param) : [], () => {
          if (node.param) this.#pattern(node.param)
          this.#node(node.body)
        })
      case 'FunctionDeclaration':
      case 'FunctionExpression':
      case 'ArrowFunctionExpression':
        return this.#function(node)
      case 'ClassDeclaration':
      case 'ClassExpression':
        return this.#within(node.id ? [node.id.name] : [], () => {
          if (node.superClass) this.#node(node.superClass)
          this.#classBody(node.body)
        })
      case 'VariableDeclarator':
        this.#pattern(node.id)
        if (node.init) this.#node(node.init)
        return
      case 'Property':
        if (node.computed) this.#node(node.key)
        return this.#node(node.value)
      case 'LabeledStatement':
        return this.#node(node.body)
      case 'BreakStatement':
      case 'ContinueStatement':
        return
      case 'MetaProperty':
        if (node.meta.name === 'import') this.#metas.push({ start: node.start, end: node.end })
        else if (this.#depth === 0) this.#lexical.add('new.target')
        return
      case 'ImportExpression':
        this.#imports.push({ start: node.start, end: node.start + 'import'.length })
        return this.#children(node)
      case 'CallExpression':
        return this.#children(handsOnThis(node) ? { ...node, arguments: node.arguments.slice(1) } : node)
      case 'ThisExpression':
        if (this.#depth === 0) this.#lexical.add('this')
        return
      case 'Super':
        if (this.#depth === 0) this.#lexical.add('super')
        return
      default:
        return this.#children(node)
    }
  }

  #children(node: Node): void {
    for (const value of Object.values(node))
      if (Array.isArray(value)) for (const item of value) isNode(item) && this.#node(item)
      else if (isNode(value)) this.#node(value)
  }

  #function(
    node: Extract<Node, { type: 'FunctionExpression' | 'FunctionDeclaration' | 'ArrowFunctionExpression' }>,
  ): void {
    const arrow = node.type === 'ArrowFunctionExpression'
    const bound = new Set<string>()
    if (node.type === 'FunctionExpression' && node.id) bound.add(node.id.name)
    if (!arrow) bound.add('arguments')
    for (const param of node.params) for (const name of bindings(param)) bound.add(name)
    const { body } = node
    // What the body declares is not there for defaults of parameters.
    const inside = () =>
      this.#within(bound, () => {
        for (const param of node.params) this.#pattern(param)
        if (body.type !== 'BlockStatement') return this.#node(body)
        this.#within([...vars(body.body), ...lexicals(body.body)], () => this.#all(body.body))
      })
    if (arrow) inside()
    else this.#own(inside)
  }

  #classBody({ body }: ClassBody): void {
    for (const member of body) {
      if (member.type === 'StaticBlock') {
        this.#node(member)
        continue
      }
      // A computed key belongs to the place around the class.
      if (member.computed) this.#node(member.key)
      const { value } = member
      if (value) this.#own(() => this.#node(value))
    }
  }

  /** Something that is assigned to. */
  #target(node: Node): void {
    if (node.type === 'Identifier') this.#uses(node.name, { assigned: true })
    else if (node.type === 'MemberExpression') this.#node(node)
    else this.#pattern(node as Pattern, (inner) => this.#target(inner))
  }

  /** What a pattern evaluates: defaults and computed keys. Its names are bound, or given to `leaf`. */
  #pattern(node: Pattern, leaf: (node: Node) => void = () => {}): void {
    switch (node.type) {
      case 'ObjectPattern':
        for (const property of node.properties) {
          if (property.type === 'RestElement') this.#pattern(property.argument, leaf)
          else {
            if (property.computed) this.#node(property.key)
            this.#pattern(property.value, leaf)
          }
        }
        return
      case 'ArrayPattern':
        for (const element of node.elements) if (element) this.#pattern(element, leaf)
        return
      case 'RestElement':
        return this.#pattern(node.argument, leaf)
      case 'AssignmentPattern':
        this.#pattern(node.left, leaf)
        return this.#node(node.right)
      default:
        return leaf(node)
    }
  }
}

/** Whether a part of a node is a node. */
export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as { type?: unknown }).type === 'string'
}

/** The member that `object.name` or `object['name']` names. */
function memberName(node: Extract<Node, { type: 'MemberExpression' }>): string | undefined {
  const { property, computed } = node
  if (!computed) return property.type === 'Identifier' ? property.name : undefined
  return property.type === 'Literal' && typeof property.value === 'string' ? property.value : undefined
}

/** The names that a pattern binds. */
function bindings(pattern: Pattern): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name]
    case 'ObjectPattern':
      return pattern.properties.flatMap((property) =>
        bindings(property.type === 'RestElement' ? property.argument : property.value),
      )
    case 'ArrayPattern':
      return pattern.elements.flatMap((element) => (element ? bindings(element) : []))
    case 'RestElement':
      return bindings(pattern.argument)
    case 'AssignmentPattern':
      return bindings(pattern.left)
    default:
      return []
  }
}

/** The names that statements declare for their own block. */
function lexicals(statements: readonly Node[]): string[] {
  return statements.flatMap((statement) => {
    const inner = statement.type === 'LabeledStatement' ? statement.body : statement
    if (inner.type === 'VariableDeclaration')
      return inner.kind === 'var' ? [] : inner.declarations.flatMap(({ id }) => bindings(id))
    if (inner.type === 'FunctionDeclaration' || inner.type === 'ClassDeclaration')
      return inner.id ? [inner.id.name] : []
    return []
  })
}

/** The names that `var` declares anywhere in statements, not in inner functions. */
function vars(statements: readonly Node[]): string[] {
  const names: string[] = []
  const visit = (node: Node): void => {
    if (/Function|Class/.test(node.type)) return
    if (node.type === 'VariableDeclaration' && node.kind === 'var')
      names.push(...node.declarations.flatMap(({ id }) => bindings(id)))
    for (const value of Object.values(node))
      if (Array.isArray(value)) for (const item of value) isNode(item) && visit(item)
      else if (isNode(value)) visit(value)
  }
  for (const statement of statements) visit(statement)
  return names
}
