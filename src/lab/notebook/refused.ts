import { STATUS_CODES } from 'node:http'
import { inspect } from 'node:util'

/** What an axios error holds, beside agents, sockets and the rest of a connection. */
interface AxiosError extends Error {
  isAxiosError?: boolean
  code?: string
  config?: { method?: string; baseURL?: string; url?: string }
  response?: { status: number; data: unknown }
}

/** What is shown of an answer. */
const LINES = 9
const CHARACTERS = 1_000

/** An error of axios, also as the cause of another, is printed from now on as what was asked and what was answered: all it holds fills pages. */
export function tellRefusals(value: unknown): void {
  // An error may be a cause of itself.
  const seen = new Set<unknown>()
  for (let error = value; error instanceof Error && !seen.has(error); error = error.cause) {
    seen.add(error)
    if ((error as AxiosError).isAxiosError)
      Object.defineProperty(error, inspect.custom, { value: told, configurable: true })
  }
}

function told(this: AxiosError): string {
  const { name, message, code, config, response, stack = '' } = this
  const request = `${config?.method?.toUpperCase() ?? ''} ${address(config)}`.trim()
  const answer = response
    ? ` was answered with ${response.status} ${STATUS_CODES[response.status] ?? ''}`.trimEnd()
    : ` had no answer${code ? ` (${code})` : ''}`
  const data = response ? shown(response.data) : ''
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line) && !/\bnode_modules\b/.test(line))
  return [`${name}: ${message}`, `${request}${answer}${data && ':'}`, ...(data ? [data] : []), ...frames].join('\n')
}

function address({ baseURL, url = '' }: NonNullable<AxiosError['config']> = {}): string {
  return baseURL && !/^\w+:\/\//.test(url) ? `${baseURL.replace(/\/$/, '')}/${url.replace(/^\//, '')}` : url
}

function shown(data: unknown): string {
  // What comes piece by piece has not come yet.
  if (typeof (data as { pipe?: unknown } | null | undefined)?.pipe === 'function') return ''
  const text = typeof data === 'string' ? data : inspect(data, { depth: null, compact: 9, breakLength: 120 })
  const short = text.split('\n').slice(0, LINES).join('\n').slice(0, CHARACTERS)
  return short === text ? text : `${short} …`
}
