/** A queue whose first can be looked at before it is taken; as fast as it is long. What has left it is not held. */
export class Line<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  get first(): T | undefined {
    return this.#items[this.#head]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): void {
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) this.#items = []
    else if (this.#head <= 1024) return
    else this.#items = this.#items.slice(this.#head)
    this.#head = 0
  }

  find(is: (item: T) => boolean): T | undefined {
    return this.#rest.find(is)
  }

  /** Puts those before all others, in their order. */
  unshift(items: readonly T[]): void {
    this.#items = [...items, ...this.#rest]
    this.#head = 0
  }

  /** Takes one out, wherever it stands; nothing happens if it does not. */
  remove(item: T): void {
    const at = this.#items.lastIndexOf(item)
    if (at >= this.#head) this.#items.splice(at, 1)
  }

  /** Takes all out. */
  takeAll(): T[] {
    const all = this.#rest
    this.#items = []
    this.#head = 0
    return all
  }

  get #rest(): T[] {
    return this.#items.slice(this.#head) as T[]
  }
}
