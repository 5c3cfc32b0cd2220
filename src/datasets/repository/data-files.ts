import { sep } from 'node:path'
import { extname } from 'node:path/posix'
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
  /** Whether pictures have no classes; null where their folders tell. */
  dropLabels: boolean | null
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

/** Without the files of the other kind; as in Python all splits must have the same. Throws DATASET_UNSUPPORTED. */
function ofOneKind(splits: Map<string, string[]>, where: string): Map<string, string[]> {
  const kinds = [...splits].flatMap(([split, files]) => {
    const kind = kindOf(files)
    return kind === null ? [] : [{ split, kind }]
  })
  const [first] = kinds
  if (!first) return new Map()
  const other = kinds.find(({ kind }) => kind !== first.kind)
  if (other) {
    const [one, two] = [first, other].map(({ split, kind }) => `${KINDS[kind].name} in ${split}`)
    throw new RayitoError(
      'DATASET_UNSUPPORTED',
      `Expected files of one kind in all splits of ${where}, got ${one} and ${two}`,
      { remedy: 'Load each split apart, with dataFiles.' },
    )
  }
  const kept = [...splits].map(([split, files]) => [split, files.filter(isOf(first.kind))] as const)
  return new Map(kept.filter(([, files]) => files.length > 0))
}

const isVisible = (path: string) => !path.split('/').some((name) => name.startsWith('.') || name.startsWith('__'))

function allSplits(
  paths: readonly string[],
  { name, dataFiles }: Wanted,
  where: string,
  configurations: readonly Configuration[] | 'converted',
): Omit<DataSetFiles, 'all'> {
  const dropLabels = null
  if (dataFiles !== undefined)
    return { configuration: 'default', dropLabels, splits: matching(paths, dataFiles, where) }
  if (configurations === 'converted')
    return { configuration: name ?? 'default', dropLabels, splits: convertedOf(dataOf(paths), name, where) }
  const { name: configuration, folder, dataFiles: named, ...rest } = configurationOf(configurations, name, where)
  const inside = paths.filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length))
  const splits = named === null ? splitsOf(inside.filter(isAnyOf(inside))) : matching(inside, named, where)
  return {
    configuration,
    dropLabels: rest.dropLabels,
    splits: new Map([...splits].map(([split, files]) => [split, files.map((file) => folder + file)])),
  }
}

type Kind = 'parquet' | 'pictures'

/** Pictures of a kind that cannot be decoded are rows, too, as in Python: left out, they would be missing without a word. */
const KINDS: Record<Kind, { name: string; form: RegExp }> = {
  parquet: { name: 'Parquet files', form: /\.parquet$/i },
  pictures: {
    name: 'pictures',
    form: /\.(a?png|bmp|dds|dib|gif|icns|ico|j2k|jfif|jp2|jpe?g|jpe|jpx|p[bgnp]m|pcx|psd|sgi|tga|tiff?|webp)$/i,
  },
}

/** What Python's imagefolder takes columns from, in place of classes. */
const METADATA = /(?:^|\/)metadata\.(csv|jsonl|parquet)$/

/** Python's rule: the kind of the extension that most files have, and Parquet where another is as frequent; metadata count where nothing else is there. */
export function kindOf(paths: readonly string[]): Kind | null {
  const data = paths.filter((path) => !METADATA.test(path))
  const tables = data.filter((path) => KINDS.parquet.form.test(path)).length
  const counts = new Map<string, number>()
  for (const path of data) {
    const extension = extname(path).toLowerCase()
    if (KINDS.pictures.form.test(path)) counts.set(extension, (counts.get(extension) ?? 0) + 1)
  }
  const pictures = Math.max(0, ...counts.values())
  if (pictures > tables) return 'pictures'
  return tables > 0 || paths.some((path) => KINDS.parquet.form.test(path)) ? 'parquet' : null
}

/** Whether there are only files that can be read here, as far as their names tell. */
export function isReadable(paths: readonly string[]): boolean {
  if (!paths.some((path) => METADATA.test(path))) return kindOf(paths) !== null
  return kindOf([...splitsOf(paths.filter(isAnyOf(paths))).values()].flat()) === 'parquet'
}

/** Whether a file is of that kind, or tells of pictures. */
const isOf = (kind: Kind) => (path: string) =>
  KINDS[kind].form.test(path) || (kind === 'pictures' && METADATA.test(path))

/** The same of either kind; where there are no pictures, nothing tells of them. */
function isAnyOf(paths: readonly string[]): (path: string) => boolean {
  const isData = paths.some((path) => KINDS.pictures.form.test(path)) ? isOf('pictures') : isOf('parquet')
  return (path) => isData(path) || KINDS.parquet.form.test(path)
}

/** Files of the kind that most are of, and what tells of pictures. */
function dataOf(paths: readonly string[]): string[] {
  const kind = kindOf(paths)
  return kind === null ? [] : paths.filter(isOf(kind))
}

function matching(paths: readonly string[], dataFiles: DataFiles, where: string): Map<string, string[]> {
  const bySplit = typeof dataFiles === 'string' || Array.isArray(dataFiles) ? { train: dataFiles } : dataFiles
  return new Map(
    Object.entries(bySplit as Record<string, string | readonly string[]>).map(([split, patterns]) => {
      const files = [patterns].flat().flatMap((pattern) => {
        const found = paths.filter(fitting(pattern.replaceAll(sep, '/').replace(/^(?:\.\/)+/, ''))).sort()
        if (found.length > 0) return found
        throw new RayitoError('DATASET_NOT_FOUND', `Expected files that fit ${shown(pattern)} in ${where}, got none`)
      })
      const data = dataOf([...new Set(files)])
      if (data.length > 0) return [split, data]
      const asked = [patterns].flat().map(shown).join(', ') || 'an empty list of them'
      throw noData(files, `that fit ${asked} in ${where}`)
    }),
  )
}

/** What else people keep rows in: `save_to_disk` of Python's datasets makes folders of Arrow files. */
const OTHER_TABLES = /\.(arrow|csv|tsv|jsonl?)(\.\w+)?$/i

function noData(files: readonly string[], place: string): RayitoError {
  const tables = files.filter((path) => OTHER_TABLES.test(path))
  const others = (tables.length > 0 ? tables : [...files]).sort().slice(0, 3)
  const remedy = "Make Parquet of them with Python's datasets: load_from_disk or load_dataset, then to_parquet(path)."
  const message = `Expected Parquet files or pictures ${place}, got ${others.map(shown).join(', ') || 'none'}`
  return new RayitoError('DATASET_NOT_FOUND', message, tables.length > 0 ? { remedy } : {})
}

/** No README.md makes a message of megabytes. */
const shown = (pattern: string) => (pattern.length > 200 ? `${pattern.slice(0, 200)}…` : pattern)
