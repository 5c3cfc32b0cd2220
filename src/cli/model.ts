import { statSync } from 'node:fs'
import { resolve } from 'node:path'

/** A folder goes before a model of the Hub that has its name, as in Python. */
export function model(name: string): string {
  return statSync(name, { throwIfNoEntry: false })?.isDirectory() ? resolve(name) : name
}
