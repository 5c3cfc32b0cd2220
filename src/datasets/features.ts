import { inspect } from 'node:util'
import type { SchemaElement, SchemaTree } from 'hyparquet'
import { expected, RayitoError } from '../core/errors.js'
import { ArrowField } from './parquet/arrow-field.js'
import { strict } from './strict-record.js'

/** What a column holds, in the words of Python's `datasets`. */
export class Feature {
  constructor(
    /** `Image`, `ClassLabel`, `Value`, or another type's name of `datasets`. */
    readonly type: string,
    /** Kind of a `Value`: `int64`, `string`, … */
    readonly dtype: string | null = null,
    /** Names of the classes of a `ClassLabel`, in the order of their numbers. */
    readonly names: readonly string[] = [],
    /** Of a `List`, what it holds. */
    readonly feature: Feature | null = null,
    /** Of a `Struct`, what each of its fields holds. */
    readonly fields: Readonly<Record<string, Feature>> | null = null,
    /** Of a `List`, how many it holds; null where that differs. */
    readonly length: number | null = null,
    /** Of an `Image`, what every picture is converted to; null where each keeps its own. */
    readonly mode: string | null = null,
    /** Whether an `Image` or `Json` is given as picture or value, else as it lies in the file. */
    readonly decode: boolean = true,
    /** Of an `Array2D` to `Array5D`, how many values it has along each axis; null where that differs. */
    readonly shape: readonly (number | null)[] | null = null,
  ) {}

  /** Classes of a `ClassLabel`; 0 of anything else. */
  get numClasses(): number {
    return this.names.length
  }

  #classes(): readonly string[] {
    if (this.type === 'ClassLabel') return this.names
    throw new RayitoError('INVALID_ARGUMENT', `Expected a ClassLabel, whose classes have names, got ${inspect(this)}`)
  }

  /** The name of a class. Throws INVALID_ARGUMENT for a number that is none. */
  int2str(label: number): string {
    return this.#classes()[label] ?? expected('label', `a whole number from 0 to ${this.names.length - 1}`, label)
  }

  /** The number of a class. Throws INVALID_ARGUMENT for a name that is none. */
  str2int(name: string): number {
    const label = this.#classes().indexOf(name)
    return label < 0 ? expected('name', `one of the ${this.names.length} class names`, name) : label
  }

  [inspect.custom](): string {
    if (this.type === 'ClassLabel') return `ClassLabel(names=[${this.names.map((name) => `'${name}'`).join(', ')}])`
    const decode = `decode=${this.decode ? 'True' : 'False'}`
    if (this.type === 'Image') return `Image(mode=${this.mode === null ? 'None' : `'${this.mode}'`}, ${decode})`
    if (this.shape) {
      const shape = this.shape.map((count) => count ?? 'None').join(', ')
      return `${this.type}(shape=(${shape}), dtype='${this.dtype}')`
    }
    if (this.type === 'Json') return `Json(${decode})`
    if (this.feature) return `${this.type}(${inspect(this.feature)}${this.length ? `, length=${this.length}` : ''})`
    if (this.fields) return `{${entriesOf(this.fields, (name, field) => `'${name}': ${inspect(field)}`).join(', ')}}`
    return this.dtype ? `${this.type}('${this.dtype}')` : this.type
  }
}

/** The columns of a data set by name. A name that is none throws DATASET_COLUMN_NOT_FOUND. */
export interface Features {
  readonly image: Feature
  readonly label: Feature
  readonly [column: string]: Feature
}

export function featuresOf(entries: Iterable<readonly [string, Feature]>): Features {
  return strict(Object.fromEntries(entries) as unknown as Features, 'DATASET_COLUMN_NOT_FOUND', 'a column')
}

const entriesOf = <T>(fields: Readonly<Record<string, Feature>>, made: (name: string, field: Feature) => T): T[] =>
  Object.entries(fields).map(([name, field]) => made(name, field))

const listOf = (feature: Feature | null, arrow?: ArrowField | null) =>
  new Feature(arrow?.isLargeList ? 'LargeList' : 'List', null, [], feature, null, arrow?.length ?? null)

