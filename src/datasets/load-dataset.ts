import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expected, RayitoError } from '../core/errors.js'
import { knownOptions } from '../core/options.js'
import { type Source as Origin, readSource, tellEmbedded } from '../core/source.js'
import { span } from '../core/spans.js'
import { atUser } from '../core/user-stack.js'
import { EMBEDDED_DATASET, embeddedDataset } from '../embedded/index.js'
import type { HubOptions } from '../hub/index.js'
import { HUB_OPTIONS } from '../hub/options.js'
import { isRepoName } from '../hub/repo-name.js'
import { Dataset } from './dataset.js'
import { DatasetDict } from './dataset-dict.js'
import { checkMaxPixels, MAX_PIXELS } from './image/image.js'
import { PageCache } from './parquet/page-cache.js'
import { cardsIn } from './repository/card.js'
import { cardFeatures } from './repository/card-features.js'
import { type DataFiles, readConfigurations } from './repository/configurations.js'
import { chooseFiles, type Found, type Wanted } from './repository/data-files.js'
import { kindOf } from './repository/kinds.js'
import { onHub } from './repository/on-hub.js'
import type { ImageRow } from './row.js'
import { ParquetSource } from './sources/parquet-source.js'
import { classesOf, classOf, PictureSource } from './sources/picture-source.js'
import type { ReadOptions, Source } from './sources/source.js'
import { tellOtherTypes } from './sources/told-types.js'

/** What `loadDataset` takes beside the name: names as Python has them. */
export interface LoadOptions extends HubOptions {
  /**
   * Of the configurations that the data set's README.md names, this one.
   * @default the only one, or that which is called `default` or says so
   */
  name?: string | undefined
  /** Return this split alone, as a Dataset; on the Hub, download nothing else. */
  split?: string | undefined
  /**
   * Which files to take, as paths or patterns (`*`, `**`, `?`, `[0-9]`) from the root of the repository or folder; by split,
   * or all for `train`. What the README.md says goes for nothing then.
   * @default those of the configuration, else what the names of the files tell
   */
  dataFiles?: DataFiles | undefined
  /**
   * Branch, tag or commit of the repository.
   * @default 'main'
   */
  revision?: string | undefined
  /**
   * Where Maysee/tiny-imagenet, the assignment's data set, comes from: the Hub, this package's rayito/tiny-pictures in its
   * place, or (`auto`) the Hub where its cache has the files or it answers within 3 s, else this package.
   * @default RAYITO_SOURCE, else 'auto'
   */
  source?: Origin | undefined
  /**
   * Bytes of decoded pages to keep, for all splits together; more where the pages that hold one row have more.
   * @default 67108864 (64 MiB)
   */
  cacheBytes?: number | undefined
  /**
   * Pixels of a picture at most; see Image.open.
   * @default 178956970
   */
  maxPixels?: number | undefined
}

const DEFAULTS = { cacheBytes: 64 * 2 ** 20, maxPixels: MAX_PIXELS }

/** The data set that the built-in one can stand in for. */
const ASSIGNMENT = 'Maysee/tiny-imagenet'

/**
 * Loads a data set: of the Hub (`owner/name`, downloaded once), from a Parquet file or a folder of them, or from a folder of
 * pictures that lie in a folder for each class (the classes are the folders' names, sorted). Only the files' metadata are
 * read; see {@link Dataset}.
 *
 * Resolves to the splits, or to one with the option `split`. Give the type of a row where it is not `{ image, label }`.
 * Rejects with DATASET_NOT_FOUND, _AMBIGUOUS, _BROKEN, _UNREADABLE, _UNSUPPORTED, DATASET_SPLIT_NOT_FOUND, DATASET_CONFIG_NOT_FOUND,
 * DATASET_CARD_INVALID, INVALID_ARGUMENT, EMBEDDED_CACHE and EMBEDDED_INCOMPLETE (of the built-in set), and the download's codes HUB_*.
 */
