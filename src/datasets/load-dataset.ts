import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expected, RayitoError } from '../core/errors.js'
import { knownOptions } from '../core/options.js'
import { type Source as Origin, readSource, tellEmbedded } from '../core/source.js'
import { span } from '../core/spans.js'
import { EMBEDDED_DATASET, embeddedDataset } from '../embedded/index.js'
import type { HubOptions, Repo } from '../hub/index.js'
import { HUB_OPTIONS } from '../hub/options.js'
import { Dataset, type ImageRow } from './dataset.js'
import { DatasetDict } from './dataset-dict.js'
import { MAX_PIXELS } from './image.js'
import { PageCache } from './parquet/page-cache.js'
import { ParquetSource } from './parquet-source.js'
import { PictureSource } from './picture-source.js'
import type { ReadOptions, Source } from './source.js'
import { configurationsOf, convertedSplitsOf, fits, splitsOf } from './splits.js'
import { missing } from './strict-record.js'

export interface LoadOptions extends HubOptions {
  /** Return this split alone, as a Dataset; on the Hub, download nothing else. */
  split?: string
  /**
   * Which files to take, as paths or patterns (`*`, `**`, `?`) from the root of the repository or folder; by split, or all
   * for `train`.
   * @default what the names of the files tell
   */
  dataFiles?: string | readonly string[] | Readonly<Record<string, string | readonly string[]>>
  /**
   * Branch, tag or commit of the repository.
   * @default 'main'
   */
  revision?: string
  /**
   * Where Maysee/tiny-imagenet, the assignment's data set, comes from: the Hub, this package's rayito/tiny-pictures in its
   * place, or (`auto`) the Hub where its cache has the files or it answers within 3 s, else this package.
   * @default RAYITO_SOURCE, else 'auto'
   */
  source?: Origin
  /**
   * Bytes of decoded pages to keep, for all splits together.
   * @default 67108864 (64 MiB)
   */
  cacheBytes?: number
  /**
   * Pixels of a picture at most; see Image.open.
   * @default 89478485
   */
  maxPixels?: number
}

const DEFAULTS = { cacheBytes: 64 * 2 ** 20, maxPixels: MAX_PIXELS }

/** The data set that the built-in one can stand in for. */
const ASSIGNMENT = 'Maysee/tiny-imagenet'

/** Where the Hub keeps its own conversion of data sets that are not in Parquet. */
const CONVERTED = 'refs/convert/parquet'

/**
 * Loads a data set: of the Hub (`owner/name`, downloaded once), from a Parquet file or a folder of them, or from a folder of
 * pictures that lie in a folder for each class (the classes are the folders' names, sorted). Only the files' metadata are
 * read; see {@link Dataset}.
 *
 * Resolves to the splits, or to one with the option `split`. Give the type of a row where it is not `{ image, label }`.
 * Rejects with DATASET_NOT_FOUND, DATASET_SPLIT_NOT_FOUND, DATASET_AMBIGUOUS, DATASET_BROKEN, DATASET_UNREADABLE, DATASET_UNSUPPORTED,
 * and the codes HUB_* of the download.
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
  options: LoadOptions = {},
): Promise<Dataset<Row> | DatasetDict<Row>> {
  return span('load', String(nameOrPath), () => load<Row>(nameOrPath, options))
}

async function load<Row extends object>(
  nameOrPath: string | URL,
  options: LoadOptions,
): Promise<Dataset<Row> | DatasetDict<Row>> {
  knownOptions(options, ['split', 'dataFiles', 'revision', 'source', 'cacheBytes', 'maxPixels', ...HUB_OPTIONS])
  const {
    split,
    dataFiles,
    revision,
    source,
    cacheBytes = DEFAULTS.cacheBytes,
    maxPixels = DEFAULTS.maxPixels,
    ...hub
  } = options
  if (split !== undefined && typeof split !== 'string') expected('split', 'the name of a split', split)
  if (!(cacheBytes >= 0)) expected('cacheBytes', 'a number of bytes from 0 up', cacheBytes)
  if (!(maxPixels >= 1)) expected('maxPixels', 'a number of pixels from 1 up', maxPixels)
  const wanted = { split, dataFiles }
  const path = await localPath(nameOrPath)
  const origin = readSource(source)
  const found =
    path === null ? await named(String(nameOrPath), origin, revision, hub, wanted) : await onDisk(path, wanted)
  const splits = await open(found, { cacheBytes, maxPixels })
  if (split !== undefined) return new Dataset<Row>(splits.get(split)!)
  return new DatasetDict<Row>(Object.fromEntries([...splits].map(([name, source]) => [name, new Dataset<Row>(source)])))
}

interface Wanted {
  split: string | undefined
  dataFiles: LoadOptions['dataFiles']
}

/** Files of the chosen splits below a folder. */
interface Found {
  folder: string
  splits: Map<string, string[]>
}

