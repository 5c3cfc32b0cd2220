export type { Lookup, WikipediaOptions } from './wikipedia.js'
export { Wikipedia } from './wikipedia.js'
