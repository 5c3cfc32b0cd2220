import { inspect, isDeepStrictEqual } from 'node:util'
import { RayitoError } from '../core/errors.js'
import { kernel, onInterrupt } from '../core/notebook.js'
import { atUser, callers } from '../core/user-stack.js'
import { writeNow } from '../core/write-now.js'
import { Driver } from './driver/driver.js'
import { urlsOf } from './engines/nats/address.js'
import { checkInitOptions, type SessionInfo, sessionOptions } from './options.js'
import { installStart, peekRuntime, type Runtime, runtime, setRuntime } from './runtime.js'
import type { InitOptions } from './types.js'

let ending: Promise<void> | null = null
/** Those whose workers have not all ended. */
const open = new Set<Driver>()

installStart(startDriver)

/**
 * Begins a session; implied by the first use of anything else. A second call changes nothing.
 * On a cluster, what is awaited rejects with RAY_CLUSTER_UNREACHABLE, _EMPTY, _REFUSED or _VERSION, and there is no session then.
 * @throws RayitoError RAY_MISUSE if the session that runs was begun with other options
 */
export function init(given: InitOptions = {}): Session {
  checkInitOptions(given)
  // One whose cluster could not be reached, or is lost, is over: the next begins anew.
  if (hasFailed()) void shutdown()
  const running = peekRuntime()
  if (running instanceof Driver) unchanged(running, given)
  else if (!running) setRuntime(startDriver(given))
  return session(runtime())
}

/** @throws RayitoError RAY_MISUSE if an option is another than the session's */
function unchanged({ options, info }: Driver, given: InitOptions): void {
  for (const [name, value] of Object.entries(sessionOptions(given))) {
    if (given[name as keyof InitOptions] === undefined) continue
    if (isDeepStrictEqual(value, options[name as keyof InitOptions])) continue
    // Of a cluster no other number is known.
    if (name === 'numCpus' && value === info.numCpus) continue
    throw new RayitoError('RAY_MISUSE', `ray.init was called before, with another \`${name}\``, {
      remedy: 'Call ray.shutdown() first.',
    })
  }
}

/** The session can do nothing any more. */
function hasFailed(): boolean {
  const driver = peekRuntime()
  return driver instanceof Driver && Boolean(driver.engine.failure)
}

/** Resolves with the reason when the session that runs can do nothing any more: its cluster is lost. */
export function lost(): Promise<Error> {
  const driver = peekRuntime()
  const failed = driver instanceof Driver ? driver.engine.failed : undefined
  return failed ?? new Promise(() => {})
}

/** What `init` gives: there at once on one machine, awaited to know that a cluster answers. */
export type Session = SessionInfo & PromiseLike<SessionInfo>

function session(current: Runtime): Session {
  const told = Promise.resolve(current.told())
  // It is no function's promise, so that nobody is seen to wait for it.
  const frames = callers()
  // Whoever does not wait for it meets its error at the first use.
  told.catch((error) => atUser(error, frames))
  const info = {
    get numCpus() {
      return current.info.numCpus
    },
    address: current.info.address,
  }
  // A notebook prints it, where a getter would not show what it gives.
  Object.defineProperty(info, inspect.custom, { value: () => ({ ...info }) })
  return Object.defineProperty(info, 'then', { value: told.then.bind(told) }) as Session
}

function startDriver(given: InitOptions): Driver {
  const options = sessionOptions(given)
  const { address } = options
  if (address !== 'local') urlsOf(address, given.address === undefined ? 'RAY_ADDRESS' : 'address')
  // Where the environment chooses the cluster, programs made for one machine go on as they are.
  if (given.address && address !== 'local' && (given.numCpus !== undefined || given.workers !== undefined))
    throw new RayitoError('RAY_MISUSE', 'numCpus and workers are chosen where the workers are', {
      remedy: 'Start them with `rayito worker --num-cpus N`, or leave the address out.',
    })
  interruptible()
  if (address !== 'local') polite()
  if (!ends) process.on('exit', tellRest)
  ends = true
  const driver = new Driver(options)
  open.add(driver)
  return driver
}

/**
 * Ends the session: running work is ended, its refs reject, all workers end. Resolves when they have. Without a session: nothing.
 * On a cluster, detached actors that were asked for are made first; what could not be made within seconds is said on stderr.
 */
export async function shutdown(): Promise<void> {
  const driver = peekRuntime()
  if (driver instanceof Driver) {
    // Below the cell: a notebook's kernel hears of nothing that is written past it.
    tellUnread(driver, kernel() ? (stream, text) => void process[stream].write(text) : writeNow)
    setRuntime(null)
    ending = driver.shutdown().finally(() => open.delete(driver))
  }
  await ending
}

/** A failure is told at the end at the latest. */
function tellUnread(driver: Driver, write = writeNow): void {
  for (const line of driver.unread()) write('stderr', `${line}\n`)
}

/** The process ends: nothing is written later. */
let ends = false
function tellRest(): void {
  for (const driver of open) {
    driver.output.end(writeNow)
    tellUnread(driver)
  }
}

/** Whether a session runs; one whose cluster is lost does not. */
export function isInitialized(): boolean {
  return peekRuntime() !== null && !hasFailed()
}

/** A program that ends without ray.shutdown() leaves the cluster all the same. */
let leaving = false
function polite(): void {
  if (leaving) return
  leaving = true
  process.on('beforeExit', () => {
    if (peekRuntime() instanceof Driver) void shutdown()
  })
}

/** In a notebook Ctrl-C interrupts the cell, not the kernel: what the cell started is cancelled. */
let listening = false
function interruptible(): void {
  if (listening) return
  listening = true
  onInterrupt(() => {
    const driver = peekRuntime()
    if (driver instanceof Driver) driver.cancelAll()
  })
}
