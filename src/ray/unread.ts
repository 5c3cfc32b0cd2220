import { RayTaskError, WorkerCrashedError } from './errors.js'
import type { Entry } from './object-ref.js'

/** Failures that are kept; of more only the number. */
const MOST = 1_000

/** All that a call was to return failed alike: whoever asked for one knows of it. */
const isAsked = (returns: readonly Entry[]) => returns.some(({ asked }) => asked)

/** Failures of calls whose results nobody asked for: told when the session ends, so that none goes unseen. */
export class Unread {
  #kept: { label: string; returns: readonly Entry[] }[] = []
  #more = 0

  /** A call has failed. What the session itself ended (cancelled, killed, shut down) its user knows of. */
  failed(label: string, returns: readonly Entry[]): void {
    if (isAsked(returns)) return
    const { error } = returns[0]!
    if (!(error instanceof RayTaskError || error instanceof WorkerCrashedError)) return
    if (this.#kept.length === MOST) {
      this.#kept = this.#kept.filter(({ returns }) => !isAsked(returns))
      if (this.#kept.length === MOST) return void this.#more++
    }
    this.#kept.push({ label, returns })
  }

  /** What is left of them, a line for each function or method. */
  tell(): string[] {
    const byLabel = new Map<string, Entry[]>()
    for (const { label, returns } of this.#kept)
      if (!isAsked(returns)) byLabel.set(label, [...(byLabel.get(label) ?? []), returns[0]!])
    this.#kept = []
    const lines = [...byLabel].map(([label, entries]) => {
      const error = entries[0]!.error as Error
      const cause = error instanceof RayTaskError ? String(error.cause).split('\n')[0] : error.message
      const more = entries.length > 1 ? ` (and ${entries.length - 1} more)` : ''
      return `rayito: ${label} failed, and nobody asked for its result: ${cause}${more}`
    })
    if (this.#more) lines.push(`rayito: ${this.#more.toLocaleString('en')} further calls failed unasked`)
    return lines
  }
}
