import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet'

/** What stands for a column or a part of one: its name, and how often it is there. */
type Named = Pick<SchemaElement, 'name' | 'repetition_type'>

/**
 * Gives all lists and maps of a file the form that they are written in today: a group, in it a repeated group, in it the item. Java's writers for
 * Avro, Protobuf and Thrift, and old Hive and Spark, leave out one or both, of which hyparquet makes records, and nulls of empty lists. The pages are
 * the same, since what is put around an item is required. What is repeated, and what is the item, is told apart as by pyarrow.
 * @see https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#backward-compatibility-rules
 */
export function renewLists(metadata: FileMetaData, root: SchemaTree): void {
  const schema = [root.element]
  const paths = new Map<string, string[]>()

  const add = (part: SchemaTree, above: string[], named: Named = part.element): void => {
    const { element, children } = part
    if (named.repetition_type === 'REPEATED')
      return addList(part, above, { name: named.name, repetition_type: 'REQUIRED' })
    const items = itemsOf(part)
    if (items && kindOf(element) === 'LIST' && !isAround(items, element.name)) return addList(items, above, named)
    const path = [...above, named.name]
    paths.set(part.path.join('\0'), path)
    if (items) {
      // Keys without values are a list of them; hyparquet knows keys and values by these names.
      const [form, names] = items.children.length > 1 ? [FORMS.MAP, ['key', 'value']] : [FORMS.LIST, []]
      schema.push({ ...element, ...named, ...form }, items.element)
      for (const [i, child] of items.children.entries())
        add(child, [...path, items.element.name], { ...child.element, ...(names[i] && { name: names[i] }) })
    } else {
      schema.push({ ...element, ...named })
      for (const child of children) add(child, path)
    }
  }

  const addList = (item: SchemaTree, above: string[], named: Named): void => {
    const items: SchemaElement = { name: 'list', repetition_type: 'REPEATED', num_children: 1 }
    schema.push({ ...named, ...FORMS.LIST, num_children: 1 }, items)
    add(item, [...above, named.name, items.name], { name: 'element', repetition_type: 'REQUIRED' })
  }

  for (const column of root.children) add(column, [])
  metadata.schema = schema
  for (const { columns } of metadata.row_groups)
    for (const { meta_data: chunk } of columns)
      if (chunk) chunk.path_in_schema = paths.get(chunk.path_in_schema.join('\0')) ?? chunk.path_in_schema
}

const FORMS = {
  LIST: { converted_type: 'LIST', logical_type: { type: 'LIST' } },
  MAP: { converted_type: 'MAP', logical_type: { type: 'MAP' } },
} as const

/** Whether a group is called a list or a map. */
function kindOf({ converted_type, logical_type }: SchemaElement): 'LIST' | 'MAP' | null {
  const kind = converted_type ?? logical_type?.type
  return kind === 'LIST' ? 'LIST' : kind === 'MAP' || kind === 'MAP_KEY_VALUE' ? 'MAP' : null
}

/** What a list or a map repeats. */
function itemsOf({ element, children: [items, ...others] }: SchemaTree): SchemaTree | null {
  if (!items || others.length > 0 || items.element.repetition_type !== 'REPEATED') return null
  const kind = kindOf(element)
  return kind === 'LIST' || (kind === 'MAP' && items.children.length > 0) ? items : null
}

/** Whether what is repeated in a list of that name stands around the item, and is not itself the item. */
function isAround({ element, children: [item, ...others] }: SchemaTree, list: string): boolean {
  if (!item || others.length > 0 || item.element.repetition_type === 'REPEATED' || kindOf(element)) return false
  return element.name !== 'array' && element.name !== `${list}_tuple`
}
