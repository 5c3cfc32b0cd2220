/** What `serve` has: its members by their names. */
import { expected, RayitoError } from '../core/errors.js'
import { atUser } from '../core/user-stack.js'
import { batch } from './batch.js'
import { checkApplication, deployment } from './deployment.js'
import { ingress } from './ingress.js'
import { counter, histogram } from './measured.js'
import { checkRunOptions, fillRun, RUN_DEFAULTS } from './options.js'
import type { Service } from './service.js'
import type { Application, DeploymentHandle, RunOptions, ServeStatus } from './types.js'

export { batch, counter, deployment, histogram, ingress, remove as delete }

let service: Service | null = null
/** How often `shutdown` was called. */
let shutdowns = 0

/**
 * Starts an application and answers HTTP for it. Resolves when all its replicas are ready, and those of the version that it replaces have
 * ended. Should the session end under it (`ray.shutdown()`), requests get 503, and its replicas start anew, within `healthCheckPeriod`,
 * once there is a session again.
 * @returns a handle to its ingress
 * Rejects with SERVE_DEPLOY_FAILED (a constructor or a first health check threw; a version that runs goes on), SERVE_ADDRESS (the port is
 * in use), SERVE_STOPPED (serve.shutdown was called meanwhile, or serve.run or serve.delete with its name), INVALID_ARGUMENT.
 */
export async function run<T extends object>(
  app: Application<T>,
  options: RunOptions = {},
): Promise<DeploymentHandle<T>> {
  const bound = checkApplication(app)
  checkRunOptions(options)
  const filled = fillRun(options)
  // Not in a replica, which needs the rest of this module only.
  const before = shutdowns
  const loaded = await import('./service.js')
  if (shutdowns !== before) throw loaded.stopped()
  service?.tellUnheeded(options)
  service ??= new loaded.Service(filled)
  const mine = service
  try {
    return (await mine.run(bound, filled)) as unknown as DeploymentHandle<T>
  } catch (error) {
    if (mine.isEmpty) await shutdownOf(mine)
    throw atUser(error)
  }
}

/** What runs, and how it is. */
export function status(): ServeStatus {
  return service?.status() ?? { url: null, draining: false, applications: {} }
}

/**
 * Ends all applications: running requests are answered, new ones get 503, replicas end. Resolves when that is done, at the
 * latest after the longest gracefulShutdownTimeout; requests by HTTP have that of the deployment which answers them. What is
 * still being started is started no further.
 */
export async function shutdown(): Promise<void> {
  shutdowns++
  if (service) await shutdownOf(service)
}

async function shutdownOf(one: Service): Promise<void> {
  await one.shutdown()
  if (service === one) service = null
}

/** Ends one application, as `shutdown` does all. @throws RayitoError INVALID_ARGUMENT (rejects) when none of that name runs */
async function remove(name: string): Promise<void> {
  const mine = service
  if (!mine?.has(name)) return expected('name', 'the name of an application that runs', name)
  await mine.remove(name)
  if (mine.isEmpty) await shutdownOf(mine)
}

/** A handle to an application's ingress, where it was run; replicas are given handles (`bind`), since they are other threads. @throws RayitoError SERVE_STOPPED */
export function getAppHandle<T extends object = object>(name: string = RUN_DEFAULTS.name): DeploymentHandle<T> {
  const handle = service?.handle(name)
  if (!handle) throw new RayitoError('SERVE_STOPPED', `No application '${name}' is running`)
  return handle as unknown as DeploymentHandle<T>
}

/**
 * Answers a request as the server would, without a socket: path and query of its address count, and its host, as the header. Its signal
 * gives it up, and what is left of the answer.
 * @throws RayitoError SERVE_STOPPED, INVALID_ARGUMENT for what is no Request (rejects)
 */
export async function fetch(request: Request): Promise<Response> {
  // A framework's may be of a class of its own.
  if (!URL.canParse(request?.url) || !request.signal || !request.headers) expected('request', 'a Request', request)
  if (!service) throw new RayitoError('SERVE_STOPPED', 'No application is running')
  return service.fetch(request)
}
