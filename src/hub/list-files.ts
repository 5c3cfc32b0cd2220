import { contextOf } from './context.js'
import { listingOf } from './listing.js'
import type { HubOptions, Repo, RepoFile } from './types.js'

/**
 * Commit and files of a repository at a revision: from the cache when the revision was listed before (see the option
 * `refresh`), else from the Hub. Of a snapshot that came without a listing, and with the Hub out of reach, what it holds
 * is taken for all there is, with a warning. Rejects with the codes HUB_*.
 */
export async function listFiles(repo: Repo, options: HubOptions = {}): Promise<{ commit: string; files: RepoFile[] }> {
  const { commit, files } = await listingOf(contextOf(repo, options))
  return { commit, files: files.map(({ path, size, oid, sha256 }) => ({ path, size, oid, ...(sha256 && { sha256 }) })) }
}
