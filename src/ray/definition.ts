import { types } from 'node:util'
import { type Code, describe, nameOf } from './code/index.js'

let made = 0

/** Characters that are told of a function without a name. */
const LENGTH = 32

/** A function or class given to `ray.remote`, and how it travels, found out at its first call. */
export class RemoteDefinition {
  /** Known to the workers by this. */
  readonly id = `f${++made}`
  readonly name: string
  code: Code | null = null
  #describing: Promise<Code> | null = null
  /** Mean run time of its calls in milliseconds, and how many were measured: a fast function's calls may queue in a worker. */
  #mean = 0
  #measured = 0

  /** One that a worker made and described. */
  static received(name: string, code: Code, generators: readonly string[] = []): RemoteDefinition {
    const definition = new RemoteDefinition(
      Object.defineProperty(() => {}, 'name', { value: name }),
      undefined,
    )
    definition.code = code
    definition.#generators = generators
    return definition
  }

  constructor(
    readonly target: (...args: never[]) => unknown,
    private readonly site: string | undefined,
    name = nameOf(target) || beginning(target),
  ) {
    this.name = name
  }

  /** Of a class: names of the methods that are generators. */
  get generators(): readonly string[] {
    this.#generators ??= generatorMethods(this.target)
    return this.#generators
  }
  #generators: readonly string[] | null = null

  describe(): Promise<Code> {
    this.#describing ??= this.#describe()
    return this.#describing
  }

  async #describe(): Promise<Code> {
    try {
      this.code = await describe(this.target, this.site)
      return this.code
    } catch (error) {
      // What cannot travel now may after its variables were changed.
      this.#describing = null
      throw error
    }
  }

  /** Mean run time of its calls, in milliseconds. */
  get mean(): number {
    return this.#mean
  }

  measured(milliseconds: number): void {
    this.#measured++
    this.#mean += (milliseconds - this.#mean) / Math.min(this.#measured, 16)
  }

  /** Calls that one worker may hold at once, so that a message's way costs less than the work: 1 unless calls take well under a millisecond. */
  get depth(): number {
    if (this.#measured < 4) return 1
    return Math.max(1, Math.min(64, Math.floor(1 / (this.#mean + 0.002))))
  }
}

/** What a function without a name is called in errors and tables: `(x) => x * x`. */
function beginning(target: (...args: never[]) => unknown): string {
  const text = Function.prototype.toString.call(target).replace(/\s+/g, ' ')
  return text.length > LENGTH ? `${text.slice(0, LENGTH).trimEnd()}…` : text
}

/** Names of a class's methods that are generators. */
export function generatorMethods(type: object): string[] {
  const names = new Set<string>()
  for (
    let at = (type as { prototype?: object | null }).prototype;
    at && at !== Object.prototype;
    at = Object.getPrototypeOf(at)
  )
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(at)))
      if (types.isGeneratorFunction(value)) names.add(name)
  return [...names]
}
