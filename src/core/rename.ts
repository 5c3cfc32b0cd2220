import { rename as renameOnce } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** Milliseconds after which Windows' refusal is believed, and between two tries. */
const PATIENCE = 3_000
const PAUSE = 25

/**
 * Node's `rename`, on Windows with patience: it refuses while anybody has either of the two open, a reader of ours for a
 * moment, or a virus scanner that looks at what was just written.
 */
export async function rename(from: string, to: string): Promise<void> {
  for (const began = performance.now(); ; await sleep(PAUSE))
    try {
      return await renameOnce(from, to)
    } catch (error) {
      const { code = '' } = error as NodeJS.ErrnoException
      const mayPass = process.platform === 'win32' && ['EPERM', 'EACCES', 'EBUSY'].includes(code)
      if (!mayPass || performance.now() - began > PATIENCE) throw error
    }
}
