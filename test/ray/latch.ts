import { appendFileSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * How tests and the code that they run on workers meet, wherever those are: who came (a byte each in a file), and whether
 * they may go on. Plain data, so that it can be an argument.
 */
export interface Latch {
  file: string
}

let folder: string | null = null
let made = 0

export function latch(): Latch {
  if (!folder) {
    const made = mkdtempSync(join(tmpdir(), 'rayito-latch-'))
    folder = made
    process.once('exit', () => rmSync(made, { recursive: true, force: true }))
  }
  const file = join(folder, `${++made}`)
  writeFileSync(file, '')
  return { file }
}

/** Counts one more; returns how many there were before. */
export function arrive({ file }: Latch): number {
  const before = statSync(file).size
  appendFileSync(file, '.')
  return before
}

export function arrived({ file }: Latch): number {
  return statSync(file).size
}

export function letGo({ file }: Latch): void {
  writeFileSync(`${file}.open`, '')
}

export function isOpen({ file }: Latch): boolean {
  return existsSync(`${file}.open`)
}

/** Holds the thread until `done`. @returns false if that takes longer than a minute */
export function holdUntil(done: () => boolean): boolean {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  const end = Date.now() + 60_000
  while (!done()) {
    if (Date.now() > end) return false
    Atomics.wait(cell, 0, 0, 2)
  }
  return true
}

/** Resolves when `count` calls have said that they started. */
export async function started(latch: Latch, count = 1): Promise<void> {
  const end = Date.now() + 30_000
  while (arrived(latch) < count) {
    if (Date.now() > end) throw new Error(`${arrived(latch)} of ${count} started in 30 s`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** Resolves when it has been let go: by a call that another worker runs, which nothing else here waits for. */
export async function opened(latch: Latch): Promise<void> {
  const end = Date.now() + 30_000
  while (!isOpen(latch)) {
    if (Date.now() > end) throw new Error('nobody let it go in 30 s')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
