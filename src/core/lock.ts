import { randomUUID } from 'node:crypto'
import { link, mkdir, readFile, stat, unlink, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { rethrowAborted } from './abort.js'

/**
 * A lock between threads, processes and machines that share a folder: a file that only one can create, which names its
 * holder's process. Its holder touches it while it lives; a lock whose process is gone is taken over at once, one that
 * has not been touched for {@link STALE} milliseconds (a thread that was ended, another machine) after that time.
 *
 * Written by hand: Node has no flock, so Python's own locks (flock on `<etag>.lock`) cannot be taken, and
 * proper-lockfile knows a dead holder by its age only. Two holders at once, which a stopped clock or machine can bring
 * about, do no harm here: both would write the same bytes to the same places, and both check them.
 */
const STALE = 10_000
const BEAT = 2_000

export interface LockOptions {
  signal?: AbortSignal
  /** Called at each look while another holds the lock. */
  waiting?: () => void | Promise<void>
  /**
   * Milliseconds after which an untouched lock counts as left behind.
   * @default 10000
   */
  stale?: number
}

/** Runs `work` while holding the lock at `path`. */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const holder = JSON.stringify({ pid: process.pid, host: hostname(), id: randomUUID() })
  await acquire(path, holder, options)
  const beat = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), BEAT).unref()
  try {
    return await work()
  } finally {
    clearInterval(beat)
    if ((await read(path)) === holder) await unlink(path).catch(() => {})
  }
}

async function acquire(path: string, holder: string, { signal, waiting, stale = STALE }: LockOptions): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  let touched = 0
  let since = 0
  for (let look = 0; ; look++) {
    signal?.throwIfAborted()
    if (await create(path, holder)) return
    const other = await read(path)
    const found = await stat(path).catch(() => null)
    // Only this process's own clock is asked: machines that share a folder may differ in theirs.
    if (found && found.mtimeMs !== touched) [touched, since] = [found.mtimeMs, performance.now()]
    if (found && (isGone(other) || performance.now() - since > stale)) await takeAway(path, other)
    else await waiting?.()
    const pause = Math.min(25 * 1.5 ** look, 500) * (0.75 + Math.random() / 2)
    await sleep(pause, undefined, { signal }).catch(rethrowAborted(signal))
  }
}

/** Whole from the first moment: written aside, then linked into place, which fails where a lock is. */
async function create(path: string, holder: string): Promise<boolean> {
  const draft = `${path}.${randomUUID().slice(0, 8)}`
  let drafted = false
  try {
    await writeFile(draft, holder)
    drafted = true
    // Where the file system has no hard links, the name alone must do.
    await link(draft, path).catch((error) => {
      if (error.code === 'EEXIST') throw error
      return writeFile(path, holder, { flag: 'wx' })
    })
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    // One that was removed keeps its name on Windows until the last who reads it has closed it; nobody can open it then.
    if (code === 'EPERM' && drafted && process.platform === 'win32') return false
    throw error
  } finally {
    await unlink(draft).catch(() => {})
  }
}

const read = (path: string) => readFile(path, 'utf8').catch(() => null)

/** Whether the holder was a process of this machine that has ended. */
function isGone(holder: string | null): boolean {
  try {
    const { pid, host } = JSON.parse(holder ?? '') as { pid: number; host: string }
    if (host !== hostname()) return false
    process.kill(pid, 0)
    return false
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH'
  }
}

/** Removes the lock of `other` and of nobody who took it meanwhile: who looks and removes does so alone. */
async function takeAway(path: string, other: string | null): Promise<void> {
  const guard = `${path}.takeover`
  if (!(await create(guard, ''))) {
    const since = await stat(guard).then(({ mtimeMs }) => mtimeMs, Date.now)
    if (Date.now() - since > 6 * STALE) await unlink(guard).catch(() => {})
    return
  }
  try {
    if ((await read(path)) === other) await unlink(path)
  } catch (error) {
    // Windows refuses while another reads it: at the next look, then.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' && process.platform !== 'win32') throw error
  } finally {
    await unlink(guard).catch(() => {})
  }
}
