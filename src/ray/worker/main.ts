/** A worker thread's first file: workerpool starts it and calls `serve`, which never ends. */
import type { MessagePort } from 'node:worker_threads'
import workerpool from 'workerpool'
import type { ThreadStart } from '../engines/threads/thread.js'
import type { ToWorker } from '../protocol.js'
import { serve } from './loop.js'
import { redirectOutput } from './output.js'

workerpool.worker({
  serve(port: MessagePort, ahead: boolean): Promise<never> {
    redirectOutput((stream, text) => port.postMessage(['output', stream, text]))
    let receive: ((message: ToWorker) => void) | null = null
    port.on('message', (message: ThreadStart | ToWorker) => {
      if (receive) return receive(message as ToWorker)
      const [start, env] = message as ThreadStart
      adopt(env)
      void serve(start, {
        postMessage: (message) => port.postMessage(message),
        onMessage: (then) => {
          receive = then
        },
      })
    })
    // Time for what the modules of most tasks and actors import.
    if (ahead) void import('../index.js').catch(() => {})
    return new Promise(() => {})
  },
})

/** A thread that was started ahead has the environment of that time. */
function adopt(env: NodeJS.ProcessEnv): void {
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name]
  for (const [name, value] of Object.entries(env)) if (process.env[name] !== value) process.env[name] = value
}
