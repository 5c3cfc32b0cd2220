/** How a function or class travels: as data for structured cloning. */
export type Code = ModuleCode | SourceCode

/** As an export of a module that workers can import (Node's own included). */
export interface ModuleCode {
  kind: 'module'
  /** URL, `node:` included. */
  module: string
  /** The export; '*' for the module itself, 'default.default' for the `exports.default` of CommonJS. */
  name: string
}

/** As its source with what it uses from around it, and so on: everything that is reached in this way. */
export interface SourceCode {
  kind: 'source'
  name: string
  /** The function itself first. */
  nodes: CodeNode[]
  /** Objects of which only some members are used: their names and variables. */
  bags: [name: string, variable: number][][]
  /** The values of the variables, packed. */
  data: unknown
  special: boolean
}

/** A function, class or other thing that is no data. */
export type CodeNode =
  | ModuleCode
  /** Found by the same way from the global object: ['Math', 'sqrt']. */
  | { kind: 'global'; path: string[] }
  /** CommonJS's, for modules next to a file or folder. */
  | { kind: 'require'; from: string }
  /** import.meta, or import(…), of the module at that URL. */
  | { kind: 'meta'; url: string }
  | { kind: 'import'; url: string; isVite?: boolean }
  /** A new one: what is private to instances; and the variable with the entries of classes, pairs, whose values a WeakSet has none of. */
  | { kind: 'weak'; of: 'WeakMap' | 'WeakSet'; statics?: number }
  | FunctionNode

export interface FunctionNode {
  kind: 'function' | 'class' | 'method'
  /** The same for the same function, in all threads. */
  id: string
  name: string
  /** An expression, in which `uses` are free. */
  text: string
  strict: boolean
  /** The names it uses from around it, and which variable or bag each is. */
  uses: [name: string, index: number, bag: boolean][]
  /** Functions of one group share the variables that they use. */
  group: number
  /**
   * The variable with its own properties, if it has any: the enumerable ones, methods and accessors; of a class those that are
   * data, and methods and accessors that were replaced.
   */
  properties?: number | undefined
  /** The variable with those of its prototype. */
  prototype?: number | undefined
  /** Of a function whose objects inherit from those of another, or of a class: the variable with that, and whether it itself does. */
  base?: [variable: number, itself: boolean]
  /** Where it was written, for stacks and relative imports. */
  file: string
  /** Counted from 0. */
  line: number
}

export type AnyFunction = (...args: never[]) => unknown
