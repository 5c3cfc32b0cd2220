import { join } from 'node:path'
import { RayitoError } from '../core/errors.js'
import { plural } from '../core/format.js'
import { withLock } from '../core/lock.js'
import {
  type Entry,
  isCommit,
  isSound,
  keepListing,
  type Listing,
  readCommit,
  readListing,
  snapshotFolder,
  walkSnapshot,
} from './cache.js'
import type { Context } from './context.js'
import { diskFailure, notCached } from './failures.js'
import { patientFetch } from './request.js'

/** The listing as the cache knows it: null commit where the revision was never looked up, null listing where none was kept. */
export async function cachedListing(context: Context): Promise<{ commit: string | null; listing: Listing | null }> {
  const commit = context.refresh && !isCommit(context.repo.revision) ? null : await readCommit(context)
  return { commit, listing: commit ? await readListing(context, commit) : null }
}

/** What a snapshot in the cache makes up for: nobody to ask for a listing, or no place to keep it. */
const SURMOUNTABLE = new Set<string>(['HUB_UNREACHABLE', 'HUB_CACHE_READONLY'])
/** For a model, whose files are known by name, a refusal too, as in Python; of a data set some rows might be missing. */
const REFUSED = new Set<string>(['HUB_REPO_NOT_FOUND', 'HUB_GATED', 'HUB_UNAUTHORIZED'])

/** Folders of snapshots that were told to be without a listing: once is enough. */
const warned = new Set<string>()

/** Does something at the commit that the cache knows; where the branch was rewritten and that one is no more, at the branch's newest. */
export async function movingOn<T>(context: Context, act: (context: Context) => Promise<T>): Promise<T> {
  try {
    return await act(context)
  } catch (error) {
    const isGone = error instanceof RayitoError && error.code === 'HUB_REVISION_NOT_FOUND'
    const wasKnown = !context.refresh && !isCommit(context.repo.revision) && (await readCommit(context)) !== null
    if (!isGone || !wasKnown) throw error
    return await act({ ...context, refresh: true })
  }
}

/** The listing, from the cache if it is there, else from the Hub, else made of what the snapshot holds: `unsure`, and why. */
export async function listingOf(context: Context): Promise<Listing & { unsure?: RayitoError }> {
  const { commit, listing } = await cachedListing(context)
  if (listing) return listing
  let failure = notCached(context)
  if (!context.offline) {
    try {
      return await fetchListing(context)
    } catch (error) {
      if (!(error instanceof RayitoError)) throw error
      if (!SURMOUNTABLE.has(error.code) && !(context.repo.type === 'model' && REFUSED.has(error.code))) throw error
      failure = error
    }
  }
  const files = commit ? await walkSnapshot(context, commit) : []
  if (!commit || files.length === 0) throw failure
  const line = `the cache has ${plural(files.length, 'file')} of ${context.name} and no list of them: there may be more on the Hub`
  const folder = snapshotFolder(context, commit)
  if (!warned.has(folder)) process.emitWarning(line, 'RayitoWarning')
  warned.add(folder)
  return { commit, files, unsure: failure }
}

/** The listing from the Hub, kept in the cache. Of many that ask at once, one asks the Hub. */
async function fetchListing(context: Context): Promise<Listing> {
  const lock = join(context.locks, `${encodeURIComponent(context.repo.revision)}.listing`)
  const work = async () => {
    const known = await cachedListing(context)
    if (known.listing) return known.listing
    const listing = await askForListing(context, known.commit)
    await keepListing(context, listing)
    return listing
  }
  return withLock(lock, work, { signal: context.signal }).catch((error) => {
    throw diskFailure(context, '', error)
  })
}

/**
 * Lists through @huggingface/hub (its pages, its API's paths), over our own `fetch`. The token is not handed to it: it
 * takes no other than `hf_…`, and would send it to whatever address the next page has.
 */
async function askForListing(context: Context, known: string | null): Promise<Listing> {
  // Only here: the import takes longer than a look into the cache.
  const hub = await import('@huggingface/hub')
  const { repo, endpoint, name } = context
  const shared = { hubUrl: endpoint, fetch: patientFetch(context, '') }
  try {
    let commit = known
    if (!commit) {
      const about = { ...shared, name: repo.id, revision: repo.revision }
      const info =
        repo.type === 'dataset'
          ? await hub.datasetInfo({ ...about, additionalFields: ['sha'] })
          : await hub.modelInfo({ ...about, additionalFields: ['sha'] })
      commit = info.sha
    }
    if (!isCommit(commit)) throw new TypeError(`got the commit ${commit}`)
    const kept = await readListing(context, commit)
    if (kept) return kept
    const files = new Map<string, Entry>()
    const pages = hub.listFiles({
      ...shared,
      repo: { type: repo.type, name: repo.id },
      revision: commit,
      recursive: true,
    })
    for await (const { type, path, size, oid = '', lfs, xetHash } of pages) {
      if (type !== 'file') continue
      const file: Entry = {
        path,
        size: lfs?.size ?? size,
        oid,
        ...(lfs && { sha256: lfs.oid }),
        ...(xetHash && { xetHash }),
      }
      if (!isSound(file)) throw new TypeError(`got the file ${JSON.stringify(file).slice(0, 200)}`)
      // Its pages go round in a circle.
      if (files.has(path)) throw new TypeError(`got the file ${path} twice`)
      files.set(path, file)
    }
    for (const path of files.keys())
      for (let end = path.indexOf('/'); end > 0; end = path.indexOf('/', end + 1))
        if (files.has(path.slice(0, end))) throw new TypeError(`got the file ${path} below another file`)
    return { commit, files: [...files.values()] }
  } catch (error) {
    if (error instanceof RayitoError || context.signal?.aborted) throw error
    const [said] = String((error as Error).message).split('\n')
    const got = said!.startsWith('got ') ? said : `got what cannot be read (${said})`
    throw new RayitoError('HUB_PROTOCOL', `Expected ${endpoint} to list ${name} as the Hub does, ${got}`, {
      cause: error,
    })
  }
}
