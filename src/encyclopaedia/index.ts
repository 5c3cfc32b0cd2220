/** STAND-IN, replaced by the branch that brings the encyclopaedia: the same names, no Wikipedia. */
export interface WikipediaOptions {
  language?: string
  baseUrl?: string
  timeout?: number
  cacheSize?: number
  cacheAge?: number
}
export interface Lookup {
  text: string
  found: boolean
  reachable: boolean
  page: { title: string; url: string } | null
  definition?: { text: string; source: 'WordNet 3.1' }
  cached: boolean
}
export class Wikipedia {
  async lookup(term: string, chars: number, _hints?: { label?: string }): Promise<Lookup> {
    const text = `Nothing is known here of ${term}.`.slice(0, chars)
    return { text, found: true, reachable: true, page: { title: term, url: 'about:blank' }, cached: false }
  }
}
