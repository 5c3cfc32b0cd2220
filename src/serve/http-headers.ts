import { expected } from '../core/errors.js'

/** Headers of an answer; a list for one that is to come several times, as `set-cookie`. */
export type AnswerHeaders = Readonly<Record<string, string | readonly string[]>>

/** What a value says that it is: `Headers` of any library. */
const kindOf = (value: unknown) => Object.prototype.toString.call(value)

const isText = (value: unknown) => typeof value === 'string' || typeof value === 'number'
const isValue = (value: unknown) =>
  value === undefined || isText(value) || (Array.isArray(value) && value.every(isText))

/** Whether all of it could be sent: of a Map or a list of pairs nothing would. Classes of other libraries (axios') have theirs as fields. */
export function areHeaders(given: unknown): given is AnswerHeaders | Headers {
  const kind = kindOf(given)
  if (kind === '[object Headers]') return true
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return false
  const values = Object.values(given)
  return (kind === '[object Object]' || values.length > 0) && values.every(isValue)
}

/** An answer's headers as an object, which crosses to other threads. @throws RayitoError INVALID_ARGUMENT */
export function headersOf(given: AnswerHeaders | Headers): AnswerHeaders {
  if (!areHeaders(given)) {
    const remedy = kindOf(given) === '[object Map]' ? 'Give Object.fromEntries(map).' : ''
    expected('headers', 'an object of texts, or Headers', given, remedy)
  }
  if (kindOf(given) !== '[object Headers]') return { ...(given as AnswerHeaders) }
  const headers = new Map<string, string | string[]>()
  // Cookies come one by one, all others joined.
  for (const [name, value] of given as Headers)
    headers.set(name, headers.has(name) ? [headers.get(name)!, value].flat() : value)
  return Object.fromEntries(headers)
}
