/** The worker thread that draws: it is sent the number of a class, and answers when its part is kept. */
import { parentPort, workerData } from 'node:worker_threads'
import { Drawings } from './drawings.js'
import { writePart } from './parts.js'
import { rowsOf } from './rows.js'

/** What it answers: nothing, or why not. */
export interface PartResult {
  label: number
  error?: { code?: string; message: string }
}

const { folder } = workerData as { folder: string }
const drawings = new Drawings()
parentPort?.on('message', (label: number) => {
  const answer = (result: PartResult) => parentPort?.postMessage(result)
  rowsOf(label, drawings)
    .then((rows) => writePart(folder, label, rows))
    .then(
      () => answer({ label }),
      (error: NodeJS.ErrnoException) =>
        answer({ label, error: { ...(error.code && { code: error.code }), message: error.message } }),
    )
})
