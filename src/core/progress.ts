/** A piece of long work that shows how far it is. */
export interface Progress {
  /** Adds to what is done. */
  add(amount: number): void
  /** Adds what was done before, or takes away: it counts as done, not as speed. */
  skip(amount: number): void
  /** Sets the whole, where it is learnt later. */
  total(amount: number): void
  /** Ends the bar; the line stays. */
  done(): void
}

export interface ProgressOptions {
  label: string
  total?: number
  unit?: 'bytes' | 'items'
}

/** Shows nothing. */
export const silent: Progress = { add() {}, skip() {}, total() {}, done() {} }

/** Not yet drawn. */
export function progress(_options: ProgressOptions): Progress {
  return silent
}
