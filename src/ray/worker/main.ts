/** A worker thread's first file: workerpool starts it and calls `serve`, which never ends. */
import type { MessagePort } from 'node:worker_threads'
import workerpool from 'workerpool'
import type { WorkerStart } from '../protocol.js'
import { serve } from './loop.js'
import { redirectOutput } from './output.js'

workerpool.worker({
  serve(start: WorkerStart, port: MessagePort): Promise<never> {
    redirectOutput((stream, text) => port.postMessage(['output', stream, text]))
    return serve(start, {
      postMessage: (message) => port.postMessage(message),
      onMessage: (then) => port.on('message', then),
    })
  },
})
