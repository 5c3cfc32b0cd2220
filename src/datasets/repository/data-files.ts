import { RayitoError } from '../../core/errors.js'
import { missing } from '../strict-record.js'
import { type Configuration, configurationOf, convertedOf, type DataFiles } from './configurations.js'
import { fitting, splitsOf } from './splits.js'

/** Of all a data set holds, what the caller wants. */
export interface Wanted {
  /** Of the configurations, this one. */
  name: string | undefined
  split: string | undefined
  dataFiles: DataFiles | undefined
}

/** Which files of a data set are opened, as paths from its root. */
export interface DataSetFiles {
  /** The name of the configuration that they are of. */
  configuration: string
  /** By split: the one that is wanted, or all. */
  splits: Map<string, string[]>
  /** Those of all splits: classes of pictures have the same numbers, whichever split is opened. */
  all: string[]
}

/**
 * The data files that the caller names, else those of the configuration, else what the paths tell.
 * @param paths from the data set's root, with `/`
 * @param where what the data set is called in errors
 * @param configurations those that the data set names; 'converted' where it is the Hub's own conversion
 * @param unsure why there may be more paths: the error where what is wanted is not among these
 */
export function chooseFiles(
  paths: readonly string[],
  wanted: Wanted,
  where: string,
  configurations: readonly Configuration[] | 'converted',
  unsure?: Error,
): DataSetFiles {
  try {
    return choose(paths, wanted, where, configurations)
  } catch (error) {
    const isMissing = error instanceof RayitoError && /^DATASET_(SPLIT_)?NOT_FOUND$/.test(error.code)
    throw (isMissing && unsure) || error
  }
}

function choose(
  paths: readonly string[],
  wanted: Wanted,
  where: string,
  configurations: readonly Configuration[] | 'converted',
): DataSetFiles {
  const { split } = wanted
  const { splits, configuration } = allSplits(paths.filter(isVisible), wanted, where, configurations)
  if (splits.size === 0)
    throw new RayitoError('DATASET_NOT_FOUND', `Expected Parquet files or pictures in ${where}, got none`)
  const all = [...splits.values()].flat()
  const metadata = kindOf(all) === 'pictures' ? all.find((path) => METADATA.test(path)) : undefined
  if (metadata !== undefined)
    throw new RayitoError(
      'DATASET_UNSUPPORTED',
      `Expected pictures alone in ${where}, got ${metadata} with columns for them`,
      {
        remedy: "Choose pictures without these columns with dataFiles, for example { dataFiles: '**/*.png' }.",
      },
    )
  if (split === undefined) return { configuration, splits, all }
  const files = splits.get(split)
  if (!files) {
    const remedy = /[[+]/.test(split) ? 'Load a whole split, and take rows of it with select().' : undefined
    throw missing('DATASET_SPLIT_NOT_FOUND', `a split of ${where}`, split, [...splits.keys()], remedy)
  }
  return { configuration, splits: new Map([[split, files]]), all }
}

const isVisible = (path: string) => !path.split('/').some((name) => name.startsWith('.') || name.startsWith('__'))

function allSplits(
  paths: readonly string[],
  { name, dataFiles }: Wanted,
  where: string,
  configurations: readonly Configuration[] | 'converted',
): Omit<DataSetFiles, 'all'> {
  if (dataFiles !== undefined) return { configuration: 'default', splits: matching(paths, dataFiles, where) }
  if (configurations === 'converted')
    return { configuration: name ?? 'default', splits: convertedOf(dataOf(paths), name, where) }
  const { name: configuration, folder, dataFiles: named } = configurationOf(configurations, name, where)
  const inside = paths.filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length))
  const splits = named === null ? splitsOf(dataOf(inside)) : matching(inside, named, where)
  return {
    configuration,
    splits: new Map([...splits].map(([split, files]) => [split, files.map((file) => folder + file)])),
  }
}

/** Pictures of a kind that cannot be decoded are rows, too, as in Python: left out, they would be missing without a word. */
const KINDS = {
  parquet: /\.parquet$/i,
  pictures: /\.(a?png|bmp|dds|dib|gif|icns|ico|j2k|jfif|jp2|jpe?g|jpe|jpx|p[bgnp]m|pcx|psd|sgi|tga|tiff?|webp)$/i,
}

/** What Python's imagefolder takes columns from, in place of classes. */
const METADATA = /(?:^|\/)metadata\.(csv|jsonl|parquet)$/

export function kindOf(paths: readonly string[]): 'parquet' | 'pictures' | null {
  const data = paths.filter((path) => !METADATA.test(path))
  if (data.some((path) => KINDS.parquet.test(path))) return 'parquet'
  if (data.some((path) => KINDS.pictures.test(path))) return 'pictures'
  return paths.some((path) => KINDS.parquet.test(path)) ? 'parquet' : null
}

/** Whether there are only files that can be read here, as far as their names tell. */
export function isReadable(paths: readonly string[]): boolean {
  const kind = kindOf(paths)
  return kind === 'parquet' || (kind === 'pictures' && !paths.some((path) => METADATA.test(path)))
}

/** Parquet files where there are any, else pictures and what tells of them. */
function dataOf(paths: readonly string[]): string[] {
  const kind = kindOf(paths)
  if (kind === null) return []
  return paths.filter((path) => KINDS[kind].test(path) || (kind === 'pictures' && METADATA.test(path)))
}

function matching(paths: readonly string[], dataFiles: DataFiles, where: string): Map<string, string[]> {
  const bySplit = typeof dataFiles === 'string' || Array.isArray(dataFiles) ? { train: dataFiles } : dataFiles
  return new Map(
    Object.entries(bySplit as Record<string, string | readonly string[]>).map(([split, patterns]) => {
      const files = [patterns].flat().flatMap((pattern) => {
        const found = paths.filter(fitting(pattern.replace(/^(?:\.\/)+/, ''))).sort()
        if (found.length > 0) return found
        throw new RayitoError('DATASET_NOT_FOUND', `Expected files that fit ${shown(pattern)} in ${where}, got none`)
      })
      const data = dataOf([...new Set(files)])
      if (data.length > 0) return [split, data]
      const asked = [patterns].flat().map(shown).join(', ') || 'an empty list of them'
      const got = files.length > 0 ? files.slice(0, 3).join(', ') : 'none'
      throw new RayitoError(
        'DATASET_NOT_FOUND',
        `Expected Parquet files or pictures that fit ${asked} in ${where}, got ${got}`,
      )
    }),
  )
}

/** No README.md makes a message of megabytes. */
const shown = (pattern: string) => (pattern.length > 200 ? `${pattern.slice(0, 200)}…` : pattern)
