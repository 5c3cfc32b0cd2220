import { RayitoError } from '../core/errors.js'
import { finding, found, toldFinding } from '../core/findings.js'
import { isCached, walkSnapshot } from './cache.js'
import { type Context, contextOf } from './context.js'
import { Passing } from './failures.js'
import { cachedListing } from './listing.js'
import { ask } from './request.js'
import type { HubOptions, Repo } from './types.js'

/** Milliseconds in which a Hub that can be reached answers. */
const PATIENCE = 3_000

/**
 * Whether a repository can be had: its files are in the cache, or the Hub answers within 3 s (a refusal is an answer, a
 * login page is none). What the Hub did when it was first asked holds for the life of the process and of its threads, so
 * that all parts of a program take the same side. A worker, on another machine too, takes its driver's.
 * @param part what of it is asked about, in words
 * @param needed which of the repository's paths are needed
 */
export async function inReach(
  repo: Repo,
  part: string,
  needed: (paths: string[]) => Iterable<string>,
  options: HubOptions = {},
): Promise<boolean> {
  const key = `${repo.type} ${repo.id}${repo.revision ? ` @ ${repo.revision}` : ''} (${part}) is in reach`
  const told = toldFinding(key)
  if (told !== undefined) return told
  const reached = await canBeHad(contextOf(repo, options), needed)
  found(key, reached)
  return reached
}

async function canBeHad(context: Context, needed: (paths: string[]) => Iterable<string>): Promise<boolean> {
  if (await isHere(context, needed)) return true
  if (context.offline) return false
  const key = `${context.endpoint} answers`
  const known = finding(key)
  if (known !== undefined) return known
  const answer =
    asked.get(key) ??
    answers(context).then((is) => {
      found(key, is)
      return is
    })
  asked.set(key, answer)
  return orAborted(answer, context.signal)
}

/** The one question to each Hub, shared by all who ask: nobody's signal ends it. */
const asked = new Map<string, Promise<boolean>>()

function orAborted<T>(answer: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return answer
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason)
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}

async function isHere(context: Context, needed: (paths: string[]) => Iterable<string>): Promise<boolean> {
  const { commit, listing } = await cachedListing(context)
  if (!commit) return false
  const files = listing?.files ?? (await walkSnapshot(context, commit))
  const wanted = new Set(needed(files.map(({ path }) => path)))
  const listed = files.filter(({ path }) => wanted.has(path))
  // Of a snapshot that came without a listing, what it lacks may be on the Hub.
  if (!listing && (listed.length === 0 || listed.length < wanted.size)) return false
  return (await Promise.all(listed.map((file) => isCached(context, commit, file)))).every(Boolean)
}

async function answers(context: Context): Promise<boolean> {
  const { endpoint, repo } = context
  const hurried = { ...context, signal: AbortSignal.timeout(PATIENCE) }
  try {
    const response = await ask(hurried, '', `${endpoint}/api/${repo.type}s/${repo.id}`)
    await response.body?.cancel()
    return response.headers.get('content-type')?.includes('json') ?? false
  } catch (error) {
    if (error instanceof RayitoError) return error.code !== 'HUB_PROTOCOL'
    return error instanceof Passing && hurried.contact.made
  }
}
