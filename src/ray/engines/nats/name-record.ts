/** What all drivers know of a named actor. */
export interface NameRecord {
  id: string
  className: string
  label: string
  /** How many calls it runs at once, whoever asks for them. */
  maxConcurrency: number
  owner: string
  /** null until it is placed. */
  node: string | null
}
