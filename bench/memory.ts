import { readdirSync, readFileSync } from 'node:fs'

/** Milliseconds between two looks at least; and as many times as long as a look takes, since the kernel walks all pages for it. */
const EVERY = 200
const REST = 20

/**
 * Watches a process and all below it from outside. Linux: the sum of their proportional set sizes, so that a page they
 * share counts once. Elsewhere there is nothing to see.
 */
export function watchTree(pid: number): { stop(): number | null } {
  let peak = 0
  let timer: NodeJS.Timeout
  const look = () => {
    const began = performance.now()
    peak = Math.max(
      peak,
      treeOf(pid).reduce((sum, process) => sum + kilobytes(`/proc/${process}/smaps_rollup`, 'Pss'), 0),
    )
    timer = setTimeout(look, Math.max(EVERY, REST * (performance.now() - began)))
  }
  timer = setTimeout(look, EVERY)
  return {
    /** Ends it; returns the peak in MB (10⁶ bytes), null where nothing was seen. */
    stop() {
      clearTimeout(timer)
      return peak > 0 ? (peak * 1024) / 1e6 : null
    },
  }
}

/** The most resident memory that this process had so far, in MB. */
export function ownPeakMB(): number {
  // getrusage's maximum begins with that of the process it was forked from
  const sinceExec = kilobytes('/proc/self/status', 'VmHWM')
  return ((sinceExec || process.resourceUsage().maxRSS) * 1024) / 1e6
}

/** The resident memory of a process now, in MB; 0 elsewhere than on Linux. */
export function rssMB(pid: number): number {
  return (kilobytes(`/proc/${pid}/status`, 'VmRSS') * 1024) / 1e6
}

/** A process and all that it or one of its threads started. */
function treeOf(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return [pid, ...children.flatMap(treeOf)]
  } catch {
    return [] // ended while we looked
  }
}

/** A line `name: 123 kB` of a file of /proc; 0 where it is not there. */
function kilobytes(file: string, name: string): number {
  try {
    return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(file, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
