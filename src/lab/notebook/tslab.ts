/** tslab's own program, with sockets that suit it, a compiler that bears packages which come and go, a true state, and this package. */
import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import { format } from 'node:util'
import { endWithParent } from '../../core/orphan.js'
import { beginCell, cells, keepDefinitions, nameScripts } from './cells.js'
import { resolvePackageName } from './package-name.js'
import { tellRefusals } from './refused.js'
import { patientSockets } from './sockets.js'
import { legible } from './stack.js'

const tslab = createRequire(createRequire(import.meta.url).resolve('tslab/package.json'))

Object.assign(tslab('zeromq'), patientSockets(tslab('zeromq')))
resolvePackageName(tslab)
keepDefinitions(tslab)
nameScripts(tslab('node:vm'))

// As Python's kernel does: Jupyter, if it ends otherwise than by Ctrl-C, ends no kernels.
if (Number(process.env.JPY_PARENT_PID) === process.ppid) endWithParent(process.ppid)

// tslab prints what a cell throws. Ten frames often end inside a library: the cell's own line is the last one.
Error.stackTraceLimit = 40
const { error } = console
console.error = (...values: unknown[]) => {
  for (const value of values) tellRefusals(value)
  error(legible(format(...values), cells))
}

// tslab keeps one timer of its compiler's. That has a second one, which a change in a watched node_modules starts: it took the
// place of the first, and every cell failed from then on ("Unexpected pending rebuildTimer"). It gets a timer of its own.
const { sys } = tslab('@tslab/typescript-for-tslab') as { sys: Timers }
const own = new Set<unknown>()
intercept('setTimeout', (set) => (callback, milliseconds) => {
  if (callback.name !== 'invalidateResolutionsOfFailedLookup') return set(callback, milliseconds)
  const timer = setTimeout(callback, milliseconds).unref()
  own.add(timer)
  return timer
})
intercept('clearTimeout', (clear) => (timer) => {
  if (own.delete(timer)) clearTimeout(timer as NodeJS.Timeout)
  else clear(timer)
})

interface Timers {
  setTimeout(callback: () => void, milliseconds: number): unknown
  clearTimeout(timer: unknown): void
}

/** Wraps what somebody assigns to a method of an object that inherits from `sys`. */
function intercept<K extends keyof Timers>(name: K, wrap: (method: Timers[K]) => Timers[K]): void {
  const inherited = sys[name]
  Object.defineProperty(sys, name, {
    get: () => inherited,
    set(method: Timers[K]) {
      Object.defineProperty(this, name, { value: wrap(method) })
    },
  })
}

// A client shows the last state that it heard, and tslab takes all requests at once: the end of one, a completion's too, made the
// kernel idle while the cells behind it ran.
const { ZmqServer, JupyterHandlerImpl } = tslab('./dist/jupyter.js') as {
  ZmqServer: { prototype: Server }
  JupyterHandlerImpl: { prototype: Handler }
}
const { publishStatus, handleShellMessage } = ZmqServer.prototype
/** Ends a message's address; its signature and its header come next. */
const DELIMITER = Buffer.from('<IDS|MSG>')
const executing = new Set<Request>()
/** What the kernel says comes from one session of its own. tslab gave it the asker's: JupyterLab drops what comes from another than the last. */
const SESSION = randomUUID()
function speakAsKernel(message: Request): void {
  const prototype = Object.getPrototypeOf(message) as Request
  const { createReply } = prototype
  prototype.createReply = function () {
    const reply = createReply.call(this)
    reply.header.session = SESSION
    return reply
  }
}
let isKernel = false
// Windows has no signal to interrupt a cell with: there Jupyter sends a message (`interrupt_mode` of the kernel's description). It is heard
// between the turns of the event loop, as Ctrl-C is then.
ZmqServer.prototype.publishStatus = function (status, request) {
  if (!isKernel) speakAsKernel(request)
  isKernel = true
  if (status === 'busy' && request.header.msg_type === 'execute_request') executing.add(request)
  if (status === 'busy' && request.header.msg_type === 'interrupt_request') {
    answer(request, 'interrupt_reply', { status: 'ok' }, this.connInfo.key, this.control)
    process.emit('SIGINT', 'SIGINT')
  }
  if (status === 'idle') executing.delete(request)
  publishStatus.call(this, status, request)
  const [running] = executing
  if (status === 'idle' && running) publishStatus.call(this, 'busy', running)
}

// Who executes notebooks, as nbconvert and VS Code do, takes a cell's number from here; tslab does not tell of it.
const { handleExecute } = ZmqServer.prototype
const asked = new WeakMap<object, Asking>()
/** When cells came that may have to wait, by their messages' ids. */
const arrivals = new Map<string, number>()
ZmqServer.prototype.handleExecute = function (socket, request) {
  const begin = (execution_count: number) => {
    answer(request, 'execute_input', { code: request.content.code, execution_count }, this.connInfo.key, this.iopub)
  }
  const { header } = request
  const received = arrivals.get(header.msg_id) ?? performance.now()
  arrivals.delete(header.msg_id)
  asked.set(request.content, { header, received, begin })
  return handleExecute.call(this, socket, request)
}
const { handleExecute: execute, handleExecuteImpl: executeNow } = JupyterHandlerImpl.prototype
JupyterHandlerImpl.prototype.handleExecuteImpl = function (content, ...streams) {
  beginCell(this.execCount + 1)
  asked.get(content)?.begin(this.execCount + 1)
  return executeNow.call(this, content, ...streams)
}

