import { isMainThread } from 'node:worker_threads'
import type { Inference } from './inference.js'
import { LocalInference } from './local-inference.js'
import type { ModelFiles } from './model-files.js'
import { PrivateThread } from './private-thread.js'
import { identities } from './weights-place.js'

/** A loaded model and how many classifiers of this thread use it. */
interface Shared {
  inference: Promise<Inference>
  users: number
}

const all = new Map<string, Shared>()

/** A classifier's part in a loaded model. */
export interface Lease {
  inference: Inference
  /** Gives the part back; the last one frees the model. */
  release(): Promise<void>
}

/**
 * Loads a model once for all classifiers of this thread that ask for the same: on the main thread in a thread of its own,
 * in a worker thread in place.
 */
export async function lease(files: ModelFiles, numThreads: number): Promise<Lease> {
  // a folder's files may have changed since they were loaded
  const key = JSON.stringify([files.onnx, await identities(files), numThreads])
  let shared = all.get(key)
  while (shared) {
    const alive = await isAlive(shared)
    // its last user may have left meanwhile, or somebody have loaded it anew
    const now = all.get(key)
    if (now === shared && alive) break
    if (now === shared) all.delete(key)
    shared = all.get(key)
  }
  if (!shared) {
    const open = isMainThread ? PrivateThread.open : LocalInference.open
    shared = { inference: open(files, numThreads, (line) => process.stderr.write(`${line}\n`)), users: 0 }
    all.set(key, shared)
  }
  const mine = shared
  mine.users++
  let held = true
  const release = async () => {
    if (!held) return
    held = false
    if (--mine.users > 0) return
    if (all.get(key) === mine) all.delete(key)
    await mine.inference.then(
      (inference) => inference.close(),
      () => {},
    )
  }
  try {
    return { inference: await mine.inference, release }
  } catch (error) {
    await release()
    throw error
  }
}

const isAlive = ({ inference }: Shared): Promise<boolean> =>
  inference.then(
    ({ alive }) => alive,
    () => false,
  )
