/** A worker process's first file: the first message says how it begins. */
import { Worker } from 'node:worker_threads'
import { span } from '../../core/spans.js'
import { encodeError } from '../errors.js'
import type { WorkerStart } from '../protocol.js'
import { decodeWire, encodeWire } from '../wire.js'
import { serve } from './loop.js'

process.once('message', (first) => {
  void serve(decodeWire(first as Uint8Array) as WorkerStart, {
    postMessage: (message) => process.send!(encodeWire(message)),
    onMessage: (then) =>
      process.on('message', (bytes) =>
        then(span('deserialise', 'message', () => decodeWire(bytes as Uint8Array)) as never),
      ),
  })
})
process.on('uncaughtExceptionMonitor', (error) => process.send!(encodeWire(['dying', encodeError(error)])))
// Whoever it works for is gone.
process.on('disconnect', () => process.exit())
// Code that spins hears of no disconnection: a thread of its own looks whether the parent, whose id it was given, is still there.
new Worker(
  `const { workerData: parent } = require('node:worker_threads')
  const orphaned = () => {
    if (process.platform !== 'win32') return process.ppid !== parent
    try { return !process.kill(parent, 0) } catch { return true }
  }
  setInterval(() => orphaned() && process.kill(process.pid, 'SIGKILL'), 1_000)`,
  {
    eval: true,
    workerData: Number(process.argv[2]),
    execArgv: [],
    env: {},
    resourceLimits: { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2 },
  },
).unref()
// Ctrl-C goes to all processes of a terminal: the driver decides.
process.on('SIGINT', () => {})
