import { isMainThread } from 'node:worker_threads'
import { inLine } from './format.js'
import { notebookDisplay } from './notebook.js'

/** A piece of long work that shows how far it is. */
export interface Progress {
  /** Adds to what is done. */
  add(amount: number): void
  /** Adds what had been done before, or takes away: it counts as done, not as speed. */
  skip(amount: number): void
  /** Sets the whole, where it is learnt later. */
  total(amount: number): void
  /** Ends the bar; the line stays. Further calls do nothing. */
  done(): void
}

export interface ProgressOptions {
  label: string
  /** The whole; without it amount, rate and time are shown. */
  total?: number
  /**
   * 'bytes', or the noun of what is counted ('pictures').
   * @default 'items'
   */
  unit?: string
}

/** The part of a stream that a bar is drawn on. */
export interface Output {
  isTTY?: boolean
  columns?: number
  write(text: string): unknown
}

/** Shows nothing. */
export const silent: Progress = { add() {}, skip() {}, total() {}, done() {} }

/**
 * Shows how far a piece of work is: percentage, amount, rate and time left. In a notebook as one output that changes, on a
 * terminal as one line on stderr that changes; on any other stderr, and with NO_COLOR or CI set, as a line at the start and
 * one at the end; in a worker thread not at all. A bar that is never ended keeps nothing alive.
 *
 * Drawn by hand: cli-progress holds the process by its timer and leaves a terminal without line wrap when it ends early.
 * @param out where to draw outside a notebook
 */
export function progress(options: ProgressOptions, out: Output = process.stderr): Progress {
  if (!isMainThread) return silent
  const display = notebookDisplay()?.newDisplay()
  if (display) return new Bar(options, (state) => display.html(html(state)))
  return new Bar(options, isLively(out) ? terminal(out) : plain(out))
}

/** Whether it is a terminal whose lines may change and have colours: NO_COLOR and CI ask for plain ones. */
export function isLively(out: Output): boolean {
  const { NO_COLOR, CI, TERM } = process.env
  return Boolean(out.isTTY) && !NO_COLOR && !CI && TERM !== 'dumb'
}

/** Says a line, whatever others' texts are in it: in a notebook as an output of its own; on a terminal it stands above the bars. */
export function notice(text: string, out: Output = process.stderr): void {
  const line = inLine(text)
  const display = notebookDisplay()?.display
  const style = 'border-left:4px solid #d98e04;padding:.4em .8em'
  if (display) display.html(`<div class="rayito-notice" style="${style}">${escaped(line)}</div>`)
  else out.write(lines.size > 0 ? `\r${line}\x1b[K\n` : `${line}\n`)
}

/** A bar is drawn at most this often: every 125 ms. */
const FRAME = 125
/** The rate is that of the last five seconds, or, where things are slow, of the time that so many of them take. */
const WINDOW = 5_000
const SLOW = 3
/** Characters of a bar on a terminal, where there is room. */
const BAR = 24
/** Characters kept for what follows it, so that its length stays the same while they change. */
const TAIL = 44

/** What there is to show of a bar. */
interface State {
  label: string
  /** 0 to 1; undefined while the whole is unknown. */
  share: number | undefined
  /** `12.3 of 36.0 MB` */
  amount: string
  /** `5.1 MB/s`, or `1 min 2 s each` where it is less than one a second; empty before anything was done. */
  rate: string
  /** `4 s left` while it runs, `in 9 s` after. */
  time: string
  phase: 'start' | 'running' | 'done' | 'stopped'
}

class Bar implements Progress {
  readonly #options: ProgressOptions
  readonly #draw: (state: State) => void
  readonly #started = performance.now()
  readonly #ticks: NodeJS.Timeout
  #total: number | undefined
  #done = 0
  /** Of what is done: what was not done by this work. */
  #skipped = 0
  #drawn = 0
  #ended = false
  /** Times and amounts within the window, oldest first. */
  #samples: [time: number, amount: number][] = []

  constructor(options: ProgressOptions, draw: (state: State) => void) {
    this.#options = options
    this.#total = options.total
    this.#draw = draw
    this.#samples.push([this.#started, 0])
    this.#show('start')
    // Shows that nothing comes, too.
    this.#ticks = setInterval(() => this.#step(), FRAME).unref()
  }

  add(amount: number): void {
    this.#done += amount
    this.#step()
  }

  skip(amount: number): void {
    this.#skipped += amount
    this.add(amount)
  }

  total(amount: number): void {
    this.#total = amount
    this.#step()
  }

