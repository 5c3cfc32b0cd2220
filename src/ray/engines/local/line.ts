/** A queue whose first can be looked at before it is taken; as fast as it is long. */
export class Line<T> {
  #items: T[] = []
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
    this.#head++
    if (this.#head === this.#items.length) this.#items = []
    else if (this.#head <= 1024) return
    else this.#items = this.#items.slice(this.#head)
    this.#head = 0
  }
}
