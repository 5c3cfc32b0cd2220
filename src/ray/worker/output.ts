type Stream = 'stdout' | 'stderr'
type Written = (error?: Error | null) => void

/**
 * Sends what is written to a worker's stdout and stderr to the driver. Node's own way, a worker's `stdout` stream read by
 * its owner, holds the process as long as the worker lives, and arrives after the worker's end or not at all.
 */
export function redirectOutput(send: (stream: Stream, text: string) => void): void {
  for (const stream of ['stdout', 'stderr'] as const)
    process[stream].write = (chunk: string | Uint8Array, encoding?: BufferEncoding | Written, written?: Written) => {
      send(stream, typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())
      const then = typeof encoding === 'function' ? encoding : written
      if (then) process.nextTick(then)
      return true
    }
}
