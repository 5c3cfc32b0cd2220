import type { Cell } from './stack.js'

/** What tslab makes of a cell. */
interface Converted {
  declOutput?: string
  diagnostics: { messageText: string }[]
  output?: string
}
interface Converter {
  convert(declarations: string, source: string): Converted
  inspect(declarations: string, source: string, position: number): unknown
  complete(declarations: string, source: string, position: number): unknown
}
interface Compiler {
  ScriptTarget: { Latest: number }
  createSourceFile(name: string, text: string, target: number): { statements: readonly Statement[]; text: string }
}
interface Statement {
  pos: number
  end: number
  name?: { text: string }
  declarationList?: { declarations: readonly (Statement & { name: { text: string } })[] }
}
declare const __tslab__: { exports: Record<string, unknown> }

let begun: Cell = { source: '', javascript: '' }

/** The cell that began last. */
export function newestCell(): Cell {
  return begun
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
        const converted = converter.convert(known(before), source)
        for (const problem of converted.diagnostics) problem.messageText = withRemedy(problem.messageText)
        if (converted.diagnostics.length > 0) return converted
        newest = converted.declOutput ?? ''
        begun = { source, javascript: converted.output ?? '' }
        return converted
      },
      inspect: (before, source, position) => converter.inspect(known(before), source, position),
      complete: (before, source, position) => converter.complete(known(before), source, position),
    }
  }
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
