import { ray } from '#src/ray/index.js'
import { sample } from './sample.js'

export const plain = (x: number) => x + 1
export function outer(): string {
  return 'outer'
}
export class Gauge {
  constructor(readonly value: number) {}
  read(): string {
    return `gauge ${this.value}`
  }
}
export const tools = { twice: (x: number) => 2 * x }
const settings = { level: 7 }
export default settings
export const inline = (x: number) => x - 1
export const remoteDouble = ray.remote((x: number) => 2 * x)

/** A function that this module does not export. */
export function hidden(): (x: number) => unknown[] {
  return (x) => [tools.twice(x), sample, settings.level]
}

/** Another, that asks where it is written. */
export function hiddenPlace(): () => string {
  return () => import.meta.url
}