// For 200 ms after an error tslab drops what comes, since cells that were given at once are not to run any more. What was sent after the
// error was told waits instead: a program that goes on, as `nbconvert --allow-errors` does, lost cells, unsaid. And what was sent before is
// dropped however late it comes. When the error was, is reckoned on the client's clock, of which nothing else is known.
let failed = { session: '', at: 0, over: Promise.resolve() }
JupyterHandlerImpl.prototype.handleExecute = async function (content, ...streams) {
  const { header, received } = asked.get(content)!
  if (header.session === failed.session && sentAt(header) < failed.at) return { status: 'abort' }
  const reply = await execute.call(this, content, ...streams)
  if (reply.status !== 'error') return reply
  // Whole milliseconds, both of them.
  const at = sentAt(header) + performance.now() - received - 1
  failed = { session: header.session, at, over: new Promise((resolve) => setTimeout(resolve, 200)) }
  return reply
}

// What a client asks beside the cells tslab answers, or tells of it on the console ("unknown msg_type: history_request", which
// JupyterLab asks of every kernel), and that is shown below the cell that runs: it goes without saying. JupyterLab takes from the states
// around it that the kernel is idle; those of requests that it makes by itself alone it passes over.
const ANSWERED = /"msg_type": ?"(kernel_info|execute|is_complete|inspect|complete|comm_info|shutdown)_request"/

// A port may have been another kernel's before, whose client connects again by itself. What is not signed with this kernel's key is
// passed over, as Jupyter's kernels do; tslab made it an error of the cell that ran.
ZmqServer.prototype.handleShellMessage = async function (socket, ...frames) {
  const header = frames[frames.findIndex((frame) => frame.equals(DELIMITER)) + 2]
  if (header) await turn(JSON.parse(header.toString()) as Header)
  const handle = () => handleShellMessage.call(this, socket, ...frames)
  const isAnswered = !header || ANSWERED.test(header.toString())
  return (isAnswered ? handle() : silently(handle)).catch((error: Error) => {
    if (!error.message.startsWith('invalid hmac')) throw error
  })
}

// An import of a cell is a require, which takes ES modules from Node 20.19 and 22.12 on: before, it finds the package's here.
if (!process.features.require_module) {
  const { extensions } = createRequire(import.meta.url)
  const load = extensions['.js']!
  const here = new Map<string, unknown>()
  for (const name of ['../../index.js', '../../ray-server.js', '../index.js'])
    here.set(fileURLToPath(new URL(name, import.meta.url)), await import(name))
  extensions['.js'] = (module, filename) => {
    if (here.has(filename)) module.exports = here.get(filename)
    else load(module, filename)
  }
}

function answer(request: Request, type: string, content: object, key: string, socket: unknown): void {
  const reply = request.createReply()
  reply.header.msg_type = type
  reply.content = content
  reply.signAndSend(key, socket)
}

function silently<T>(tell: () => T): T {
  const { warn } = console
  console.warn = () => {}
  try {
    return tell()
  } finally {
    console.warn = warn
  }
}

/** Where the client that met the last error sent a cell after that, its turn comes when tslab drops nothing any more. */
async function turn(header: Header): Promise<void> {
  if (header.msg_type !== 'execute_request' || header.session !== failed.session || sentAt(header) < failed.at) return
  arrivals.set(header.msg_id, performance.now())
  await failed.over
}

function sentAt({ date }: Header): number {
  return Date.parse(date ?? '')
}

interface Server {
  connInfo: { key: string }
  iopub: unknown
  control: unknown
  publishStatus(status: 'busy' | 'idle', request: Request): void
  handleShellMessage(socket: unknown, ...frames: Buffer[]): Promise<void>
  handleExecute(socket: unknown, request: Request): Promise<void>
}

interface Handler {
  execCount: number
  handleExecute(content: Content, ...streams: unknown[]): Promise<{ status: string }>
  handleExecuteImpl(content: Content, ...streams: unknown[]): Promise<unknown>
}

interface Request {
  header: Header
  content: Content
  createReply(): Request & { signAndSend(key: string, socket: unknown): void }
}

interface Header {
  msg_id: string
  msg_type: string
  session: string
  date?: string
}

/** A cell that is asked to run. */
interface Asking {
  header: Header
  received: number
  begin(count: number): void
}

interface Content {
  code?: string
  execution_count?: number
}

// Not tslab's command: that would start another tslab where one is installed nearer to the notebook, without the above.
const { startKernel } = tslab('./dist/main.js') as {
  startKernel(options: { configPath: string; enableFindLocal: boolean }): void
}
const [, configPath = ''] = /--config-path[= ](.+)$/.exec(process.argv.join(' ')) ?? []
startKernel({ configPath, enableFindLocal: false })