export function loadDataset<Row extends object = ImageRow>(
  nameOrPath: string | URL,
  options: LoadOptions & { split: string },
): Promise<Dataset<Row>>
export function loadDataset<Row extends object = ImageRow>(
  nameOrPath: string | URL,
  options?: LoadOptions & { split?: undefined },
): Promise<DatasetDict<Row>>
export function loadDataset<Row extends object = ImageRow>(
  nameOrPath: string | URL,
  options: LoadOptions,
): Promise<Dataset<Row> | DatasetDict<Row>>
export async function loadDataset<Row extends object = ImageRow>(
  nameOrPath: string | URL,
  options: LoadOptions = {},
): Promise<Dataset<Row> | DatasetDict<Row>> {
  try {
    return await span('load', String(nameOrPath), () => load<Row>(nameOrPath, options))
  } catch (error) {
    throw atUser(error)
  }
}

async function load<Row extends object>(
  nameOrPath: string | URL,
  options: LoadOptions,
): Promise<Dataset<Row> | DatasetDict<Row>> {
  knownOptions(options, ['name', 'split', 'dataFiles', 'revision', 'source', 'cacheBytes', 'maxPixels', ...HUB_OPTIONS])
  const {
    name,
    split,
    dataFiles,
    revision,
    source,
    cacheBytes = DEFAULTS.cacheBytes,
    maxPixels = DEFAULTS.maxPixels,
    ...hub
  } = options
  if (name !== undefined && typeof name !== 'string') expected('name', 'the name of a configuration', name)
  if (split !== undefined && typeof split !== 'string') expected('split', 'the name of a split', split)
  if (dataFiles !== undefined && !areDataFiles(dataFiles))
    expected('dataFiles', 'paths or patterns, or an object with those of each split', dataFiles)
  if (revision !== undefined && (typeof revision !== 'string' || !revision))
    expected('revision', 'a branch, tag or commit', revision)
  if (typeof cacheBytes !== 'number' || !(cacheBytes >= 0))
    expected('cacheBytes', 'a number of bytes from 0 up', cacheBytes)
  checkMaxPixels(maxPixels)
  const wanted = { name, split, dataFiles }
  const path = await localPath(nameOrPath)
  const origin = readSource(source)
  const found =
    path === null ? await named(String(nameOrPath), origin, revision, hub, wanted) : await onDisk(path, wanted)
  const splits = await open(found, { cacheBytes, maxPixels })
  if (split !== undefined) return new Dataset<Row>(splits.get(split)!)
  return new DatasetDict<Row>(Object.fromEntries([...splits].map(([name, source]) => [name, new Dataset<Row>(source)])))
}

function areDataFiles(value: unknown): boolean {
  const isPath = (value: unknown) => typeof value === 'string' && value !== ''
  const arePaths = (value: unknown) =>
    isPath(value) || (Array.isArray(value) && value.length > 0 && value.every(isPath))
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return arePaths(value)
  const bySplit = Object.values(value)
  return bySplit.length > 0 && bySplit.every(arePaths)
}

/** The path that is meant, or null for a repository's name. As in Python, a file or folder of that name goes first. */
async function localPath(name: string | URL): Promise<string | null> {
  if (!(name instanceof URL) && (typeof name !== 'string' || name === ''))
    expected('nameOrPath', 'the name of a data set or a path', name)
  const text = String(name)
  const path = text.startsWith('file:') ? fileURLToPath(text) : text
  const found = await stat(path).catch(() => null)
  if (found?.isFile() || found?.isDirectory()) return resolve(path)
  const isName = isRepoName(path) && !/(^|\/)\.|\.parquet$/.test(path)
  if (isName && !found && !FORMATS.has(path)) return null
  const remedy = FORMATS.has(path) ? 'Give the path of the files: loadDataset(path).' : undefined
  const message = `Expected a data set, got \`${text}\`, where there is no file or folder`
  throw new RayitoError('DATASET_NOT_FOUND', message, remedy ? { remedy } : {})
}

