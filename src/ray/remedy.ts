import { types } from 'node:util'
import { otherCopy } from '../core/travel.js'
import { nameOf } from './code/index.js'
import { REMOTE } from './code/modules.js'

/** What is to be done about a value that is no ref and no handle but tells what it is: '' of any other. */
export function remedyFor(value: unknown): string {
  if (types.isPromise(value)) return 'Await it first.'
  // Also an actor's method, which has no name.
  if (typeof value === 'function' && 'remote' in value) {
    const named = REMOTE in value && nameOf(value[REMOTE] as () => void)
    return `Call ${named ? value.name : 'its '}.remote(…) and give what it returns.`
  }
  return otherCopy(value)
}
