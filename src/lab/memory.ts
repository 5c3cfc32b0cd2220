import { readdirSync, readFileSync } from 'node:fs'

const EVERY = 200

/**
 * Watches the memory of this process and its children (threads are part of it), looking five times a second.
 * Linux: resident memory; with children the proportional set size, so that shared pages count once. Elsewhere the
 * resident memory of this process only.
 */
export function watchMemory(): { stop(): number } {
  let peak = memoryNow()
  const timer = setInterval(() => {
    peak = Math.max(peak, memoryNow())
  }, EVERY)
  timer.unref()
  return {
    /** Ends it; returns the peak in bytes. */
    stop() {
      clearInterval(timer)
      return Math.max(peak, memoryNow())
    },
  }
}

function memoryNow(): number {
  const own = process.memoryUsage.rss()
  if (process.platform !== 'linux') return own
  const children = childrenOf(process.pid)
  if (children.length === 0) return own
  const sizes = [process.pid, ...children].map(proportional)
  return Math.max(
    own,
    sizes.reduce((sum, size) => sum + size, 0),
  )
}

/** All processes below one: whatever thread started them. */
function childrenOf(pid: number): number[] {
  try {
    const direct = readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return direct.flatMap((child) => [child, ...childrenOf(child)])
  } catch {
    return [] // ended while we looked, or a kernel without this file
  }
}

function proportional(pid: number): number {
  try {
    return 1_024 * Number(/^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}
