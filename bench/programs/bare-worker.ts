/** A bare worker thread: loads, infers, says what it found. */
import { parentPort, workerData } from 'node:worker_threads'
import { type BareWork, inferAll } from './bare-session.js'

inferAll(workerData as BareWork, () => parentPort!.postMessage('loaded')).then((best) => parentPort!.postMessage(best))
