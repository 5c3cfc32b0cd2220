/**
 * What a thread spends its time on, told as it happens: `ray.timeline()` and the laboratory's charts listen. Where nobody
 * listens a span costs a look at a field.
 */
import { channel } from 'node:diagnostics_channel'
import { now } from './clock.js'

/**
 * `load`: a model or a data set is opened. `import`: a module. `read`: a row. `infer`: a picture is classified.
 * `deserialise`: arguments are made values again. `profile`: what a program marked itself.
 */
export type SpanCategory = 'start' | 'import' | 'load' | 'read' | 'infer' | 'deserialise' | 'profile'

export interface Span {
  category: SpanCategory
  name: string
  /** Milliseconds of {@link now}. */
  began: number
  ended: number
  /** What else is to be said of it: what JSON can hold. */
  args?: Record<string, unknown>
}

/** Every span of this thread that has ended, to whoever subscribes. */
export const SPANS = channel('rayito:span')

/** Does the work (until its promise settles, where it gives one) as a span; what it returns and throws passes through. */
export function span<T>(category: SpanCategory, name: string, work: () => T, args?: Record<string, unknown>): T {
  if (!SPANS.hasSubscribers) return work()
  const began = now()
  const end = () => SPANS.publish({ category, name, began, ended: now(), ...(args && { args }) } satisfies Span)
  let later = false
  try {
    const value = work()
    if (value instanceof Promise) {
      later = true
      return value.finally(end) as T
    }
    return value
  } finally {
    if (!later) end()
  }
}
