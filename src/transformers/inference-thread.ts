/** A classifier's own thread: loads the model, then answers one picture after another. Started by PrivateThread. */
import { parentPort, workerData } from 'node:worker_threads'
import { installGate } from '../core/gate.js'
import { LocalInference } from './local-inference.js'
import { type Reply, type Request, type ThreadStart, toFailure } from './thread-protocol.js'

const { gate, files, numThreads } = workerData as ThreadStart
const port = parentPort!
const send = (reply: Reply) => port.postMessage(reply)

installGate(gate)

async function start(): Promise<void> {
  const inference = await LocalInference.open(files, numThreads, (line) => send({ kind: 'note', line }))
  port.on('message', ({ id, picture, how }: Request) => {
    inference.classify(picture, how).then(
      (answer) => send({ kind: 'answer', id, answer }),
      (error: unknown) => send({ kind: 'failed', id, failure: toFailure(error) }),
    )
  })
  send({ kind: 'ready' })
}

start().catch((error: unknown) => send({ kind: 'failed', id: null, failure: toFailure(error) }))
