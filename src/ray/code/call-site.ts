import { isAbsolute } from 'node:path'
import { pathToFileURL } from 'node:url'
import { HOME } from '../../core/package-file.js'
import { isRequired } from './modules.js'

/** Rayito's own compiled files. */
const OURS = ['ray/', 'serve/'].map((folder) => new URL(folder, HOME).href)

const shipped = new Set<string>()

/** Notes a file whose functions were shipped here by source: it is not loaded, and must not be because of them. */
export function shippedFrom(file: string): void {
  shipped.add(file)
}

/** URL of the module that calls into rayito, or undefined if it is none of Node's (a notebook cell, eval, what a test runner translated). */
export function callSite(): string | undefined {
  const { prepareStackTrace, stackTraceLimit } = Error
  try {
    // A program that froze Error has stacks as texts only; what moduleUrl finds must do there.
    const prepare: typeof prepareStackTrace = (_, sites) => sites
    if (!Reflect.set(Error, 'prepareStackTrace', prepare)) return undefined
    Reflect.set(Error, 'stackTraceLimit', 16)
    const holder: { stack?: unknown } = {}
    Error.captureStackTrace(holder, callSite)
    for (const site of holder.stack as NodeJS.CallSite[]) {
      const file = site.getFileName()
      if (!file) return undefined
      if (file.startsWith('node:')) continue
      const url = file.startsWith('file:') ? file : pathOf(file)
      if (url && shipped.has(url)) return undefined
      if (OURS.some((ours) => url?.startsWith(ours))) continue
      // One that Node did not load must not be loaded by it because of us: it would run a second time.
      return file.startsWith('file:') || isRequired(file) ? url : undefined
    }
    return undefined
  } finally {
    Reflect.set(Error, 'prepareStackTrace', prepareStackTrace)
    Reflect.set(Error, 'stackTraceLimit', stackTraceLimit)
  }
}

/** The URL of an absolute path, as CommonJS modules have it. */
function pathOf(file: string): string | undefined {
  return isAbsolute(file) ? pathToFileURL(file).href : undefined
}
