import { STATUS_CODES } from 'node:http'
import multipart from '@fastify/multipart'
import swagger from '@fastify/swagger'
import Fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifySchema,
  type FastifyServerOptions,
  type HTTPMethods,
  type RouteOptions,
} from 'fastify'
import { RayitoError } from '../../core/errors.js'
import type { AnswerHeaders } from '../http-headers.js'
import { DETAIL, errorBody, HttpError, missingField, tooManyWait } from '../http-response.js'
import type { ServedRoute } from '../ingress.js'
import { MAX_BYTES } from '../options.js'
import type { RunningApplication } from '../running-application.js'
import type { Page, Route } from '../types.js'
import { errorKeyOf, requestId } from './access.js'
import { answer } from './answer.js'
import { DOCS_PAGE } from './docs-page.js'
import type { HttpHost } from './host.js'
import { servedPage } from './page.js'
import { LONGEST_PARAMETER, pathPattern, routesOfUrl } from './path-pattern.js'
import { decodedPath, pathOf } from './request-path.js'
import { routeSchema } from './schema.js'
import { FORM, tooLarge } from './upload.js'

/** The last name of a path, whether a slash follows, and the query. */
const ADDRESS = /([^/?]*)(\/?)((?:\?.*)?)$/s

/** Not in the documentation. */
const HIDDEN = { hide: true } as object

const NO_COMPILERS = {
  buildValidator: () => () => () => true,
  buildSerializer: () => () => JSON.stringify,
} as unknown as NonNullable<NonNullable<FastifyServerOptions['schemaController']>['compilersFactory']>

/** The HTTP side of the applications that run now. A further application gets a new one. */
export async function makeApp(host: HttpHost): Promise<FastifyInstance> {
  const app = Fastify({
    logger: false,
    bodyLimit: MAX_BYTES,
    requestIdHeader: false,
    genReqId: requestId,
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: LONGEST_PARAMETER },
    forceCloseConnections: false,
    return503OnClosing: false,
    // What a replica is sent is its business: schemas are for the documentation only, and no compiler of theirs is loaded.
    schemaController: { compilersFactory: NO_COMPILERS },
    frameworkErrors: (error, request, reply) => {
      host.access.begin(request, reply)
      refuse(host, error, request, named(request, reply))
    },
  })
  app.removeAllContentTypeParsers()
  await app.register(multipart)
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: [...host.applications()].map(({ name }) => name).join(', ') || 'rayito', version: '1.0.0' },
    },
  })

  const applications = [...host.applications()]
  const table = new Table(app, applications)
  app.addHook('onRequest', (request, reply, done) => {
    host.access.begin(request, reply)
    host.heed(reply.raw)
    named(request, reply)
    if (host.draining())
      return detail(reply, 503, 'The server is stopping', { 'retry-after': '1', connection: 'close' })
    // Before a body is read.
    if (!request.is404 && table.isOwn(request)) return done()
    const { allowed, errorKey } = table.others(request.url)
    if (allowed.length === 0 || allowed.includes(request.method)) return detail(reply, 404, 'Not Found', {}, errorKey)
    detail(reply, 405, 'Method Not Allowed', { allow: allowed.join(', ') }, errorKey)
  })
  app.setErrorHandler((error: Error, request, reply) => refuse(host, error, request, reply))
  for (const application of applications)
    for (const route of application.routes) addRoute(table, host, application, route)
  addOwnRoutes(table, host)
  await app.ready()
  return app
}

type RouteOf = Omit<RouteOptions, 'method' | 'url' | 'schema'> & {
  errorKey?: string | undefined
  /** Whose it is; none: the server's. */
  application?: RunningApplication | undefined
}

/** The routes, and which methods each path has, so that the others get 405. */
class Table {
  readonly #routes = new Map<
    string,
    Pick<RouteOf, 'application'> & { pattern: RegExp; methods: Set<string>; errorKey: string }
  >()
  /** Names of operations: each is one's only. */
  readonly operations = new Set<string>()
  constructor(
    readonly app: FastifyInstance,
    private readonly applications: readonly RunningApplication[],
  ) {}

