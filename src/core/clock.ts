/**
 * One clock for all threads and processes of a machine: milliseconds since the epoch, with fractions.
 *
 * Each thread's `performance.now()` begins at its own start, and its `timeOrigin` is the wall clock's of that moment, which
 * may have been set or have gone on while the machine slept. So whoever starts a thread or process hands its epoch on, and
 * the other finds its place by the monotonic clock, which they share.
 */
let origin = performance.timeOrigin

const monotonic = () => Number(process.hrtime.bigint()) / 1e6

export function now(): number {
  return origin + performance.now()
}

/** The clock as another thread or process of this machine takes it over. */
export function epoch(): number {
  return now() - monotonic()
}

/** Takes over the clock of whoever started this thread or process. */
export function adoptEpoch(epoch: number): void {
  origin = epoch + monotonic() - performance.now()
}
