import { type Finding, TOLD, tell, toldFinding } from '../core/findings.js'
import { Router, type RouterState } from './router.js'

/** By key those that handles send by. They stay when their deployments are stopped: handles say so, and reach the next version. */
const routers = new Map<string, Router>()
/** In a replica: those that the handles send by which it was bound to. They are of its own version, whichever handles reach elsewhere. */
const own = new Map<string, Router>()

/** Before keys, where workers are told of the deployment's state. */
const TOPIC = 'serve: '

/** Handles send by it from now on, wherever they are, and no more by another version's. */
export function publish(router: Router): void {
  const { key } = router.plan
  const before = routers.get(key)
  if (before) before.tell = null
  routers.set(key, router)
  router.tell = (state) => tell(TOPIC + key, state)
  router.changed()
}

/** The router of a deployment in a thread that was given a handle. What it has heard later than the handle was made counts. */
export function routerOf(state: RouterState, bound: boolean): Router {
  const known = bound ? own : routers
  const { key } = state.plan
  let router = known.get(key)
  if (!router) {
    router = new Router(state.plan)
    known.set(key, router)
    const told = bound ? undefined : toldFinding<RouterState>(TOPIC + key)
    if (told) router.follow(received(told))
  }
  router.follow(state)
  return router
}

export function findRouter(key: string): Router | undefined {
  return routers.get(key)
}

/** In a replica: the state of a deployment of its version. */
export function followOwn(state: RouterState): void {
  own.get(state.plan.key)?.follow(state)
}

TOLD.subscribe((finding) => {
  const [key, value] = finding as Finding
  if (key.startsWith(TOPIC)) routers.get(key.slice(TOPIC.length))?.follow(received(value as RouterState))
})

/** As it was before it may have gone through JSON, which has no Infinity. */
function received({ plan, ...state }: RouterState): RouterState {
  return { ...state, plan: { ...plan, maxQueuedRequests: plan.maxQueuedRequests ?? Infinity } }
}
