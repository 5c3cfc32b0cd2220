import { join } from 'node:path'
import { expected } from '../core/errors.js'
import { isKnownAbsent, sizeOf, snapshotFolder } from './cache.js'
import { contextOf, isInside } from './context.js'
import { provide } from './download.js'
import { cachedListing } from './listing.js'
import type { HubOptions, Repo } from './types.js'

/**
 * The absolute path of one file in the cache, downloaded if need be; null when the repository has no such file.
 * Rejects as `download` does.
 */
export async function hubFile(repo: Repo, path: string, options: HubOptions = {}): Promise<string | null> {
  if (typeof path !== 'string' || !isInside(path)) expected('path', "a file's path inside the repository", path)
  const context = { ...contextOf(repo, options), file: path }
  const { commit, listing } = await cachedListing(context)
  if (commit && !listing) {
    // Left by a Python that keeps no listing: enough to know about this one file.
    const file = join(snapshotFolder(context, commit), path)
    if ((await sizeOf(file)) >= 0) return file
    if (await isKnownAbsent(context, commit, path)) return null
  }
  const { folder, files } = await provide(context, (other) => other === path)
  return files.length > 0 ? join(folder, path) : null
}
