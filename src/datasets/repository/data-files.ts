import { sep } from 'node:path'
import { RayitoError } from '../../core/errors.js'
import { missing } from '../strict-record.js'
import { type Configuration, configurationOf, convertedOf, type DataFiles } from './configurations.js'
import { isData, isOf, kindOf, METADATA, nameOf } from './kinds.js'
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
  /** Whether pictures have no classes; null where their folders tell. */
  dropLabels: boolean | null
  /** Those of all splits: classes of pictures have the same numbers, whichever split is opened. */
  all: string[]
}

/** A data set's files, the folder that they are in, and what its card says of their columns. */
export interface Found extends DataSetFiles {
  folder: string
  features: () => Promise<Record<string, unknown> | null>
}

/** Those of a data set, or of one of which the paths are the Hub's own conversion. */
type Configurations = readonly Configuration[] | { converted: readonly Configuration[] }

/**
 * The data files that the caller names, else those of the configuration, else what the paths tell.
 * @param paths from the data set's root, with `/`
 * @param where what the data set is called in errors
 * @param configurations those that the data set names
 * @param unsure why there may be more paths: the error where what is wanted is not among these
 */
export function chooseFiles(
  paths: readonly string[],
  wanted: Wanted,
  where: string,
  configurations: Configurations,
  unsure?: Error,
): DataSetFiles {
  try {
    return choose(paths, wanted, where, configurations)
  } catch (error) {
    const isMissing = error instanceof RayitoError && /^DATASET_(SPLIT_)?NOT_FOUND$/.test(error.code)
    throw (isMissing && unsure) || error
  }
}

function choose(paths: readonly string[], wanted: Wanted, where: string, configurations: Configurations): DataSetFiles {
  const { split } = wanted
  const visible = paths.filter(isVisible)
  const { splits: found, ...rest } = allSplits(visible, wanted, where, configurations)
  const splits = ofOneKind(found, where)
  if (splits.size === 0) throw noData(visible, `in ${where}`)
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
  if (split === undefined) return { ...rest, splits, all }
  const files = splits.get(split)
  if (!files) {
    const remedy = /[[+]/.test(split) ? 'Load a whole split, and take rows of it with select().' : undefined
    throw missing('DATASET_SPLIT_NOT_FOUND', `a split of ${where}`, split, [...splits.keys()], remedy)
  }
  return { ...rest, splits: new Map([[split, files]]), all }
}

/** Without the files of other kinds; as in Python all splits must have the same. None where it cannot be read. Throws DATASET_UNSUPPORTED. */
function ofOneKind(splits: Map<string, string[]>, where: string): Map<string, string[]> {
  const kinds = [...splits].flatMap(([split, files]) => {
    const kind = kindOf(files)
    return kind === null ? [] : [{ split, kind }]
  })
  const [first] = kinds
  if (!first) return new Map()
  const other = kinds.find(({ kind }) => kind !== first.kind)
  if (other) {
    const [one, two] = [first, other].map(({ split, kind }) => `${nameOf(kind)} in ${split}`)
    throw new RayitoError(
      'DATASET_UNSUPPORTED',
      `Expected files of one kind in all splits of ${where}, got ${one} and ${two}`,
      { remedy: 'Load each split apart, with dataFiles.' },
    )
  }
  if (first.kind === 'others') return new Map()
  const kept = [...splits].map(([split, files]) => [split, files.filter(isOf(first.kind))] as const)
  return new Map(kept.filter(([, files]) => files.length > 0))
}

const isVisible = (path: string) => !path.split('/').some((name) => name.startsWith('.') || name.startsWith('__'))

function allSplits(
  paths: readonly string[],
  { name, dataFiles }: Wanted,
  where: string,
  configurations: Configurations,
): Omit<DataSetFiles, 'all'> {
  const dropLabels = null
  if (dataFiles !== undefined)
    return { configuration: 'default', dropLabels, splits: matching(paths, dataFiles, where) }
  if ('converted' in configurations) {
    const splits = convertedOf(paths.filter(isOf('parquet')), name, where, configurations.converted)
    return { configuration: name ?? 'default', dropLabels, splits }
  }
  const { name: configuration, folder, dataFiles: named, ...rest } = configurationOf(configurations, name, where)
  const inside = paths.filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length))
  const splits = named === null ? splitsOf(inside.filter(isData)) : matching(inside, named, where)
  return {
    configuration,
    dropLabels: rest.dropLabels,
    splits: new Map([...splits].map(([split, files]) => [split, files.map((file) => folder + file)])),
  }
}

