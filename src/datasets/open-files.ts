/** Files that a thread has open at once at most: the system allows as few as 256 to a process, and more are read no sooner. */
const MOST = 32

let open = 0
const waiting: (() => void)[] = []

/** Does what opens a file and closes it again, once fewer than {@link MOST} are open; in the order in which it is asked for. */
export async function withOpenFile<T>(work: () => Promise<T>): Promise<T> {
  if (open < MOST) open++
  else await new Promise<void>((resolve) => waiting.push(resolve))
  try {
    return await work()
  } finally {
    const next = waiting.shift()
    // The place passes on, so that nobody comes between.
    if (next) next()
    else open--
  }
}