/** The path that is meant, or null for a repository's name. As in Python, a file or folder of that name goes first. */
async function localPath(name: string | URL): Promise<string | null> {
  if (name instanceof URL) return fileURLToPath(name)
  if (typeof name !== 'string' || name === '') expected('nameOrPath', 'the name of a data set or a path', name)
  if (name.startsWith('file:')) return fileURLToPath(name)
  if (await stat(name).catch(() => null)) return resolve(name)
  const isName = /^[\w-][\w.-]*(\/[\w-][\w.-]*)?$/.test(name) && !name.endsWith('.parquet')
  if (isName) return null
  throw new RayitoError('DATASET_NOT_FOUND', `Expected a data set, got \`${name}\`, where there is no file or folder`)
}

async function onDisk(path: string, wanted: Wanted, name = path): Promise<Found> {
  const isFile = (await stat(path)).isFile()
  const folder = isFile ? dirname(path) : path
  const files = isFile ? [basename(path)] : await filesBelow(path)
  return { folder, splits: choose(files, wanted, name) }
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
  if (source !== 'auto' || id !== ASSIGNMENT || revision !== undefined || wanted.dataFiles !== undefined) return true
  const { inReach } = await import('../hub/index.js')
  const needed = (paths: string[]) => {
    try {
      return [...choose(paths, wanted, id).values()].flat()
    } catch {
      return [] // a split that is not there is told of when it is loaded
    }
  }
  return inReach({ type: 'dataset', id }, `rows of ${wanted.split ?? 'all splits'}`, needed, hub)
}

async function onHub(id: string, revision: string | undefined, hub: HubOptions, wanted: Wanted): Promise<Found> {
  const { download, listFiles } = await import('../hub/index.js')
  let repo: Repo = { type: 'dataset', id, ...(revision && { revision }) }
  let paths = (await listFiles(repo, hub)).files.map(({ path }) => path)
  if (kindOf(paths) === null && revision === undefined && wanted.dataFiles === undefined) {
    repo = { ...repo, revision: CONVERTED }
    paths = (await listFiles(repo, hub).catch(absent)).files.map(({ path }) => path)
  }
  const splits = choose(paths, wanted, id, repo.revision === CONVERTED)
  const needed = new Set([...splits.values()].flat())
  const { folder } = await download(repo, (path) => needed.has(path), hub)
  return { folder, splits }
}

/** No conversion: there are no data files, then. */
function absent(error: unknown): { files: [] } {
  if (error instanceof RayitoError && error.code === 'HUB_REVISION_NOT_FOUND') return { files: [] }
  throw error
}

