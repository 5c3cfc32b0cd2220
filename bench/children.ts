/** The processes that the bench started: they end with it, and so does what they started themselves. */
import type { ChildProcess } from 'node:child_process'

/** Elsewhere than on Windows each has a process group of its own, which ends as one. Options of `spawn` and `fork`. */
export const GROUP = { detached: process.platform !== 'win32' }
/** Milliseconds that they have to end by themselves. */
const GRACE = 10_000

const living = new Set<ChildProcess>()
let stopped: NodeJS.Signals | null = null

/** Keeps count of a child that was made with GROUP; what it leaves behind is ended when it has. */
export function owned<Child extends ChildProcess>(child: Child): Child {
  living.add(child)
  child.once('exit', () => {
    living.delete(child)
    end(child, 'SIGKILL')
  })
  if (stopped) end(child, 'SIGTERM')
  return child
}

/** Sends a signal to a child and to all that it started. */
export function end(child: ChildProcess, signal: NodeJS.Signals): void {
  if (!GROUP.detached) return void child.kill(signal)
  try {
    process.kill(-child.pid!, signal)
  } catch {
    // none of them is left
  }
}

/** Ends what runs and what is started from now on. */
export function endAll(by: NodeJS.Signals): void {
  stopped = by
  for (const child of living) {
    end(child, 'SIGTERM')
    const limit = setTimeout(() => end(child, 'SIGKILL'), GRACE)
    child.once('exit', () => clearTimeout(limit))
  }
}

/** The signal by which all was ended, or null. */
export function stoppedBy(): NodeJS.Signals | null {
  return stopped
}
