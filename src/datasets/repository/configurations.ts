/**
 * The configurations of a data set, of which one is loaded: what its README.md says of them in its metadata, as Python's
 * `datasets` reads it (its utils/metadata.py and `create_builder_configs_from_metadata_configs`).
 */

import { RayitoError } from '../../core/errors.js'
import { missing } from '../strict-record.js'
import { got, mapping, metadataOf, parsed } from './card.js'
import { convertedSplitsOf } from './splits.js'

/** Files as paths or patterns (`*`, `**`, `?`, `[0-9]`): by split, or all for `train`. */
export type DataFiles = string | readonly string[] | Readonly<Record<string, string | readonly string[]>>

export interface Configuration {
  name: string
  /** Below which everything lies, `''` for the root, else with `/` at its end. */
  folder: string
  /** From that folder; null where the names of the files tell. */
  dataFiles: DataFiles | null
  /** Python's `drop_labels`: whether pictures have no classes; null where their folders tell. */
  dropLabels: boolean | null
  isDefault: boolean
}

/**
 * The configurations that the files of CARDS name, none for most data sets.
 * @param texts see `metadataOf`
 * @param where what the data set is called in errors
 * @throws RayitoError DATASET_CARD_INVALID
 */
export async function readConfigurations(texts: readonly (string | null)[], where: string): Promise<Configuration[]> {
  // Most metadata name none: then nothing has to be parsed.
  const text = metadataOf(texts).find((text) => text.includes('configs'))
  if (text === undefined) return []
  return parsed(text, 'configs', where, ({ configs }) => {
    if (isNothing(configs)) return []
    // Of a name that is there twice Python takes the last, in the first's place.
    const named = list(configs, 'configs')
      .map(configuration)
      .map((one) => [one.name, one] as const)
    return oneDefault([...new Map(named).values()])
  })
}

/** The configuration of that name, without one the default; the whole data set where it names none. */
export function configurationOf(
  configurations: readonly Configuration[],
  name: string | undefined,
  where: string,
): Configuration {
  const all = configurations.length > 0 ? configurations : [WHOLE]
  const preset = all.find(({ isDefault }) => isDefault)?.name
  const names = all.map(({ name }) => name)
  return all[indexOf(names, name, preset, where)]!
}

const WHOLE: Configuration = { name: 'default', folder: '', dataFiles: null, dropLabels: null, isDefault: true }

/**
 * The same of the Hub's own conversion, whose paths are `CONFIGURATION/SPLIT/0000.parquet`: the files by split.
 * @param configurations those that the data set itself names: their default is that of the conversion
 */
export function convertedOf(
  paths: readonly string[],
  name: string | undefined,
  where: string,
  configurations: readonly Configuration[],
): Map<string, string[]> {
  const names = [...new Set(paths.map((path) => path.split('/')[0]!))].sort()
  if (names.length === 0) return new Map()
  const { name: told } = configurations.find(({ isDefault }) => isDefault) ?? WHOLE
  const preset = names.length === 1 ? names[0] : names.find((name) => name === told)
  const chosen = names[indexOf(names, name, preset, where)]!
  return convertedSplitsOf(paths.filter((path) => path.startsWith(`${chosen}/`)))
}

function indexOf(
  names: readonly string[],
  name: string | undefined,
  preset: string | undefined,
  where: string,
): number {
  const index = names.indexOf(name ?? preset ?? '')
  if (index >= 0) return index
  const what = `a configuration of ${where}`
  if (name !== undefined) throw missing('DATASET_CONFIG_NOT_FOUND', what, name, names)
  throw new RayitoError('DATASET_AMBIGUOUS', `Expected the name of ${what} (${names.join(', ')}), got none`, {
    remedy: `Choose one with the option name, for example { name: '${names[0]}' }.`,
  })
}

/** Whatever is false in Python. */
const isNothing = (value: unknown) => !value || (typeof value === 'object' && Object.keys(value).length === 0)

/** An only one is the default, too. */
function oneDefault(all: Configuration[]): Configuration[] {
  if (all.length === 1) return [{ ...all[0]!, isDefault: true }]
  const names = all.filter(({ isDefault }) => isDefault).map(({ name }) => name)
  return names.length > 1 ? got('default', 'one config', names) : all
}

function configuration(item: unknown): Configuration {
  const { config_name, data_dir, data_files, drop_labels, default: isDefault } = mapping(item, 'a config')
  if (config_name === undefined || config_name === null) got('config_name', 'a name', config_name)
  if (data_dir !== undefined && data_dir !== null && typeof data_dir !== 'string') got('data_dir', 'a folder', data_dir)
  const folder = (data_dir ?? '').replace(/^(?:\.?\/)+|\/+$/g, '')
  return {
    name: String(config_name),
    folder: folder === '' || folder === '.' ? '' : `${folder}/`,
    dataFiles: data_files === undefined || data_files === null ? null : dataFilesOf(data_files),
    dropLabels: drop_labels === undefined || drop_labels === null ? null : Boolean(drop_labels),
    isDefault: config_name === 'default' || Boolean(isDefault),
  }
}

function dataFilesOf(value: unknown): DataFiles {
  if (typeof value === 'string') return value
  const items = list(value, 'data_files')
  if (items.every((item) => typeof item === 'string')) return items as string[]
  const bySplit = new Map<string, string[]>()
  for (const item of items) {
    const { split, path } = mapping(item, 'data_files')
    if (split === undefined || bySplit.has(String(split))) got('data_files', 'each split once', split)
    const paths = typeof path === 'string' ? [path] : list(path, 'path')
    for (const path of paths) if (typeof path !== 'string') got('path', 'paths', path)
    bySplit.set(String(split), paths as string[])
  }
  return Object.fromEntries(bySplit)
}

function list(value: unknown, what: string): unknown[] {
  return Array.isArray(value) ? value : got(what, 'a list', value)
}
