/**
 * How a value that structured cloning cannot carry crosses to another thread or machine: as plain data and the name of a
 * module's export that makes the value again there. `ray` asks for it; whoever defines a class that travels gives it.
 */

/** A method of a value: returns what stands for it (see {@link via}), or plain data that its class's `[deserialize]` takes. */
export const serialize: unique symbol = Symbol.for('rayito.serialize') as never
/** A static method of a class: makes the value again from that data. May return a promise. */
export const deserialize: unique symbol = Symbol.for('rayito.deserialize') as never

/** What is of which copy of this package, where a program has several: a getter of classes, which gives {@link THIS_COPY}. */
export const COPY: unique symbol = Symbol.for('rayito.copy') as never
export const THIS_COPY: object = {}

/** What stands for a value on its way. */
export class Travel {
  get [COPY](): object {
    return THIS_COPY
  }

  /**
   * @param module URL of the module (`import.meta.url`) that has `name`
   * @param name an exported function: data in, the value or a promise of it out
   * @param data what can be structured-cloned; typed arrays over SharedArrayBuffers are shared, not copied
   */
  constructor(
    readonly module: string,
    readonly name: string,
    readonly data: unknown,
  ) {}
}

/** What is to be done about a value of another copy of this package: '' of any other. */
export function otherCopy(value: unknown): string {
  if (typeof value !== 'object' || value === null) return ''
  const itself = COPY in value || !(serialize in value)
  const marked = itself ? value : (value as { [serialize](): unknown })[serialize]()
  return isOthers(marked) ? `It ${OTHER_COPY[0]}. ${OTHER_COPY[1]}` : ''
}

/** Whether a value, or what stands for one on its way, is marked as of another copy of this package, with sessions and workers of its own. */
export function isOthers(marked: unknown): boolean {
  return typeof marked === 'object' && marked !== null && COPY in marked && marked[COPY] !== THIS_COPY
}

/** What is said of it, and what is to be done. */
export const OTHER_COPY = ['is of another copy of rayito (`npm ls rayito`)', 'Install one.'] as const

const offered = new WeakSet<object>()

/** Notes functions and classes of this package that other machines may name: what makes again what travels, and the like. */
export function offer(...things: object[]): void {
  for (const thing of things) offered.add(thing)
}

/** Whether other machines may name it, though this package does not export it to everybody. */
export function isOffered(thing: object): boolean {
  return offered.has(thing)
}

/** `[serialize]() { return via(import.meta.url, 'revive', data) }`, where `revive` is offered. */
export function via(module: string, name: string, data: unknown): Travel {
  return new Travel(module, name, data)
}
