import { STATUS_CODES } from 'node:http'
import type { FastifySchema } from 'fastify'
import { DETAIL } from '../http-response.js'
import type { ServedRoute } from '../ingress.js'
import type { RunningApplication } from '../running-application.js'
import type { Route } from '../types.js'
import { parametersOf } from './path-pattern.js'

/** What the OpenAPI document says of a route. @param operations names that are taken; its own is added */
export function routeSchema(
  { name }: RunningApplication,
  served: ServedRoute,
  url: string,
  operations: Set<string>,
): FastifySchema {
  const {
    file,
    summary,
    responses = {},
    query = {},
    body,
    answer,
    errorKey = DETAIL,
    error = object([[errorKey, errorKey === DETAIL ? {} : { type: 'string' }]], [errorKey]),
    call,
  } = served.route as Route<unknown>
  const params = parametersOf(url).map((param) => [param, { type: 'string' }])
  const described = Object.entries(query).map(([param, description]) => [param, { type: 'string', description }])
  const refusals = Object.entries({ ...(file ? { 422: 'No multipart form, or no such field' } : {}), ...responses })
  const schema = {
    operationId: untaken(`${call}_${served.method.toLowerCase()}${url.replace(/\W+/g, '_')}`, operations),
    tags: [name],
    summary: summary ?? call,
    ...(params.length ? { params: object(params) } : {}),
    ...(described.length ? { querystring: object(described) } : {}),
    ...(file
      ? {
          consumes: ['multipart/form-data'],
          body: object([[file, { type: 'string', format: 'binary' }]], [file]),
        }
      : body
        ? { body }
        : {}),
    response: {
      200: { description: 'Successful Response', ...(answer ?? {}) },
      ...Object.fromEntries(
        refusals.map(([code, description]) => [code, { description: description || STATUS_CODES[code], ...error }]),
      ),
    },
  }
  return schema as FastifySchema
}

/** Of `/a-b` and `/a/b` the second gets a number. */
function untaken(name: string, taken: Set<string>): string {
  let free = name
  for (let n = 2; taken.has(free); n++) free = `${name}_${n}`
  taken.add(free)
  return free
}

function object(properties: unknown[][], required?: string[]): object {
  const known = Object.fromEntries(properties as [string, object][])
  return { type: 'object', properties: known, ...(required && { required }) }
}
