import type { MimeBundle, Output } from './nbformat.js'
import type { Message } from './wire.js'

/** Bounds on what one cell may leave in a notebook, so that an endless loop of prints cannot fill memory or disk. */
const MAX_STREAM_CHARACTERS = 1_000_000
const MAX_OUTPUTS = 1_000
const MAX_RICH_CHARACTERS = 64_000_000
/** How much of the error stream's end stays all the same: why a cell fails stands there, with all that belongs to the error. */
const LAST_WORDS = 20_000

/** Where displays with an id stand in a notebook, so that an update from any cell finds them. */
export type Displays = Map<string, Extract<Output, { output_type: 'display_data' }>[]>

/** Collects the outputs of one cell from the kernel's messages. */
export class Outputs {
  readonly list: Output[] = []
  #text = 0
  #rich = 0
  #dropped = 0
  /** The end of what was dropped of the error stream. */
  #lastWords = ''
  #clear = false

  constructor(private readonly displays: Displays) {}

  /** Takes one message of the kernel's publishing socket; other kinds than outputs are left alone. */
  add({ type, content }: Message): void {
    switch (type) {
      case 'stream':
        this.#stream(content.name === 'stderr' ? 'stderr' : 'stdout', String(content.text))
        break
      case 'display_data':
      case 'update_display_data':
        this.#display(type === 'update_display_data', content)
        break
      case 'execute_result':
        this.#push({
          output_type: 'execute_result',
          data: bundle(content.data),
          metadata: bundle(content.metadata),
          execution_count: (content.execution_count as number | undefined) ?? null,
        })
        break
      case 'error':
        this.#push({
          output_type: 'error',
          ename: String(content.ename),
          evalue: String(content.evalue),
          traceback: (content.traceback as string[] | undefined) ?? [],
        })
        break
      case 'clear_output':
        this.#clear = true
        if (!content.wait) this.#cleared()
    }
  }

  /** Text of the error stream so far; tslab writes a cell's failure there. */
  get stderr(): string {
    return this.list
      .map((output) => (output.output_type === 'stream' && output.name === 'stderr' ? output.text : ''))
      .concat(this.#lastWords)
      .join('')
  }

  /** Says what is missing, if anything is: `lossy` when output was lost on its way here. */
  end(lossy = false): void {
    const missing = this.#dropped - this.#lastWords.length
    if (this.#lastWords !== '') this.list.push({ output_type: 'stream', name: 'stderr', text: this.#lastWords })
    if (missing > 0) this.#note(`${missing.toLocaleString('en')} more characters of output were left out`)
    if (lossy) this.#note('the cell printed faster than the kernel could send: some of its output was lost')
    this.#dropped = 0
    this.#lastWords = ''
  }

  #note(text: string): void {
    this.list.push({ output_type: 'stream', name: 'stderr', text: `\n[rayito: ${text}]\n` })
  }

  #stream(name: 'stdout' | 'stderr', text: string): void {
    this.#cleared()
    const kept = text.slice(0, MAX_STREAM_CHARACTERS - this.#text)
    const dropped = kept !== '' && this.#append(name, kept) ? text.slice(kept.length) : text
    this.#text += text.length - dropped.length
    this.#dropped += dropped.length
    if (name === 'stderr') this.#lastWords = (this.#lastWords + dropped).slice(-LAST_WORDS)
  }

  #append(name: 'stdout' | 'stderr', text: string): boolean {
    const last = this.list.at(-1)
    if (last?.output_type !== 'stream' || last.name !== name) return this.#push({ output_type: 'stream', name, text })
    last.text += text
    return true
  }

  #display(update: boolean, content: Record<string, unknown>): void {
    const data = bundle(content.data)
    const metadata = bundle(content.metadata)
    const id = (content.transient as { display_id?: string } | undefined)?.display_id
    if (update) {
      for (const shown of (id !== undefined && this.displays.get(id)) || []) Object.assign(shown, { data, metadata })
      return
    }
    const output = { output_type: 'display_data' as const, data, metadata }
    if (!this.#push(output) || id === undefined) return
    const same = this.displays.get(id)
    if (same) same.push(output)
    else this.displays.set(id, [output])
  }

  #push(output: Output): boolean {
    this.#cleared()
    const size = output.output_type === 'stream' ? 0 : JSON.stringify(output).length
    if (this.list.length >= MAX_OUTPUTS || this.#rich + size > MAX_RICH_CHARACTERS) {
      this.#dropped += size
      return false
    }
    this.#rich += size
    this.list.push(output)
    return true
  }

  /** What is cleared leaves nothing, so it counts for nothing. */
  #cleared(): void {
    if (!this.#clear) return
    this.#clear = false
    this.list.length = 0
    this.#text = 0
    this.#rich = 0
    this.#dropped = 0
    this.#lastWords = ''
  }
}

function bundle(data: unknown): MimeBundle {
  return (data as MimeBundle | undefined) ?? {}
}
