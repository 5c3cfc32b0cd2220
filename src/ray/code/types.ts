/** How a function or class travels. */
export type Code =
  /** As an export of a module that workers can import. */
  | { kind: 'module'; module: string; name: string }
  /** As its source and what it uses from around it. */
  | SourceCode

export interface SourceCode {
  kind: 'source'
  name: string
  source: string
}

export type AnyFunction = (...args: never[]) => unknown
