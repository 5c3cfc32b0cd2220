export type { Hints, Lookup, WikipediaOptions } from './wikipedia.js'
export { NO_PAGES, Wikipedia } from './wikipedia.js'
