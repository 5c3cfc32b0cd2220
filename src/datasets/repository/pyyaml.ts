import type { SchemaOptions } from 'yaml'

type Tag = Extract<SchemaOptions['customTags'], readonly unknown[]>[number]

/**
 * What is a number, a truth or a day without quotes for PyYAML, which writes and reads the cards of Python's data sets (the implicit
 * resolvers of its resolver.py); all else is a text. YAML 1.1 takes more: `08`, `1e3`, `E2`, `.` and `2020-1-1` are numbers and
 * days there, `y` and `n` truths.
 */
const WORDS: Record<string, RegExp> = {
  bool: /^(?:yes|no|true|false|on|off|(?:Yes|No|True|False|On|Off)|(?:YES|NO|TRUE|FALSE|ON|OFF))$/,
  int: /^(?:[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][\d_]*)|[-+]?0x[\da-fA-F_]+|[-+]?[1-9][\d_]*(?::[0-5]?\d)+)$/,
  float:
    /^(?:[-+]?\d[\d_]*\.[\d_]*(?:[eE][-+]\d+)?|\.\d[\d_]*(?:[eE][-+]\d+)?|[-+]?\d[\d_]*(?::[0-5]?\d)+\.[\d_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/,
  timestamp:
    /^(?:\d{4}-\d\d-\d\d|\d{4}-\d\d?-\d\d?(?:[Tt]|[ \t]+)\d\d?:\d\d:\d\d(?:\.\d*)?(?:[ \t]*(?:Z|[-+]\d\d?(?::\d\d)?))?)$/,
}

/** A tag of YAML 1.1 for those words alone that PyYAML takes so, too. */
export function asPyYaml(tag: Tag): Tag {
  if (typeof tag === 'string' || !('test' in tag) || !tag.test) return tag
  const words = WORDS[tag.tag.replace('tag:yaml.org,2002:', '')]
  return words ? { ...tag, test: new RegExp(`(?=${words.source})(?:${tag.test.source})`) } : tag
}
