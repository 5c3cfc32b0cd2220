import { RayitoError } from '../core/errors.js'
import type { Context } from './context.js'

/** A failure that may pass: the request is worth making again. */
export class Passing extends Error {
  /** Milliseconds that the Hub asks to wait. */
  wait?: number
  /** No connection came about, so nothing is known to be there. */
  connecting = false
  /** The next try would fail alike. */
  lasting = false
  /** What to do, where that is known better than in general. */
  remedy?: string
}

/** `config.json of model owner/name`, or the repository alone. */
const asked = ({ name, file }: Context, what: string) => (what || file ? `${what || file} of ${name}` : name)

const REFUSALS = ['GatedRepo', 'RevisionNotFound', 'EntryNotFound', 'RepoNotFound']

/** Whether a Hub says no: the one that was asked, or one that a mirror sends to. */
export const isRefusal = ({ headers }: Response): boolean => REFUSALS.includes(headers.get('x-error-code') ?? '')

/** A refusal of the Hub, in its own terms (`X-Error-Code`, as huggingface_hub's `hf_raise_for_status` reads it). */
export function refusal(context: Context, what: string, response: Response, token: string | undefined): RayitoError {
  const { endpoint, repo } = context
  const { status, headers } = response
  const said = headers.get('x-error-message') ?? ''
  const page = `${endpoint}/${repo.type === 'dataset' ? 'datasets/' : ''}${repo.id}`
  const details = { status, repo: repo.id, file: what || context.file }
  const of = asked(context, what)
  switch (headers.get('x-error-code')) {
    case 'GatedRepo':
      return new RayitoError(
        'HUB_GATED',
        `Expected access to ${of}, which wants an accepted licence and a token${token ? '; HF_TOKEN has not been granted it' : ''}`,
        {
          remedy: `Accept its conditions at ${page}, then set HF_TOKEN to a token of your account (${endpoint}/settings/tokens).`,
          ...details,
        },
      )
    case 'RevisionNotFound':
      return new RayitoError(
        'HUB_REVISION_NOT_FOUND',
        `Expected ${endpoint} to have ${of} at the revision ${repo.revision}, got "revision not found"`,
        details,
      )
    case 'EntryNotFound':
      return new RayitoError('HUB_FILE_NOT_FOUND', `Expected ${endpoint} to have ${of}, got "entry not found"`, details)
    case 'RepoNotFound':
      return notFound()
  }
  if (status === 401 && (token || said.startsWith('Invalid credentials')))
    return new RayitoError(
      'HUB_UNAUTHORIZED',
      `Expected ${endpoint} to accept the token for ${of}, got ${status} ${said}`.trimEnd(),
      details,
    )
  if (status === 403)
    return new RayitoError('HUB_UNAUTHORIZED', `Expected access to ${of}, got ${status} ${said}`.trimEnd(), {
      remedy: 'Set HF_TOKEN to a token that may read it.',
      ...details,
    })
  if (status === 401 || status === 404) return notFound()
  return new RayitoError(
    'HUB_PROTOCOL',
    `Expected ${endpoint} to send ${of}, got ${status} ${said || response.statusText}`.trimEnd(),
    details,
  )

  function notFound() {
    return new RayitoError(
      'HUB_REPO_NOT_FOUND',
      `Expected ${endpoint} to have ${of}, got "repository not found"`,
      details,
    )
  }
}

/** The Hub did not answer, or not as often as it may fail, or wants to be left alone for long. */
export function unreachable(context: Context, what: string, cause: Passing, tries: number): RayitoError {
  const { endpoint, contact } = context
  const of = asked(context, what)
  const got = cause.wait ? `${cause.message} and a wait of ${Math.ceil(cause.wait / 1000)} s` : cause.message
  const message = contact.made
    ? `Expected ${endpoint} to send ${of}, got ${got} (${tries} ${tries === 1 ? 'try' : 'tries'})`
    : `Expected ${endpoint} to answer for ${of}, got ${got}`
  return new RayitoError('HUB_UNREACHABLE', message, {
    endpoint,
    repo: context.repo.id,
    file: what || context.file,
    cause,
    ...(cause.remedy && { remedy: cause.remedy }),
  })
}

/** Names the cache where the disk under it fails; other errors pass as they are. */
export function diskFailure(context: Context, what: string, error: unknown): unknown {
  const { cacheDir } = context
  const { code, syscall } = (error ?? {}) as NodeJS.ErrnoException
  const of = asked(context, what.length > 200 ? `${what.slice(0, 200)}…` : what)
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new RayitoError('HUB_DISK_FULL', `Expected room for ${of} in ${cacheDir}, got ${code}`, {
      cause: error,
      cacheDir,
    })
  // Of a file system mounted to be read only, Node's mkdir says that there is no such folder.
  const isUnmade = code === 'ENOENT' && syscall === 'mkdir'
  if (isUnmade || ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST'].includes(code ?? ''))
    return new RayitoError('HUB_CACHE_READONLY', `Expected to write ${of} to ${cacheDir}, got ${code}`, {
      cause: error,
      cacheDir,
    })
  if (code === 'ENAMETOOLONG')
    return new RayitoError('HUB_CACHE_READONLY', `Expected to write ${of} to ${cacheDir}, got ${code}`, {
      remedy: 'Point HF_HOME to a shorter path, or to a disk that takes longer names.',
      cause: error,
      cacheDir,
    })
  return error
}

/** What is asked for is not in the cache, and nobody else may be asked. */
export function notCached(context: Context, what = '', count = 1): RayitoError {
  const { repo, cacheDir } = context
  const others = count > 1 ? ` and ${count - 1} more` : ''
  const message = `Expected ${asked(context, what)} (${repo.revision})${others} in the cache ${cacheDir}, as requests are turned off`
  return new RayitoError('HUB_OFFLINE', message, { repo: repo.id, file: what || context.file })
}
