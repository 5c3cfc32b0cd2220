/** Folders of rayito whose code calls its user's. */
const OURS = ['ray/worker', 'serve'].map((folder) => new URL(`../${folder}/`, import.meta.url).href)

/** What was thrown; an error's stack no longer ends with frames of rayito's own, see `userStack`. */
export function toUser(thrown: unknown): unknown {
  try {
    if (thrown instanceof Error) Reflect.set(thrown, 'stack', userStack(thrown.stack))
  } catch {
    // A stack of a kind of its own stays what it is.
  }
  return thrown
}

/** A stack without the frames of rayito's own that it ends with: they tell how the code was called, not what went wrong. */
export function userStack<Stack extends string | undefined>(stack: Stack): Stack | string {
  const lines = stack?.split('\n') ?? []
  const isOurs = (line: string) => OURS.some((ours) => line.includes(ours))
  const isUsers = (line: string) => /^\s+at /.test(line) && !isOurs(line) && !/\bnode:|<anonymous>\)?$/.test(line)
  const last = lines.findLastIndex(isUsers)
  return last >= 0 && lines.slice(last).some(isOurs) ? lines.slice(0, last + 1).join('\n') : stack
}
