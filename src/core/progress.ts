/** A piece of long work that shows how far it is. */
export interface Progress {
  /** Adds to what is done. */
  add(amount: number): void
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
export const silent: Progress = { add() {}, total() {}, done() {} }