  has(method: string, url: string): boolean {
    return this.#routes.get(url)?.methods.has(method) ?? false
  }

  /** @param schemaOf what the documentation says of it */
  add(
    method: string,
    url: string,
    { errorKey = DETAIL, application, ...route }: RouteOf,
    schemaOf: (url: string) => FastifySchema = () => HIDDEN,
  ): void {
    if (this.has(method, url) || (application && application !== this.#owner(url))) return
    const shared = { ...route, method: method as HTTPMethods, config: { errorKey, application } as object }
    try {
      for (const one of routesOfUrl(url)) this.app.route({ ...shared, url: one, schema: schemaOf(one) })
    } catch (cause) {
      const why = (cause as Error).message.replace(/\.$/, '')
      throw new RayitoError('INVALID_ARGUMENT', `The route ${method} ${url} cannot be served: ${why}`, { cause })
    }
    const known = this.#routes.get(url) ?? { pattern: pathPattern(url), methods: new Set(), errorKey, application }
    known.methods.add(method)
    this.#routes.set(url, known)
  }

  /** The application that a path belongs to: that with the longest prefix of it. */
  #owner(path: string): RunningApplication | undefined {
    let owner: RunningApplication | undefined
    for (const one of this.applications) {
      const prefix = one.routePrefix.replace(/\/?$/, '/')
      if (`${path}/`.startsWith(prefix) && prefix.length > (owner?.routePrefix.length ?? 0)) owner = one
    }
    return owner
  }

  /** Whether the route of a request, which may have parameters, is of the application that the path belongs to. */
  isOwn({ routeOptions, url }: FastifyRequest): boolean {
    const { application } = routeOptions.config as Pick<RouteOf, 'application'>
    return !application || this.applications.length === 1 || application === this.#owner(decodedPath(url))
  }

  /** The methods of all routes that a request's path belongs to, and the field that their errors are in. */
  others(url: string): { allowed: string[]; errorKey: string } {
    const path = decodedPath(url)
    const owner = this.#owner(path)
    const routes = [...this.#routes.values()].filter(
      ({ pattern, application = owner }) => application === owner && pattern.test(path),
    )
    const methods = new Set(routes.flatMap(({ methods }) => [...methods]))
    if (methods.has('GET')) methods.add('HEAD')
    return { allowed: [...methods], errorKey: routes[0]?.errorKey ?? DETAIL }
  }
}

function addRoute(table: Table, host: HttpHost, application: RunningApplication, served: ServedRoute): void {
  const prefix = application.routePrefix.replace(/\/+$/, '')
  const url = `${prefix}${served.path}`.replace(/(.)\/+$/, '$1')
  if ('html' in served.route) return addPage(table, url, served.route, served.path.endsWith('/'), application)
  const { route } = served as { route: Route<unknown> }
  const maxBytes = route.maxBytes ?? MAX_BYTES
  const { router } = application.ingress
  const schemaOf = (one: string) => (served.hidden ? HIDDEN : routeSchema(application, served, one, table.operations))
  const options: RouteOf = {
    bodyLimit: maxBytes,
    application,
    errorKey: route.errorKey,
    // Before a body is read: what would be refused anyway is refused at once.
    onRequest: (request, reply, done) => {
      if (!application.accepts) return done(unavailable('The application is not ready'))
      if (router.full) return done(tooManyWait())
      // Its application does not end before its body has come.
      router.expect(request)
      reply.raw.once('close', () => router.expectNoMore(request))
      if (!route.file) return done()
      if (!FORM.test(request.headers['content-type'] ?? ''))
        return done(new HttpError(422, missingField('body', route.file)))
      // The form around the file takes a little, too.
      if (Number(request.headers['content-length']) > maxBytes + 64 * 1024) return done(tooLarge(maxBytes))
      done()
    },
    handler: (request, reply) => answer(host, application, route, maxBytes, prefix, request, reply),
  }
  table.add(served.method, url, options, schemaOf)
}

/** @param folder whether its path ends with a slash: its relative links are meant from there */
function addPage(table: Table, url: string, given: Page, folder = false, application?: RunningApplication): void {
  let page: ReturnType<typeof servedPage> | null = null
  const names = url.split('/').filter(Boolean).length
  const depth = folder ? names : names - 1
  table.add('GET', url, {
    application,
    handler: (request, reply) => {
      const [, name, slash, query] = ADDRESS.exec(request.url)!
      // Relative, since a proxy may have another path before it.
      if (Boolean(slash) !== folder) return reply.redirect(`${folder ? `./${name}/` : `../${name}`}${query}`, 307)
      page ??= servedPage(given, '../'.repeat(depth))
      return reply.headers(page.headers).send(page.html)
    },
  })
}

/** Routes of the server itself; an application's of the same name come first. */
function addOwnRoutes(table: Table, host: HttpHost): void {
  addPage(table, '/docs', { html: DOCS_PAGE })
  table.add('GET', '/openapi.json', { handler: () => table.app.swagger() })
  // All replicas once, then one of each deployment: where others are being replaced, requests are answered. Nor does an application that
  // begins, or ends, keep those that answer from their requests.
  const whenReady =
    (send: (reply: FastifyReply) => FastifyReply) => (_request: FastifyRequest, reply: FastifyReply) => {
      const running = [...host.applications()].filter(({ runs }) => runs)
      const ready = running.length > 0 && running.every((one) => one.ready)
      return ready ? send(reply) : detail(reply, 503, 'Not every application is ready')
    }
  const healthz = whenReady((reply) => reply.type('text/plain').send('success'))
  table.add('GET', '/-/healthz', { handler: healthz })
  // As the Open Inference Protocol names them.
  const protocol = { errorKey: 'error' }
  table.add('GET', '/v2/health/live', { ...protocol, handler: () => ({ live: true }) })
  table.add('GET', '/v2/health/ready', { ...protocol, handler: whenReady((reply) => reply.send({ ready: true })) })
  table.add('GET', '/-/routes', {
    handler: () => Object.fromEntries([...host.applications()].map(({ routePrefix, name }) => [routePrefix, name])),
  })
  table.add('GET', '/-/status', { handler: () => host.status() })
  table.add('GET', '/metrics', {
    handler: async (_request, reply) => reply.type(host.metrics.contentType).send(await host.metrics.text()),
  })
}

function unavailable(why: string): HttpError {
  return new HttpError(503, why, { 'retry-after': '1' })
}

/** With the headers that every answer has. */
function named(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  return reply.headers({ 'x-request-id': request.id, 'x-content-type-options': 'nosniff' })
}

/** An error as its client may see it. */
function refuse(host: HttpHost, error: Error, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof HttpError) return detail(reply, error.status, error.detail, error.headers)
  const { code, statusCode } = error as { code?: string; statusCode?: number }
  if (code === 'SERVE_BACK_PRESSURE') return refuse(host, tooManyWait(), request, reply)
  if (code === 'SERVE_STOPPED') return refuse(host, unavailable('The application is being stopped'), request, reply)
  // Nobody hears it. (A request counts as destroyed once it has been read.)
  if (code === 'SERVE_CANCELLED' || reply.raw.destroyed) return detail(reply, 499, 'Client Closed Request')
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return refuse(host, tooLarge(request.routeOptions.bodyLimit ?? MAX_BYTES), request, reply)
  if (statusCode !== undefined && statusCode < 500) return detail(reply, statusCode, error.message)
  host.log.failure({ requestId: request.id, failure: error.stack }, `${request.method} ${pathOf(request.url)} failed`)
  return detail(reply, 500, STATUS_CODES[500])
}

/** An error, in the form of its route. */
function detail(
  reply: FastifyReply,
  status: number,
  text: unknown,
  headers: AnswerHeaders = {},
  errorKey = errorKeyOf(reply),
): FastifyReply {
  return reply
    .code(status)
    .headers(headers as Record<string, string | string[]>)
    .type('application/json; charset=utf-8')
    .send(JSON.stringify(errorBody(text, errorKey)))
}
