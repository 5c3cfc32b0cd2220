import { BASE } from './source.js'
import type { CodeNode, FunctionNode, SourceCode } from './types.js'

export const isFunction = (node: CodeNode): node is FunctionNode => 'group' in node

/** Which classes must be evaluated before which: one may extend another, or its statics begin with it. */
export class Dependencies {
  readonly #used = new Map<number, number[]>()
  readonly #reached = new Map<number, Set<number>>()

  /** @param nodeOf which node a variable is, where it is one */
  constructor(
    private readonly code: SourceCode,
    private readonly nodeOf: ReadonlyMap<number, number>,
  ) {}

  /** All classes, those of a file in its order: what containers hide is found there before it is needed. */
  classes(): number[] {
    const { nodes } = this.code
    const indices = [...nodes.keys()].filter((i) => this.#isClass(i))
    return indices.sort((a, b) => this.#function(a).line - this.#function(b).line)
  }

  /** The classes that one uses, itself or through functions, and that were there before it. */
  before(index: number): number[] {
    return [...this.#reach(index)].filter((used) => this.#isClass(used) && this.#isBefore(used, index))
  }

  /** Where each of two uses the other, the text tells. */
  #isBefore(used: number, index: number): boolean {
    if (!this.#reach(used).has(index)) return true
    const [it, user] = [this.#function(used), this.#function(index)]
    const isBase = user.uses.some(([name, variable]) => name === BASE && this.nodeOf.get(variable) === used)
    const tells = it.file === user.file && it.line !== user.line && !isBase
    return tells ? it.line < user.line : this.#uses(index).includes(used)
  }

  /** The functions and classes that one uses, and those that they use, and so on. */
  #reach(index: number): Set<number> {
    let reached = this.#reached.get(index)
    if (!reached) {
      reached = new Set(this.#uses(index))
      for (const used of reached) for (const next of this.#uses(used)) reached.add(next)
      this.#reached.set(index, reached)
    }
    return reached
  }

  /** Those that it uses itself. */
  #uses(index: number): number[] {
    let used = this.#used.get(index)
    if (!used) {
      const { bags, nodes } = this.code
      const variables = this.#function(index).uses.flatMap(([, at, bag]) =>
        bag ? bags[at]!.map(([, variable]) => variable) : [at],
      )
      used = variables
        .map((variable) => this.nodeOf.get(variable) ?? -1)
        .filter((i) => nodes[i] && isFunction(nodes[i]))
      this.#used.set(index, used)
    }
    return used
  }

  #isClass(index: number): boolean {
    const node = this.code.nodes[index]!
    return isFunction(node) && node.kind === 'class'
  }

  #function(index: number): FunctionNode {
    return this.code.nodes[index] as FunctionNode
  }
}