/**
 * Whether what a data set chooses can be read here, as far as the files' names tell. Where it names no configurations, the one that is
 * wanted may be one of the Hub's conversion.
 */
export function isReadable(
  paths: readonly string[],
  { name }: Wanted,
  configurations: readonly Configuration[],
): boolean {
  const wanted = { name: configurations.length > 0 ? name : undefined, split: undefined, dataFiles: undefined }
  try {
    choose(paths, wanted, '', configurations)
    return true
  } catch (error) {
    return !UNREADABLE.has((error as RayitoError).code)
  }
}

const UNREADABLE = new Set(['DATASET_NOT_FOUND', 'DATASET_UNSUPPORTED'])

/** Files of the kind that most are of, and what tells of pictures; none where they cannot be read. */
function dataOf(paths: readonly string[]): string[] {
  const kind = kindOf(paths)
  return kind === null || kind === 'others' ? [] : paths.filter(isOf(kind))
}

function matching(paths: readonly string[], dataFiles: DataFiles, where: string): Map<string, string[]> {
  const bySplit = typeof dataFiles === 'string' || Array.isArray(dataFiles) ? { train: dataFiles } : dataFiles
  return new Map(
    Object.entries(bySplit as Record<string, string | readonly string[]>).map(([split, patterns]) => {
      const files = [patterns].flat().flatMap((pattern) => {
        const found = paths.filter(fitting(pattern.replaceAll(sep, '/').replace(/^(?:\.\/)+/, ''))).sort()
        if (found.length > 0 || hasWildcard(pattern)) return found
        throw noneFits(pattern, where)
      })
      const data = dataOf([...new Set(files)])
      if (data.length > 0) return [split, data]
      const asked = [patterns].flat().map(shown).join(', ')
      if (files.length === 0 && asked) throw noneFits(asked, where)
      throw noData(files, `that fit ${asked || 'an empty list of them'} in ${where}`)
    }),
  )
}

const noneFits = (patterns: string, where: string) =>
  new RayitoError('DATASET_NOT_FOUND', `Expected files that fit ${shown(patterns)} in ${where}, got none`)

/** Of several patterns one with wildcards may fit nothing, as in Python: the others' files are the split. */
const hasWildcard = (pattern: string) => /[*?[]/.test(pattern)

/** What else people keep rows in: `save_to_disk` of Python's datasets makes folders of Arrow files. */
const OTHER_TABLES = /\.(arrow|csv|tsv|jsonl?)(\.\w+)?$/i

function noData(files: readonly string[], place: string): RayitoError {
  const tables = files.filter((path) => OTHER_TABLES.test(path))
  const isOther = (path: string) => kindOf([path]) === 'others'
  const others = files.filter(isOther)
  const some = [tables, others, [...files]].find((some) => some.length > 0) ?? []
  const got = some.sort().slice(0, 3).map(shown).join(', ') || 'none'
  const convert = "Make Parquet of them with Python's datasets: load_from_disk or load_dataset, then to_parquet(path)."
  const choose = 'Choose the Parquet files or pictures beside them with dataFiles.'
  const isMixed = files.some((path) => isData(path) && !isOther(path))
  const remedies = [...(tables.length > 0 ? [convert] : []), ...(isMixed ? [choose] : [])]
  const message = `Expected Parquet files or pictures ${place}, got ${got}`
  return new RayitoError('DATASET_NOT_FOUND', message, remedies.length > 0 ? { remedy: remedies.join(' ') } : {})
}

/** No README.md makes a message of megabytes. */
const shown = (pattern: string) => (pattern.length > 200 ? `${pattern.slice(0, 200)}…` : pattern)
