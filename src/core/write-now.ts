import { writeSync } from 'node:fs'

/** Milliseconds between two tries, and tries after which a reader that takes nothing is given up. */
const PAUSE = 5
const TRIES = 1_000

/**
 * Writes before it returns: while the process ends, nothing is written later. A pipe that is full is waited for, since its reader
 * may be slow; one that nobody reads any more ends nothing.
 */
export function writeNow(stream: 'stdout' | 'stderr', text: string): void {
  // A console of Windows takes bytes for letters of its code page. What Node writes to it is there at once.
  if (process.platform === 'win32' && process[stream].isTTY) return void process[stream].write(text)
  let rest: Uint8Array = Buffer.from(text)
  for (let tries = 0; rest.length > 0 && tries < TRIES; )
    try {
      rest = rest.subarray(writeSync(stream === 'stdout' ? 1 : 2, rest))
      tries = 0
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return
      tries++
      Atomics.wait(IDLE, 0, 0, PAUSE)
    }
}

const IDLE = new Int32Array(new SharedArrayBuffer(4))