const structOf = (fields: Iterable<readonly [string, Feature]>) =>
  new Feature('Struct', null, [], null, Object.fromEntries(fields))

/**
 * The features of a Parquet file: those that are told of it, else those that `datasets` noted in it, else what its schema tells.
 * @param note of `datasets`
 * @param arrow pyarrow's note, which tells more than Parquet's schema
 * @param told by column, in the form of the note, and `{}` for what the schema tells
 */
export function parquetFeatures(
  columns: readonly SchemaTree[],
  note: string | null,
  arrow: string | null = null,
  told: Readonly<Record<string, unknown>> = {},
): Features {
  const noted = { ...parseNote(note), ...told }
  const made = (fields: ArrowField | null) =>
    columns.map((column, i) => {
      const { name } = column.element
      return [name, featureOf(column, noted[name], fields?.child(i, name))] as const
    })
  try {
    if (arrow !== null) return featuresOf(made(ArrowField.ofNote(arrow)))
  } catch (error) {
    // Not as pyarrow writes it: Parquet's schema tells enough.
    if (!(error instanceof RangeError)) throw error
  }
  return featuresOf(made(null))
}

function parseNote(note: string | null): Record<string, unknown> {
  try {
    return (note && JSON.parse(note)?.info?.features) || {}
  } catch {
    // Another program's note under the same name: the schema tells enough.
    return {}
  }
}

type Arrow = ArrowField | null | undefined

function featureOf(column: SchemaTree, noted: unknown, arrow?: Arrow): Feature {
  // What older versions wrote for a list.
  if (Array.isArray(noted)) return listOf(inside(column, noted[0], arrow))
  if (typeof noted !== 'object' || noted === null) return featureOfSchema(column, {}, arrow)
  const { _type: type, dtype, names, feature, length, mode, decode, shape } = noted as Record<string, unknown>
  if (typeof type !== 'string') return featureOfSchema(column, noted as Record<string, unknown>, arrow)
  // As in Python, where the file has other ones than are noted: seconds of a day, for which Parquet has no type, are milliseconds.
  if (type === 'Value') return featureOfSchema(column, {}, arrow)
  if (!feature) {
    const classes = Array.isArray(names) ? names : Object.values(names ?? {})
    const [kind, given] = [dtype, mode].map((text) => (typeof text === 'string' ? text : null))
    const axes = Array.isArray(shape) ? shape : null
    return new Feature(type, kind, classes, null, null, null, given, decode !== false, axes)
  }
  // Older versions turned a list of records into a record of lists.
  if (type === 'Sequence' && !itemOf(column))
    return structOf(column.children.map((child) => [child.element.name, featureOf(child, [nameIn(feature, child)])]))
  const count = typeof length === 'number' && length >= 0 ? length : null
  return new Feature(type === 'Sequence' ? 'List' : type, null, [], inside(column, feature, arrow), null, count)
}

const nameIn = (noted: unknown, { element }: SchemaTree) => (noted as Record<string, unknown>)[element.name]

/** What a list holds. */
function inside(column: SchemaTree, noted?: unknown, arrow?: Arrow): Feature | null {
  const item = itemOf(column)
  return item && featureOf(item, noted, arrow?.child(0))
}

/** Of a list in the schema the item: a list holds a repeated record of one field. */
function itemOf({ element, children }: SchemaTree): SchemaTree | null {
  const [repeated] = children
  if (element.converted_type !== 'LIST' || children.length !== 1 || !repeated) return null
  if (repeated.element.repetition_type !== 'REPEATED') return null
  return repeated.children[0] ?? null
}

/** What a record of bytes and a path most often is where nobody says so. Sounds and other files lie so, too. */
export const LIKELY_IMAGE = new Feature('Image')

function isLikelyImage(fields: readonly SchemaTree[]): boolean {
  const [bytes, path] = ['bytes', 'path'].map((name) => fields.find(({ element }) => element.name === name)?.element)
  if (fields.length !== 2 || bytes?.type !== 'BYTE_ARRAY' || isText(bytes)) return false
  // pyarrow's own type where all are null
  return path?.type === 'BYTE_ARRAY' || path?.logical_type?.type === 'NULL'
}

