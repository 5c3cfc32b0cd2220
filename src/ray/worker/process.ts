/** A worker process's first file: the first message says how it begins. */
import { endWithParent } from '../../core/orphan.js'
import { span } from '../../core/spans.js'
import { encodeError } from '../pack/error-codec.js'
import { setLeaving } from '../pack/reach.js'
import type { WorkerStart } from '../protocol.js'
import { decodeWire, encodeWire } from '../wire.js'
import { serve } from './loop.js'

setLeaving(true)
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
endWithParent(Number(process.argv[2]))
// Ctrl-C goes to all processes of a terminal: the driver decides.
process.on('SIGINT', () => {})
