import { inspect } from 'node:util'
import type { SchemaTree } from 'hyparquet'
import { expected } from '../core/errors.js'
import { strict } from './strict-record.js'

/** What a column holds, in the words of Python's `datasets`. */
export class Feature {
  /**
   * @param type `Image`, `ClassLabel`, `Value`, or another type's name of `datasets`
   * @param dtype kind of a `Value`: `int64`, `string`, …
   * @param names names of the classes of a `ClassLabel`, in the order of their numbers
   */
  constructor(
    readonly type: string,
    readonly dtype: string | null = null,
    readonly names: readonly string[] = [],
  ) {}

  get numClasses(): number {
    return this.names.length
  }

  /** The name of a class. Throws INVALID_ARGUMENT for a number that is none. */
  int2str(label: number): string {
    return this.names[label] ?? expected('label', `a whole number from 0 to ${this.names.length - 1}`, label)
  }

  /** The number of a class. Throws INVALID_ARGUMENT for a name that is none. */
  str2int(name: string): number {
    const label = this.names.indexOf(name)
    return label < 0 ? expected('name', `one of the ${this.names.length} class names`, name) : label
  }

  [inspect.custom](): string {
    if (this.type === 'ClassLabel') return `ClassLabel(names=[${this.names.map((name) => `'${name}'`).join(', ')}])`
    if (this.type === 'Image') return 'Image(mode=None, decode=True)'
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

interface Described {
  _type?: string
  dtype?: string
  names?: string[] | Record<string, string>
}

/** The features of a Parquet file: those that `datasets` noted in it, else what its schema tells. */
export function parquetFeatures(columns: readonly SchemaTree[], note: string | null): Features {
  const described = parseNote(note)
  return featuresOf(
    columns.map((column) => {
      const { name } = column.element
      const { _type, dtype, names } = described[name] ?? {}
      const feature = _type
        ? new Feature(_type, dtype, Array.isArray(names) ? names : Object.values(names ?? {}))
        : null
      return [name, feature ?? featureOfSchema(column)]
    }),
  )
}

function parseNote(note: string | null): Record<string, Described> {
  try {
    return (note && JSON.parse(note)?.info?.features) || {}
  } catch {
    // Another program's note under the same name: the schema tells enough.
    return {}
  }
}

function featureOfSchema({ element, children }: SchemaTree): Feature {
  const fields = children.map((child) => child.element.name).sort()
  if (fields.join() === 'bytes,path') return new Feature('Image')
  if (children.length > 0) return new Feature(element.converted_type === 'LIST' ? 'List' : 'Struct')
  if (element.converted_type === 'UTF8' || element.logical_type?.type === 'STRING')
    return new Feature('Value', 'string')
  const dtype = {
    BYTE_ARRAY: 'binary',
    INT32: 'int32',
    INT64: 'int64',
    FLOAT: 'float32',
    DOUBLE: 'float64',
    BOOLEAN: 'bool',
  }
  return new Feature('Value', dtype[element.type as keyof typeof dtype] ?? element.type ?? null)
}
