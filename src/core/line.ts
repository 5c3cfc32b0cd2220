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
    return this.#items.slice(this.#head).find((item) => is(item as T))
  }
}
