/** What workers print, line by line, tagged with who printed it: `(InferenceEngine#2) loading`. */
export class WorkerOutput {
  readonly #partial = new Map<string, string>()

  constructor(private readonly shown: boolean) {}

  write(label: string, stream: 'stdout' | 'stderr', text: string): void {
    if (!this.shown) return
    const key = `${stream} ${label}`
    const lines = ((this.#partial.get(key) ?? '') + text).split('\n')
    const rest = lines.pop()!
    if (rest) this.#partial.set(key, rest)
    else this.#partial.delete(key)
    if (lines.length) process[stream].write(lines.map((line) => `(${label}) ${line}\n`).join(''))
  }

  /** Lines that never ended. */
  end(): void {
    for (const [key, rest] of this.#partial) {
      const [stream, ...label] = key.split(' ')
      process[stream as 'stdout' | 'stderr'].write(`(${label.join(' ')}) ${rest}\n`)
    }
    this.#partial.clear()
  }
}