/** What Python's `load_dataset` takes in place of a name, to read one's own files: no repository is called so. */
const FORMATS = new Set(['parquet', 'imagefolder', 'csv', 'json', 'text', 'arrow', 'audiofolder', 'webdataset'])

async function onDisk(path: string, wanted: Wanted, name = path): Promise<Found> {
  const isFile = (await stat(path)).isFile()
  const folder = isFile ? dirname(path) : path
  const files = isFile ? [basename(path)] : await filesBelow(path)
  const read = (card: string) => readFile(join(folder, card), 'utf8')
  const texts = isFile || wanted.dataFiles !== undefined ? [] : await cardsIn(files, read)
  const chosen = chooseFiles(files, wanted, name, await readConfigurations(texts, name))
  return { folder, ...chosen, features: () => cardFeatures(texts, chosen.configuration, name) }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() || entry.isSymbolicLink())
    .map((entry) => relative(folder, join(entry.parentPath ?? entry.path, entry.name)).replaceAll(sep, '/'))
}

/** A data set by its name: built in, or of the Hub. */
async function named(
  id: string,
  source: Origin,
  revision: string | undefined,
  hub: HubOptions,
  wanted: Wanted,
): Promise<Found> {
  if (id === EMBEDDED_DATASET) return onDisk(await embeddedDataset(), wanted, id)
  if (source === 'embedded' && id !== ASSIGNMENT)
    throw new RayitoError(
      'DATASET_NOT_FOUND',
      `Expected the built-in data set ${EMBEDDED_DATASET} or a path, got ${id}`,
      {
        remedy: "Use source 'hub'.",
      },
    )
  if (source === 'embedded' || !(await isToBeHad(id, source, revision, hub, wanted))) {
    if (source === 'auto') tellEmbedded('pictures')
    return onDisk(await embeddedDataset(), wanted, id)
  }
  return onHub(id, revision, hub, wanted)
}

/** Whether there is no need for the built-in data set. */
async function isToBeHad(
  id: string,
  source: Origin,
  revision: string | undefined,
  hub: HubOptions,
  wanted: Wanted,
): Promise<boolean> {
  if (source !== 'auto' || id !== ASSIGNMENT || revision !== undefined) return true
  if (wanted.name !== undefined || wanted.dataFiles !== undefined) return true
  const { inReach } = await import('../hub/index.js')
  const needed = (paths: string[]) => {
    try {
      return [...chooseFiles(paths, wanted, id, []).splits.values()].flat()
    } catch {
      return [] // a split that is not there is told of when it is loaded
    }
  }
  return inReach({ type: 'dataset', id }, `rows of ${wanted.split ?? 'all splits'}`, needed, hub)
}

async function open(found: Found, options: ReadOptions): Promise<Map<string, Source>> {
  if (kindOf([...found.splits.values()].flat()) === 'parquet') return openParquet(found, options)
  return openPictures(found, options)
}

async function openParquet({ folder, splits, features }: Found, options: ReadOptions): Promise<Map<string, Source>> {
  const cache = new PageCache(options.cacheBytes)
  let told: ReturnType<typeof features> | undefined
  const tell = () => {
    told ??= features()
    return told
  }
  const opened = [...splits].map(async ([split, paths]) => {
    const files = paths.map((path) => join(folder, path))
    return [split, await ParquetSource.open({ kind: 'parquet', files, options }, cache, tell)] as const
  })
  const sources = new Map(await Promise.all(opened))
  const card = await told
  if (card) for (const { features } of sources.values()) tellOtherTypes(card, features, folder)
  return sources
}

function openPictures({ folder, splits, all, dropLabels }: Found, options: ReadOptions): Map<string, Source> {
  const names = classesOf(all, dropLabels)
  const sources = [...splits].map(([split, paths]) => {
    const files = paths.map((path) => join(folder, path))
    const labels = names.length > 0 ? paths.map((path) => names.indexOf(classOf(path))) : []
    return [split, new PictureSource({ kind: 'pictures', files, labels, names, options })] as const
  })
  return new Map(sources)
}
