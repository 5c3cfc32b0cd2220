import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expected } from '../core/errors.js'
import { SOURCES, type Source } from '../core/source.js'
import { shown } from '../ray/engines/nats/address.js'

/** The four ways of exercise 1: sequential, tasks, actors by index, actors by picture. */
export type VersionName = 'A' | 'B' | 'C1' | 'C2'

/** What the notebooks run on. Each setting can be chosen by an environment variable, as `npm start` does. */
export interface Settings {
  /** The data set. */
  dataset: string
  /** Model of the Hub, RAYITO_MODEL. @default undefined: the pipeline's own choice */
  model: string | undefined
  /** RAYITO_DTYPE. @default 'fp32' */
  dtype: 'fp32' | 'q8'
  /** Where data set and model come from, RAYITO_SOURCE. @default 'auto' */
  source: Source
  /** How many pictures, RAYITO_IMAGES. @default 250 */
  images: number
  /** The rows they are: every `step`-th below `stop`; 250 pictures are range(0, 10000, 40). */
  stop: number
  step: number
  /** The versions that run, RAYITO_VERSIONS. @default A,B,C1,C2 */
  versions: VersionName[]
  /** How many actors, RAYITO_ACTORS. @default one a core; undefined for a cluster, where it is one for each of its CPUs */
  actors: number | undefined
  /** A cluster's address, RAY_ADDRESS. @default undefined: this machine */
  address: string | undefined
  /** Where the service of exercise 2 runs, if it does, RAYITO_SERVICE. @default http://127.0.0.1:8000 */
  service: string
  /** Folder of what the notebook leaves behind, as seen from the notebook, RAYITO_OUT. @default ../out */
  out: string
}

export const VERSIONS: readonly VersionName[] = ['A', 'B', 'C1', 'C2']
export const DTYPES = ['fp32', 'q8'] as const
/** The rows that the assignment takes its pictures from. */
export const ROWS = 10_000

/** Reads the settings. Throws INVALID_ARGUMENT naming the variable that is wrong. */
export function readSettings(env: NodeJS.ProcessEnv = process.env): Settings {
  const onCluster = env.RAY_ADDRESS && env.RAY_ADDRESS !== 'local' ? env.RAY_ADDRESS : undefined
  const images = whole('RAYITO_IMAGES', env.RAYITO_IMAGES, 250, ROWS)
  const step = Math.floor(ROWS / images)
  return secretly({
    dataset: 'Maysee/tiny-imagenet',
    model: env.RAYITO_MODEL || undefined,
    dtype: oneOf('RAYITO_DTYPE', env.RAYITO_DTYPE || 'fp32', DTYPES),
    source: oneOf('RAYITO_SOURCE', env.RAYITO_SOURCE || 'auto', SOURCES),
    images,
    stop: images * step,
    step,
    versions: versionList(env.RAYITO_VERSIONS),
    actors:
      onCluster && !env.RAYITO_ACTORS
        ? undefined
        : whole('RAYITO_ACTORS', env.RAYITO_ACTORS, availableParallelism(), 1_024),
    address: onCluster,
    service: address('RAYITO_SERVICE', env.RAYITO_SERVICE || 'http://127.0.0.1:8000'),
    out: env.RAYITO_OUT || join('..', 'out'),
  })
}

/** The settings, which a notebook shows: without the password that may stand in a cluster's address. */
export function secretly(settings: Settings): Settings {
  const { address } = settings
  if (!address) return settings
  return Object.defineProperty(settings, inspect.custom, {
    value: () => ({ ...settings, address: shown(address) }),
  })
}

/** Python's `range(start, stop, step)`, for steps upwards. */
export function range(start: number, stop: number, step = 1): number[] {
  return Array.from({ length: Math.max(0, Math.ceil((stop - start) / step)) }, (_, i) => start + i * step)
}

function versionList(text: string | undefined): VersionName[] {
  if (!text) return [...VERSIONS]
  const names = text.split(',').map((name) => name.trim().toUpperCase())
  for (const name of names) oneOf('RAYITO_VERSIONS', name, VERSIONS)
  return VERSIONS.filter((name) => names.includes(name))
}

function oneOf<T extends string>(name: string, value: string, choices: readonly T[]): T {
  return choices.find((choice) => choice === value) ?? expected(name, `one of ${choices.join(', ')}`, value)
}

function address(name: string, text: string): string {
  const isHttp = URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)
  return isHttp ? text.replace(/\/+$/, '') : expected(name, 'an address that begins with http', text)
}

function whole(name: string, text: string | undefined, fallback: number, most: number): number {
  if (!text) return fallback
  const value = Number(text)
  return Number.isInteger(value) && value >= 1 && value <= most
    ? value
    : expected(name, `a whole number from 1 to ${most}`, text)
}