  done(): void {
    if (this.#ended) return
    this.#ended = true
    clearInterval(this.#ticks)
    this.#show(this.#total !== undefined && this.#done < this.#total ? 'stopped' : 'done')
  }

  #step(): void {
    if (!this.#ended && performance.now() - this.#drawn >= FRAME) this.#show('running')
  }

  #show(phase: State['phase']): void {
    const now = performance.now()
    const { label, unit = 'items' } = this.#options
    const ended = phase === 'done' || phase === 'stopped'
    const rate = ended ? this.#average(now) : this.#rate(now)
    const left = this.#total === undefined ? Number.NaN : Math.max(this.#total - this.#done, 0) / rate
    this.#drawn = now
    this.#draw({
      label,
      share:
        this.#total === undefined
          ? undefined
          : this.#total > 0
            ? Math.min(Math.max(this.#done / this.#total, 0), 1)
            : 1,
      amount: amounts(this.#done, phase === 'done' ? this.#done : this.#total, unit),
      rate: speed(rate, unit),
      time: ended
        ? `in ${duration((now - this.#started) / 1000)}`
        : Number.isFinite(left)
          ? `${duration(left)} left`
          : '',
      phase,
    })
  }

  /** Per second, over the window. */
  #rate(now: number): number {
    const amount = this.#done - this.#skipped
    const each = this.#options.unit === 'bytes' || amount <= 0 ? 0 : (now - this.#started) / amount
    const window = Math.max(WINDOW, SLOW * each)
    while (this.#samples.length > 1 && now - this.#samples[0]![0] > window) this.#samples.shift()
    const [time, before] = this.#samples[0]!
    this.#samples.push([now, amount])
    return now > time ? Math.max((amount - before) / (now - time), 0) * 1000 : 0
  }

  #average(now: number): number {
    return (Math.max(this.#done - this.#skipped, 0) / (now - this.#started)) * 1000
  }
}

/** Two amounts in the same unit: `12.3 of 36.0 MB`, `7 of 250 pictures`; one where they are the same or there is no second. */
function amounts(done: number, total: number | undefined, unit: string): string {
  const whole = Math.max(total ?? done, done)
  const power = unit === 'bytes' ? Math.min(Math.floor(Math.log10(Math.max(whole, 1)) / 3), 4) : 0
  const name = unit === 'bytes' ? ['bytes', 'kB', 'MB', 'GB', 'TB'][power] : unit
  const digits = power > 0 || !Number.isInteger(whole) ? 1 : 0
  const shown = (amount: number) => (amount / 1000 ** power).toFixed(digits)
  return `${total === undefined || total === done ? '' : `${shown(done)} of `}${shown(total ?? done)} ${name}`
}

/** What is done per second; of things that take longer, how long each takes. */
function speed(rate: number, unit: string): string {
  if (rate <= 0) return ''
  return unit !== 'bytes' && rate < 0.995 ? `${duration(1 / rate)} each` : `${amounts(rate, rate, unit)}/s`
}

/** Seconds in words: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
function duration(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`
}

/** Of 29 in a hundred no 28: a hundred times that share is a little less than 29. */
const percent = (share: number) => `${Math.floor(share * 100 + 1e-9)}%`
const facts = (...parts: string[]) => parts.filter(Boolean).join('  ')

/** The bars on a terminal that still run. The oldest has the line; one that ends leaves its own above it. */
const lines = new Map<object, string>()

function terminal(out: Output): (state: State) => void {
  const self = {}
  return ({ label, share, amount, rate, time, phase }) => {
    const tail = facts(share === undefined ? '' : percent(share).padStart(4), amount, rate, time)
    const width = (out.columns || 80) - 1
    const name = label.length > width / 2 ? `${label.slice(0, width / 2 - 1)}…` : label
    const length =
      share === undefined ? 0 : Math.min(Math.max(width - name.length - Math.max(tail.length, TAIL) - 4, 0), BAR)
    const full = Math.round((share ?? 0) * length)
    const text = facts(name, '█'.repeat(full) + '░'.repeat(length - full), tail).slice(0, width)
    // Back to the line's start, the text, and nothing of what was longer before (ECMA-48: EL).
    if (phase === 'done' || phase === 'stopped') {
      lines.delete(self)
      out.write(`\r${text}\x1b[K\n`)
    } else lines.set(self, text)
    const first = lines.values().next().value
    if (first !== undefined && (first === text || !lines.has(self))) out.write(`\r${first}\x1b[K`)
  }
}

function plain(out: Output): (state: State) => void {
  return ({ label, share, amount, rate, time, phase }) => {
    if (phase === 'start')
      out.write(share === undefined ? `${label}\n` : `${label}: ${amount.replace(/^0\S* of /, '')}\n`)
    if (phase === 'done') out.write(`${label}: ${amount} ${time}${rate && ` (${rate})`}\n`)
    if (phase === 'stopped') out.write(`${label}: stopped at ${amount}, ${time.replace('in', 'after')}\n`)
  }
}

function html({ label, share, amount, rate, time }: State): string {
  const name = escaped(label)
  const bar =
    share === undefined
      ? ''
      : `<progress value="${share.toFixed(4)}" style="width:16em"></progress> <b>${percent(share)}</b>`
  const text = [amount, rate, time].filter(Boolean).join(' · ')
  return `<div style="font-variant-numeric:tabular-nums">${name} ${bar} ${text}</div>`
}

const escaped = (text: string) => text.replace(/[&<>"]/g, (mark) => `&#${mark.charCodeAt(0)};`)