/** The data files by split, those of the option `split` only. */
function choose(
  paths: string[],
  { split, dataFiles }: Wanted,
  where: string,
  converted = false,
): Map<string, string[]> {
  const visible = paths.filter((path) => !path.split('/').some((name) => name.startsWith('.') || name.startsWith('__')))
  const splits = dataFiles === undefined ? guessed(visible, where, converted) : matching(visible, dataFiles, where)
  if (splits.size === 0)
    throw new RayitoError('DATASET_NOT_FOUND', `Expected Parquet files or pictures in ${where}, got none`)
  if (split === undefined) return splits
  const files = splits.get(split)
  if (!files) {
    const remedy = /[[+]/.test(split) ? 'Load a whole split, and take rows of it with select().' : undefined
    throw missing('DATASET_SPLIT_NOT_FOUND', `a split of ${where}`, split, [...splits.keys()], remedy)
  }
  return new Map([[split, files]])
}

/** By the paths alone. */
function guessed(paths: string[], where: string, converted: boolean): Map<string, string[]> {
  const data = dataOf(paths)
  const splits = converted ? convertedSplitsOf(data) : splitsOf(data)
  // Folders of pictures are classes.
  const configurations = kindOf(data) === 'parquet' ? configurationsOf(splits, converted) : []
  const [first] = configurations
  if (first === undefined) return splits
  const patterns = [...splits].flatMap(([split, files]) => {
    const file = files.find((path) => path.startsWith(`${first}/`))
    return file ? [`${split}: '${dirname(file)}/${basename(file).replace(/\d.*/, '*')}'`] : []
  })
  const revision = converted ? ` and revision: '${CONVERTED}'` : ''
  throw new RayitoError(
    'DATASET_AMBIGUOUS',
    `Expected one configuration in ${where}, got ${configurations.join(', ')}`,
    { remedy: `Choose one with dataFiles, for example { ${patterns.join(', ')} }${revision}.` },
  )
}

const KINDS = { parquet: /\.parquet$/i, pictures: /\.(png|jpe?g|webp|gif)$/i }

function kindOf(paths: readonly string[]): 'parquet' | 'pictures' | null {
  if (paths.some((path) => KINDS.parquet.test(path))) return 'parquet'
  return paths.some((path) => KINDS.pictures.test(path)) ? 'pictures' : null
}

/** Parquet files where there are any, else pictures. */
function dataOf(paths: string[]): string[] {
  const kind = kindOf(paths)
  return kind === null ? [] : paths.filter((path) => KINDS[kind].test(path))
}

function matching(
  paths: string[],
  dataFiles: NonNullable<LoadOptions['dataFiles']>,
  where: string,
): Map<string, string[]> {
  const bySplit = typeof dataFiles === 'string' || Array.isArray(dataFiles) ? { train: dataFiles } : dataFiles
  return new Map(
    Object.entries(bySplit as Record<string, string | readonly string[]>).map(([split, patterns]) => {
      const files = [patterns].flat().flatMap((pattern) => {
        const found = paths.filter((path) => fits(path, pattern)).sort()
        if (found.length > 0) return found
        throw new RayitoError('DATASET_NOT_FOUND', `Expected files that fit ${pattern} in ${where}, got none`)
      })
      const data = dataOf([...new Set(files)])
      if (data.length > 0) return [split, data]
      const asked = [patterns].flat().join(', ')
      const got = files.length > 0 ? files.slice(0, 3).join(', ') : 'none'
      throw new RayitoError(
        'DATASET_NOT_FOUND',
        `Expected Parquet files or pictures that fit ${asked} in ${where}, got ${got}`,
      )
    }),
  )
}

async function open({ folder, splits }: Found, options: ReadOptions): Promise<Map<string, Source>> {
  const all = [...splits.values()].flat()
  if (kindOf(all) === 'parquet') return openParquet(folder, splits, options)
  return openPictures(folder, splits, options)
}

async function openParquet(
  folder: string,
  splits: Found['splits'],
  options: ReadOptions,
): Promise<Map<string, Source>> {
  const cache = new PageCache(options.cacheBytes)
  const opened = [...splits].map(async ([split, paths]) => {
    const files = paths.map((path) => join(folder, path))
    return [split, await ParquetSource.open({ kind: 'parquet', files, options }, cache)] as const
  })
  return new Map(await Promise.all(opened))
}

/** As Python's imagefolder: classes are folders' names where all pictures lie equally deep in more than one folder. */
function openPictures(folder: string, splits: Found['splits'], options: ReadOptions): Map<string, Source> {
  const all = [...splits.values()].flat()
  const classOf = (path: string) => basename(dirname(`root/${path}`))
  const depths = new Set(all.map((path) => path.split('/').length))
  const classes = [...new Set(all.map(classOf))].sort()
  const names = depths.size === 1 && classes.length > 1 ? classes : []
  const sources = [...splits].map(([split, paths]) => {
    const files = paths.map((path) => join(folder, path))
    const labels = names.length > 0 ? paths.map((path) => names.indexOf(classOf(path))) : []
    return [split, new PictureSource({ kind: 'pictures', files, labels, names, options })] as const
  })
  return new Map(sources)
}
