import { got, mapping, metadataOf, parsed } from './card.js'

/** A column, or what is in one, as metadata tell it: by its kind, first of its keys but for the name. */
type Told = Record<string, unknown>

/**
 * What the metadata of a data set say of its columns, in the form of the note that `datasets` leaves in Parquet files: names
 * of classes and which are pictures, also inside of lists and records. (Of lists of plain values, here `{}`, the files themselves tell more.)
 * Null where they say nothing. As `DatasetInfosDict.from_dataset_card_data` and `Features._from_yaml_list` of Python's
 * `datasets` read them.
 * @param texts see `metadataOf`
 * @param configuration the one that is loaded
 * @param where what the data set is called in errors
 * @throws RayitoError DATASET_CARD_INVALID (rejects)
 */
export async function cardFeatures(
  texts: readonly (string | null)[],
  configuration: string,
  where: string,
): Promise<Record<string, unknown> | null> {
  const text = metadataOf(texts).find((text) => text.includes('dataset_info'))
  if (text === undefined) return null
  return parsed(text, 'dataset_info', where, ({ dataset_info: told }) => {
    if (typeof told !== 'object' || told === null) return null
    const infos = [told].flat().map((info) => mapping(info, 'dataset_info'))
    // An only one names the configuration that is loaded without a name.
    const named = infos.find(({ config_name = 'default' }) => config_name === configuration)
    const info = named ?? (infos.length === 1 && configuration === 'default' ? infos[0] : undefined)
    return info?.features === undefined || info.features === null ? null : fields(info.features)
  })
}

function fields(told: unknown): Record<string, unknown> {
  if (!Array.isArray(told)) return got('features', 'a list', told)
  return Object.fromEntries(
    told.map((item) => {
      const { name, ...field } = mapping(item, 'a feature')
      return [typeof name === 'string' ? name : got('features', 'a name for each', name), noted(field)]
    }),
  )
}

const LISTS: Record<string, string> = { list: 'List', large_list: 'LargeList', sequence: 'Sequence' }

function noted(told: unknown): unknown {
  if (typeof told === 'string') return noted({ dtype: told })
  if (Array.isArray(told)) return fields(told)
  const field: Told = mapping(told, 'a feature')
  const [kind] = Object.keys(field)
  if (kind === undefined) return {}
  const inner = field[kind]
  if (LISTS[kind]) return listOf(LISTS[kind], noted(inner), field.length)
  if (kind === 'struct') return noted(inner)
  if (kind !== 'dtype') return { _type: typeNamed(kind), ...classes(mapping(inner, kind)) }
  if (typeof inner !== 'string') return noted(inner)
  return ENCODED.has(inner) ? { _type: typeNamed(inner) } : { _type: 'Value', dtype: SHORT[inner] ?? inner }
}

/** Of plain values, and so of a list of them, files tell more. */
function listOf(type: string, feature: unknown, length: unknown): Told {
  const isPlain = Object.keys(feature as object).length === 0 || (feature as Told)._type === 'Value'
  return isPlain ? {} : { _type: type, feature, length }
}

const SHORT: Record<string, string> = { float: 'float32', double: 'float64' }

/** What `dtype` may name beside plain values. */
const ENCODED = new Set(['image', 'json', 'audio', 'video', 'pdf', 'nifti', 'mesh'])

/** Names by their numbers, which must leave none out, or in their order. */
function classes(told: Told): Told {
  const { names } = told
  if (typeof names !== 'object' || names === null || Array.isArray(names)) return told
  const numbers = Object.keys(names)
    .map(Number)
    .sort((a, b) => a - b)
  if (numbers.some((number, i) => number !== i))
    got('class_label', 'a name for each number from 0 up', Object.keys(names))
  return { ...told, names: numbers.map((number) => (names as Told)[number]) }
}

/** `class_label` → `ClassLabel` */
const typeNamed = (kind: string) => kind.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())
