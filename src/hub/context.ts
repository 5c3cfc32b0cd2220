import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { expected, RayitoError } from '../core/errors.js'
import { hubCache, hubTokenPath, pathOf } from '../core/paths.js'
import { hasProxy, proxiedFetch } from './proxied-fetch.js'
import { isRepoName } from './repo-name.js'
import type { HubOptions, Repo } from './types.js'

/** What one call works with: the repository, every option decided, and the folders of the cache. */
export interface Context {
  repo: Required<Repo>
  /** For messages: `dataset Maysee/tiny-imagenet`. */
  name: string
  /** For messages: the one file that the call is about, if it is about one. */
  file: string
  /** Without a slash at its end. */
  endpoint: string
  token(): Promise<string | undefined>
  offline: boolean
  refresh: boolean
  fetch: typeof fetch
  progress: boolean
  signal: AbortSignal | undefined
  idleTimeout: number
  retries: number
  retryDelay: number
  /** The cache as a whole, the repository's folder in it, and the folder of its locks. */
  cacheDir: string
  folder: string
  locks: string
  /** Whether snapshots may be made of symbolic links. */
  symlinks: boolean
  /** Whether the Hub has answered during this call: a failing connection is then worth another try. */
  contact: { made: boolean }
}

const DEFAULTS = {
  endpoint: 'https://huggingface.co',
  revision: 'main',
  idleTimeout: 30_000,
  retries: 5,
  retryDelay: 500,
}

/** Checks repository and options and decides what was left open. Reads the environment at each call, so that a test may set it. */
export function contextOf(repo: Repo, options: HubOptions = {}): Context {
  const { type, id, revision = DEFAULTS.revision } = repo
  if (type !== 'model' && type !== 'dataset') expected('repo.type', "'model' or 'dataset'", type)
  if (!isRepoName(id)) expected('repo.id', "a repository's name (owner/name)", id)
  if (typeof revision !== 'string' || !/^[^\\?%#:*"<>|\s]+$/.test(revision) || !isInside(revision))
    expected('repo.revision', 'a branch, a tag or a commit', revision)
  const env = process.env
  const cacheDir = resolve(options.cacheDir === undefined ? hubCache() : pathOf('cacheDir', options.cacheDir))
  const offline = options.offline ?? isOffline(type)
  const name = [`${type}s`, ...id.split('/')].join('--')
  return {
    repo: { type, id, revision },
    name: `${type} ${id}`,
    file: '',
    endpoint: endpointOf(options.endpoint, env.HF_ENDPOINT),
    token: tokenOf(options.token),
    offline,
    refresh: (options.refresh ?? false) && !offline,
    fetch: options.fetch ?? (hasProxy() ? proxiedFetch : fetch),
    progress: options.progress ?? !isSet(env.HF_HUB_DISABLE_PROGRESS_BARS),
    signal: options.signal,
    idleTimeout: positive(
      'idleTimeout',
      options.idleTimeout ??
        positive('HF_HUB_DOWNLOAD_TIMEOUT', Number(env.HF_HUB_DOWNLOAD_TIMEOUT) || DEFAULTS.idleTimeout / 1000) * 1000,
    ),
    retries: positive('retries', options.retries ?? DEFAULTS.retries),
    retryDelay: positive('retryDelay', options.retryDelay ?? DEFAULTS.retryDelay),
    cacheDir,
    folder: join(cacheDir, name),
    locks: join(cacheDir, '.locks', name),
    symlinks: !isSet(env.HF_HUB_DISABLE_SYMLINKS),
    contact: { made: false },
  }
}

/** Whether a path with slashes stays below the folder it is joined to, under the rules of every platform. */
export function isInside(path: string): boolean {
  return (
    path !== '' &&
    path.split('/').every((part) => part !== '' && part !== '.' && part !== '..') &&
    !/^[a-z]:|\\|\0/i.test(path)
  )
}

function endpointOf(given: string | undefined, ofEnvironment: string | undefined): string {
  const address = given ?? (ofEnvironment || DEFAULTS.endpoint)
  const url = URL.canParse(address) ? new URL(address) : null
  if (url?.protocol !== 'http:' && url?.protocol !== 'https:')
    return expected(given === address ? 'endpoint' : 'HF_ENDPOINT', 'an http or https address', address)
  return address.replace(/\/+$/, '')
}

function positive(name: string, value: number): number {
  return Number.isFinite(value) && value >= 0 ? value : expected(name, 'a number from 0 and up', value)
}

/** As huggingface_hub decides it, and Python's datasets for data sets. */
function isOffline(type: Repo['type']): boolean {
  const { HF_HUB_OFFLINE, TRANSFORMERS_OFFLINE, HF_DATASETS_OFFLINE } = process.env
  return isSet(HF_HUB_OFFLINE || TRANSFORMERS_OFFLINE) || (type === 'dataset' && isSet(HF_DATASETS_OFFLINE))
}

/** What Python's huggingface_hub takes for yes. */
const isSet = (value: string | undefined) => /^(1|on|yes|true)$/i.test(value ?? '')

/** The token given, else the environment's, else the saved one, which is read when a request is made and not before. */
function tokenOf(given: string | undefined): Context['token'] {
  let token: Promise<string | undefined> | undefined
  return () => {
    token ??= given === undefined ? implicitToken() : Promise.resolve(cleaned(given))
    return token
  }
}

async function implicitToken(): Promise<string | undefined> {
  const { HF_HUB_DISABLE_IMPLICIT_TOKEN, HF_TOKEN, HUGGING_FACE_HUB_TOKEN } = process.env
  if (isSet(HF_HUB_DISABLE_IMPLICIT_TOKEN)) return undefined
  const saved = () => readFile(hubTokenPath(), 'utf8').catch(() => '')
  return cleaned(HF_TOKEN) ?? cleaned(HUGGING_FACE_HUB_TOKEN) ?? cleaned(await saved())
}

/** Without what a file or a copy puts around a token; refused, and not shown, where no header could carry it. */
function cleaned(token: string | undefined): string | undefined {
  const text = token?.replace(/[\r\n]/g, '').trim() || undefined
  if (text !== undefined && !/^[\x21-\x7e]+$/.test(text))
    throw new RayitoError('INVALID_ARGUMENT', 'Expected `token` (HF_TOKEN) to be letters, digits and signs, got others')
  return text
}
