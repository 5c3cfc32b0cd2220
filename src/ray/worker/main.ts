/** A worker thread's first file: workerpool starts it and calls `serve`, which never ends. */
import { type MessagePort, threadId } from 'node:worker_threads'
import workerpool from 'workerpool'
import { importing, installImports } from '../../core/imports.js'
import { importAhead } from '../code/index.js'
import type { ThreadStart } from '../engines/threads/thread.js'
import type { ToWorker } from '../protocol.js'
import { converse } from './conversation.js'
import { serve } from './loop.js'
import { redirectOutput } from './output.js'

workerpool.worker({
  serve(port: MessagePort, ahead: boolean, imports: SharedArrayBuffer): Promise<never> {
    installImports(imports)
    redirectOutput((stream, text) => port.postMessage(['output', stream, text]))
    let receive: ((message: ToWorker) => boolean) | null = null
    let quiet = () => false
    let looking: Int32Array = new Int32Array(1)
    const take = (message: ThreadStart | ToWorker): boolean => {
      if (receive) return receive(message as ToWorker)
      const [start, env, flag] = message as ThreadStart
      looking = new Int32Array(flag)
      adopt(env)
      void serve(start, {
        postMessage: (message) => port.postMessage(message),
        onMessage: (then, idle) => {
          receive = then
          quiet = idle
        },
      })
      return false
    }
    converse(
      port,
      take,
      () => quiet() && Atomics.compareExchange(looking, 0, 0, threadId) === 0,
      () => Atomics.store(looking, 0, 0),
    )
    // Time for what the modules of most tasks and actors import.
    if (ahead) importAhead(importing(() => import('../index.js')))
    return new Promise(() => {})
  },
})

/** A thread that was started ahead has the environment of that time. */
function adopt(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name]
  for (const [name, value] of Object.entries(env)) if (process.env[name] !== value) process.env[name] = value
}
