import { contextOf } from './context.js'
import { listingOf, movingOn } from './listing.js'
import type { HubOptions, Repo, RepoFile } from './types.js'

/** Files of a repository at a commit. */
export interface Listed {
  commit: string
  files: RepoFile[]
  /** Why there may be more files than these. */
  unsure?: Error
}

/**
 * Commit and files of a repository at a revision: from the cache when the revision was listed before (see the option
 * `refresh`), else from the Hub. Of a snapshot that came without a listing, and with the Hub out of reach, what it holds
 * is taken for all there is, with a warning and the reason. Rejects with the codes HUB_*.
 */
export async function listFiles(repo: Repo, options: HubOptions = {}): Promise<Listed> {
  const { commit, files, unsure } = await movingOn(contextOf(repo, options), listingOf)
  const plain = files.map(({ path, size, oid, sha256 }) => ({ path, size, oid, ...(sha256 && { sha256 }) }))
  return { commit, files: plain, ...(unsure && { unsure }) }
}
