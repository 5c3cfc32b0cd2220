import { type Cell, scriptName } from './stack.js'

/** What tslab makes of a cell. */
interface Converted {
  declOutput?: string
  diagnostics: { messageText: string }[]
  output?: string
  hasToplevelAwait?: boolean
}
interface Converter {
  convert(declarations: string, source: string): Converted
  inspect(declarations: string, source: string, position: number): unknown
  complete(declarations: string, source: string, position: number): unknown
}
interface Compiler {
  ScriptTarget: { Latest: number }
  createSourceFile(name: string, text: string, target: number): Node & { statements: readonly Statement[] }
  forEachChild<T>(node: Node, visit: (node: Node) => T | undefined): T | undefined
  isForOfStatement(node: Node): boolean
  isFunctionLike(node: Node): boolean
  isShorthandPropertyAssignment(node: Node): node is Node & { name: Node & { text: string } }
}
interface Node {
  end: number
  awaitModifier?: Node
}
interface Statement extends Node {
  pos: number
  name?: { text: string }
  declarationList?: { declarations: readonly (Statement & { name: { text: string } })[] }
}
declare const __tslab__: { exports: Record<string, unknown>; scriptOf: (text: string) => string | null }

const begun = new Map<number, Cell>()
let number = 0

/** The cells that began by their numbers, the newest last. */
export const cells: ReadonlyMap<number, Cell> = begun

/** The next cell that is compiled, and run, has that number. */
export function beginCell(its: number): void {
  number = its
  __tslab__.scriptOf = scriptOf
}

/** What travels to a worker has its cell's name there. */
function scriptOf(text: string): string | null {
  const found = [...begun].findLast(([, { javascript }]) => javascript.includes(text))
  return found ? scriptName(found[0]) : null
}

/** tslab's scripts have no names: in stacks each cell's gets one of its own. */
export function nameScripts(vm: VirtualMachine): void {
  const { runInThisContext } = vm
  vm.runInThisContext = (code, options) =>
    runInThisContext(code, options?.breakOnSigint ? { filename: scriptName(number), ...options } : options)
}

interface VirtualMachine {
  runInThisContext(code: string, options?: { breakOnSigint?: boolean; filename?: string }): unknown
}

/** A cell that fails keeps what it had defined by then, as in Python: tslab forgot all of it. */
export function keepDefinitions(tslab: NodeJS.Require): void {
  const compiler = tslab('@tslab/typescript-for-tslab') as Compiler
  const converters = tslab('./dist/converter.js') as { createConverter(options: object): Converter }
  const { createConverter } = converters
  converters.createConverter = (options) => {
    const converter = createConverter(options)
    /** Of the last cell that began: tslab goes on from it if that did not fail. */
    let newest = ''
    const known = (before: string) => (before === newest ? before : defined(newest, before, compiler))
    return {
      ...converter,
      convert(before, source) {
        const declared = known(before)
        const full = spelledOut(source, compiler)
        let converted = converter.convert(declared, full)
        // Places are told in the cell as it was written.
        if (converted.diagnostics.length > 0 && full !== source) converted = converter.convert(declared, source)
        for (const problem of converted.diagnostics) problem.messageText = withRemedy(problem.messageText)
        if (converted.diagnostics.length > 0) return converted
        newest = converted.declOutput ?? ''
        begun.set(number, { source, javascript: converted.output ?? '' })
        // tslab sees what `await` stands before, but not a loop.
        converted.hasToplevelAwait ||= loopsWithAwait(source, compiler)
        return converted
      },
      inspect: (before, source, position) => converter.inspect(known(before), source, position),
      complete: (before, source, position) => converter.complete(known(before), source, position),
    }
  }
}

/** A cell with `{ x: x }` for every `{ x }`: tslab finds what other cells define in the former only. */
function spelledOut(source: string, compiler: Compiler): string {
  const names: (Node & { text: string })[] = []
  const visit = (node: Node): undefined => {
    if (compiler.isShorthandPropertyAssignment(node)) names.push(node.name)
    compiler.forEachChild(node, visit)
  }
  visit(compiler.createSourceFile('cell.ts', source, compiler.ScriptTarget.Latest))
  return names.reduceRight((text, { text: name, end }) => `${text.slice(0, end)}: ${name}${text.slice(end)}`, source)
}

/** Whether a cell has a `for await` outside of all functions. */
function loopsWithAwait(source: string, compiler: Compiler): boolean {
  if (!/\bfor\s*await\b/.test(source)) return false
  const loops = (node: Node): true | undefined => {
    if (compiler.isFunctionLike(node)) return undefined
    if (compiler.isForOfStatement(node) && node.awaitModifier) return true
    return compiler.forEachChild(node, loops)
  }
  return loops(compiler.createSourceFile('cell.ts', source, compiler.ScriptTarget.Latest)) ?? false
}

/** A cell exports all that it defines, which whoever wrote it cannot know. */
function withRemedy(message: string): string {
  const isHidden = /^Property '.+' of exported class expression may not be private or protected\.$/.test(message)
  return isHidden ? `${message} Define the class in a statement of its own and give its name here.` : message
}

/** Of declarations those that were there before, or whose values are there. */
function defined(declarations: string, before: string, compiler: Compiler): string {
  const parse = (text: string) => compiler.createSourceFile('cell.d.ts', text, compiler.ScriptTarget.Latest)
  const { statements } = parse(declarations)
  const textOf = ({ pos, end }: Statement) => declarations.slice(pos, end).trim()
  const isThere = (name: string) => __tslab__.exports[name] !== undefined
  const old = parse(before).statements.flatMap(({ pos, end, declarationList }) =>
    [{ pos, end }, ...(declarationList?.declarations ?? [])].map((one) => before.slice(one.pos, one.end).trim()),
  )
  return statements
    .map((statement) => {
      const text = textOf(statement)
      const variables = statement.declarationList?.declarations
      if (!variables) {
        const isValue = /^(export )?declare (abstract )?(class|const enum|enum|function)\b/.test(text)
        return !isValue || old.includes(text) || isThere(statement.name!.text) ? text : ''
      }
      const kept = variables.filter((one) => old.includes(textOf(one)) || isThere(one.name.text)).map(textOf)
      return kept.length > 0 ? `declare ${/\b(let|var|const)\b/.exec(text)![0]} ${kept.join(', ')};` : ''
    })
    .join('\n')
}
