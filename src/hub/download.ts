import { join } from 'node:path'
import { withLock } from '../core/lock.js'
import { type Progress, progress, silent } from '../core/progress.js'
import { fetchBlob, partialPath } from './blob.js'
import { blobName, blobPath, isCached, linkBlob, sizeOf, snapshotFolder } from './cache.js'
import { type Context, contextOf } from './context.js'
import { diskFailure, notCached } from './failures.js'
import { listingOf, movingOn } from './listing.js'
import type { HubOptions, Repo, RepoFile, Snapshot } from './types.js'

/** Files fetched at the same time by one call. */
const AT_ONCE = 4
/** Bytes from which a download is worth a bar. */
const SHOWN = 100_000

/**
 * Downloads the files of a repository that `pick` chooses and the cache lacks. With all of them there, no request is made:
 * a branch stays where it was when first asked for (see the option `refresh`), and the listing kept beside the snapshot
 * tells what belongs to it. Calls in any number of threads and processes download each file once.
 *
 * Rejects with the codes HUB_*, or with the signal's reason when it is aborted. What had arrived by then is kept.
 */
export async function download(
  repo: Repo,
  pick: (path: string) => boolean,
  options: HubOptions = {},
): Promise<Snapshot> {
  return provide(contextOf(repo, options), pick)
}

/** The same, with everything decided. */
export function provide(context: Context, pick: (path: string) => boolean): Promise<Snapshot> {
  return movingOn(context, (context) => complete(context, pick))
}

async function complete(context: Context, pick: (path: string) => boolean): Promise<Snapshot> {
  const { commit, files, unsure } = await listingOf(context)
  const wanted = files.filter(({ path }) => pick(path))
  if (unsure && wanted.length === 0) throw unsure
  const cached = await Promise.all(wanted.map((file) => isCached(context, commit, file)))
  const missing = wanted.filter((_, index) => !cached[index])
  if (missing.length > 0) {
    if (context.offline) throw notCached(context, missing[0]!.path, missing.length)
    await fetchAll(context, commit, missing)
  }
  return { commit, folder: snapshotFolder(context, commit), files: wanted.map(({ path }) => path).sort() }
}

/** Fetches files, a few at a time. The first failure ends the others, which keep what they have. */
async function fetchAll(context: Context, commit: string, files: RepoFile[]): Promise<void> {
  const failed = new AbortController()
  const signal = context.signal ? AbortSignal.any([context.signal, failed.signal]) : failed.signal
  const total = files.reduce((sum, { size }) => sum + size, 0)
  const bar = context.progress && total >= SHOWN ? progress({ label: context.repo.id, total, unit: 'bytes' }) : silent
  const queue = files.values()
  const run = async () => {
    for (const file of queue) {
      signal.throwIfAborted()
      await obtain({ ...context, signal }, commit, file, bar).catch((error) => {
        failed.abort(error)
        throw error
      })
    }
  }
  try {
    const ends = await Promise.allSettled(Array.from({ length: AT_ONCE }, run))
    context.signal?.throwIfAborted()
    if (ends.some(({ status }) => status === 'rejected')) throw failed.signal.reason
  } finally {
    bar.done()
  }
}

/** Brings one file into the snapshot: by a link where its content is cached, else by a download or by waiting for another's. */
async function obtain(context: Context, commit: string, file: RepoFile, bar: Progress): Promise<void> {
  let seen = 0
  const follow = async () => {
    const size = Math.max(await sizeOf(partialPath(context, file)), 0)
    bar.add(size - seen)
    seen = size
  }
  const work = async () => {
    bar.skip(-seen)
    if (await isCached(context, commit, file)) return bar.skip(file.size)
    if ((await sizeOf(blobPath(context, file))) === file.size) bar.skip(file.size)
    else await fetchBlob(context, commit, file, bar)
    await linkBlob(context, commit, file)
  }
  try {
    await withLock(join(context.locks, `${blobName(file)}.rayito`), work, { signal: context.signal, waiting: follow })
  } catch (error) {
    throw diskFailure(context, file.path, error)
  }
}
