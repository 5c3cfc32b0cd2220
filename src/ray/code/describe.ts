import { Graph } from './graph.js'
import { exportOf } from './modules.js'
import { references } from './references.js'
import { moduleUrl } from './scope.js'
import { finished, type Steps } from './steps.js'
import type { AnyFunction, Code } from './types.js'

const described = new WeakMap<AnyFunction, Promise<Code>>()
const carried = new WeakMap<Code, readonly object[]>()

/**
 * How a function or class travels: as an export of a module, if a module other than the program's first file exports it
 * (itself, or made remote); otherwise as its source with what it uses from around it. Found out once a function, and
 * before this returns unless a module has to be asked for: the values of what it uses are those of then.
 * @param callSite URL of the module that may export it, if known
 * @throws NotSerializableError (rejects) naming what it uses and cannot take along
 */
export function describe(fn: AnyFunction, callSite?: string): Promise<Code> {
  let code = described.get(fn)
  if (!code) {
    code = finished(find(fn, callSite))
    described.set(fn, code)
    // What cannot travel now may after its variables were changed.
    code.catch(() => described.delete(fn))
  }
  return code
}

function* find(fn: AnyFunction, callSite: string | undefined): Steps<Code> {
  const exported = callSite && (yield* exportOf(callSite, fn))
  if (exported) return exported
  const found = references()(fn)
  if (found?.kind === 'module') return found
  const url = found ? undefined : moduleUrl(fn)
  const written = url && url !== callSite && (yield* exportOf(url, fn))
  if (written) return written
  const { code, packed } = yield* new Graph().describe(fn)
  carries(code, packed.carried)
  return code
}

/** ObjectRefs and actor handles among the values that described code uses: they must live as long as it. */
export function carriedBy(code: Code): readonly object[] {
  return carried.get(code) ?? []
}

/** Notes them, for code that came from another thread. */
export function carries(code: Code, things: readonly object[]): void {
  carried.set(code, things)
}
