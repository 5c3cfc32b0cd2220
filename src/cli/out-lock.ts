import { readFile, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { RayitoError } from '../core/errors.js'
import { withLock } from '../core/lock.js'
import { unwritable } from '../lab/write-whole.js'

/**
 * Runs `work` while the folder of results is this process's alone: two runs would put their notebooks and results in each other's
 * place. What a run that was killed has left keeps nobody out. Rejects with RESULTS_IN_USE, and RESULTS_UNWRITABLE.
 */
export async function withOut(out: string, work: () => Promise<void>): Promise<void> {
  const path = join(out, '.rayito-start.lock')
  let mine = false
  let touched: number | undefined
  const hold = () => {
    mine = true
    return work()
  }
  // Its process number alone may be another program's by now; a run that lives touches its lock every few seconds.
  const waiting = async () => {
    const found = await stat(path).catch(() => null)
    if (!found) return
    touched ??= found.mtimeMs
    if (found.mtimeMs !== touched) throw await inUse(out, path)
  }
  await withLock(path, hold, { waiting }).catch((error) => {
    throw mine || error instanceof RayitoError ? error : unwritable(path, error)
  })
}

async function inUse(out: string, path: string): Promise<RayitoError> {
  const { pid, host } = JSON.parse(await readFile(path, 'utf8').catch(() => '{}')) as { pid?: number; host?: string }
  const where = host === undefined || host === hostname() ? '' : ` on ${host}`
  return new RayitoError(
    'RESULTS_IN_USE',
    `Another \`rayito start\` (process ${pid}${where}) leaves its results in ${out}`,
  )
}
