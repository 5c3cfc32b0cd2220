import { readdirSync, readFileSync } from 'node:fs'

const EVERY = 200
/** Resident memory has to grow by this much before the dearer look is taken. */
const GROWTH = 1.02

/**
 * Watches the memory of this process and its children, threads included, looking five times a second.
 *
 * On Linux it is the proportional set size: what several threads or processes map – the weights – counts once, where
 * resident memory would count it once for each. Reading it takes some 20 ms, so it is read only when resident memory has
 * grown. Elsewhere: the resident memory of this process.
 */
export function watchMemory(): { stop(): number } {
  let highest = 0
  let peak = 0
  const look = () => {
    const tree = [process.pid, ...childrenOf(process.pid)]
    const resident =
      process.memoryUsage.rss() + sum(tree.slice(1).map((pid) => kilobytes(pid, 'status', /^VmRSS:\s+(\d+)/m)))
    if (resident <= highest * GROWTH) return
    highest = resident
    const proportional = sum(tree.map((pid) => kilobytes(pid, 'smaps_rollup', /^Pss:\s+(\d+)/m)))
    peak = Math.max(peak, proportional || resident)
  }
  look()
  const timer = setInterval(look, EVERY)
  timer.unref()
  return {
    /** Ends it; returns the peak in bytes. */
    stop() {
      clearInterval(timer)
      look()
      return peak
    },
  }
}

/** All processes below one, whatever thread started them: on Linux, else none. */
function childrenOf(pid: number): number[] {
  if (process.platform !== 'linux') return []
  try {
    const direct = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return direct.flatMap((child) => [child, ...childrenOf(child)])
  } catch {
    return [] // a process or thread that ended while we looked, or a Linux without these files
  }
}

/** A figure of a process in bytes; 0 where there is none. */
function kilobytes(pid: number, file: string, pattern: RegExp): number {
  try {
    return 1_024 * Number(pattern.exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

function sum(values: number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
