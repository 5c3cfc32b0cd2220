import { readFileSync } from 'node:fs'
import { packageFile } from '../core/package-file.js'

let version: string | null = null

/** Of this package, as package.json says. */
export function packageVersion(): string {
  version ??= (JSON.parse(readFileSync(packageFile('../package.json'), 'utf8')) as { version: string }).version
  return version
}
