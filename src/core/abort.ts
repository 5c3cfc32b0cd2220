/** An abort, as the caller of `abort` gave it. */
export function rethrowAborted(signal: AbortSignal | undefined): (error: unknown) => never {
  return (error) => {
    throw signal?.aborted ? signal.reason : error
  }
}
