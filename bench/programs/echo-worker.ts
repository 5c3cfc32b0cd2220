/** The same for a bare worker thread: answers each message with itself. */
import { parentPort } from 'node:worker_threads'

parentPort!.on('message', (value: number) => parentPort!.postMessage(value))