function featureOfSchema(column: SchemaTree, noted: Record<string, unknown>, arrow?: Arrow): Feature {
  const { element, children } = column
  if (element.converted_type === 'LIST') return listOf(inside(column, undefined, arrow), arrow)
  if (isLikelyImage(children) && Object.keys(noted).length === 0) return LIKELY_IMAGE
  if (children.length === 0)
    return isJson(element) ? new Feature('Json') : new Feature('Value', dtypeOf(element, arrow))
  // A record of any names.
  if (element.converted_type === 'MAP') return new Feature('Struct')
  const parts = children.map((child, i) => {
    const { name } = child.element
    return [name, featureOf(child, noted[name], arrow?.child(i, name))] as const
  })
  return structOf(parts)
}

export const isText = ({ converted_type, logical_type }: SchemaElement) =>
  converted_type === 'UTF8' || logical_type?.type === 'STRING'

const isJson = ({ converted_type, logical_type }: SchemaElement) =>
  converted_type === 'JSON' || logical_type?.type === 'JSON'

/**
 * What `datasets` calls it. Parquet knows whether a time is one of the world's clock and how many digits a decimal has, pyarrow also
 * how the time is to be shown and how large the decimal may be.
 */
function dtypeOf(element: SchemaElement, arrow: Arrow): string | null {
  const { dtype, timeZone, isWideDecimal } = arrow ?? {}
  const plain = dtype ?? schemaDtype(element)
  if (isWideDecimal) return plain?.replace('decimal128', 'decimal256') ?? null
  return timeZone ? (plain?.replace('tz=UTC', `tz=${timeZone}`) ?? null) : plain
}

const PHYSICAL: Record<string, string> = {
  BYTE_ARRAY: 'binary',
  INT32: 'int32',
  INT64: 'int64',
  INT96: 'timestamp[ns]',
  FLOAT: 'float32',
  DOUBLE: 'float64',
  BOOLEAN: 'bool',
}
const UNITS = { MILLIS: 'ms', MICROS: 'us', NANOS: 'ns' }

/** As far as Parquet's own schema tells. */
function schemaDtype(element: SchemaElement): string | null {
  const { type, converted_type, logical_type, precision, scale, type_length } = element
  const [, sign, bits] = /^(U?)INT_(\d+)$/.exec(converted_type ?? '') ?? []
  if (bits) return `${sign ? 'u' : ''}int${bits}`
  if (converted_type === 'UTF8') return 'string'
  if (converted_type === 'DECIMAL') return `decimal${precision! > 38 ? 256 : 128}(${precision}, ${scale ?? 0})`
  switch (logical_type?.type) {
    case 'STRING':
      return 'string'
    case 'NULL':
      return 'null'
    case 'FLOAT16':
      return 'float16'
    case 'INTEGER':
      return `${logical_type.isSigned ? '' : 'u'}int${logical_type.bitWidth}`
    case 'TIMESTAMP':
      return `timestamp[${UNITS[logical_type.unit]}${logical_type.isAdjustedToUTC ? ', tz=UTC' : ''}]`
    case 'TIME':
      return `time${logical_type.unit === 'MILLIS' ? 32 : 64}[${UNITS[logical_type.unit]}]`
  }
  if (converted_type === 'DATE') return 'date32'
  const [, kind, unit] = /^(TIME|TIMESTAMP)_(MILLIS|MICROS)$/.exec(converted_type ?? '') ?? []
  if (kind === 'TIME') return unit === 'MILLIS' ? 'time32[ms]' : 'time64[us]'
  if (kind) return `timestamp[${UNITS[unit as 'MILLIS']}, tz=UTC]`
  if (type === 'FIXED_LEN_BYTE_ARRAY') return `fixed_size_binary[${type_length}]`
  return PHYSICAL[type!] ?? type ?? null
}
