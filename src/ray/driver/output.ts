type Stream = 'stdout' | 'stderr'

const writeSoon = (stream: Stream, text: string): void => void process[stream].write(text)

/** How long a line stays known, in milliseconds: as long as Ray's. */
const WINDOW = 5_000

/** Characters of a line that has not ended after which it is shown in pieces. */
const LONGEST = 1 << 20

/** A line that has not ended. */
interface Begun {
  rest: string
  /** Whether what comes next is written over it, as behind `\r`. */
  overwrite: boolean
}

const EMPTY: Begun = { rest: '', overwrite: false }

/** A line that was shown, and how often other workers have printed it since. */
interface Shown {
  worker: string
  label: string
  repeated: number
  timer: NodeJS.Timeout
}

/**
 * What workers print, line by line, tagged with who printed it: `(InferenceEngine#2) loading`. A line that other workers
 * print too within five seconds is shown once, and then how often it was repeated, as Ray does (RAY_DEDUP_LOGS).
 */
export class WorkerOutput {
  readonly #partial = new Map<string, Begun & { label: string; stream: Stream; worker: string }>()
  readonly #shown = new Map<string, Shown>()

  constructor(private readonly visible: boolean) {}

  /**
   * @param label who it is, for the reader
   * @param worker the worker's own name: one worker may print the same line as often as it likes
   */
  write(label: string, stream: Stream, text: string, worker = label): void {
    if (!this.visible) return
    const key = `${stream} ${worker} ${label}`
    const begun = this.#partial.get(key) ?? EMPTY
    // What is kept is not looked through again: a line may get longer by a dot at a time.
    const all = text.split(/\r?\n/).map((line, i) => continued(i === 0 ? begun : EMPTY, line))
    const { rest, overwrite } = all.pop()!
    const lines = all.map((line) => line.rest)
    const fresh = lines.filter((line) => this.#isFresh(label, stream, worker, line))
    // A piece of a line is no line that others might print, too.
    if (rest.length > LONGEST) fresh.push(rest)
    if (rest && rest.length <= LONGEST) this.#partial.set(key, { label, stream, worker, rest, overwrite })
    else this.#partial.delete(key)
    if (fresh.length) writeSoon(stream, fresh.map((line) => `(${label}) ${line}\n`).join(''))
  }

  #isFresh(label: string, stream: Stream, worker: string, line: string): boolean {
    if (line.trim() === '') return true
    const key = `${stream} ${line}`
    const shown = this.#shown.get(key)
    if (!shown) {
      const timer = setTimeout(() => this.#forget(key, stream, line), WINDOW).unref()
      this.#shown.set(key, { worker, label, repeated: 0, timer })
      return true
    }
    if (shown.worker === worker) return true
    shown.repeated++
    return false
  }

  #forget(key: string, stream: Stream, line: string, write = writeSoon): void {
    const { label, repeated, timer } = this.#shown.get(key)!
    clearTimeout(timer)
    this.#shown.delete(key)
    if (repeated > 0) write(stream, `(${label}) ${line} [repeated ${repeated}x by other workers]\n`)
  }

  /** Lines that never ended, and repetitions that were not told of yet. */
  end(write = writeSoon): void {
    for (const { label, stream, rest } of this.#partial.values()) write(stream, `(${label}) ${rest}\n`)
    this.#partial.clear()
    for (const key of [...this.#shown.keys()]) {
      const space = key.indexOf(' ')
      this.#forget(key, key.slice(0, space) as Stream, key.slice(space + 1), write)
    }
  }
}

/** Of a line, what a terminal would show: a progress bar goes back to its beginning and writes it anew. */
function continued({ rest, overwrite }: Begun, more: string): Begun {
  const goesBack = more.endsWith('\r')
  const text = goesBack ? more.slice(0, -1) : more
  const back = text.lastIndexOf('\r')
  if (back >= 0) return { rest: text.slice(back + 1), overwrite: goesBack }
  return { rest: overwrite && text ? text : rest + text, overwrite: goesBack || (overwrite && !text) }
}
