/** What all drivers know of a named actor. */
export interface NameRecord {
  id: string
  className: string
  label: string
  /** How many calls it runs at once, whoever asks for them. */
  maxConcurrency: number
  /** How often a call may be tried again, whoever asks for it; of an actor that an earlier version made: not at all. */
  maxTaskRetries?: number
  owner: string
  /** null until it is placed. */
  node: string | null
}
