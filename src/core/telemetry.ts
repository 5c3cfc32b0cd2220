import { isMainThread } from 'node:worker_threads'

/**
 * onnxruntime tells Microsoft what it is used for, with a number of the machine that it keeps in the cache folder, and holds a
 * thread for it. It does not where the environment says so when a process makes its first session; and what native code sees of
 * the environment, only the main thread can change. Who wants it sets ORT_DISABLE_TELEMETRY=0.
 */
if (isMainThread) process.env.ORT_DISABLE_TELEMETRY ??= '1'
