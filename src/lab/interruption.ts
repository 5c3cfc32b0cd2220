import { RayitoError } from '../core/errors.js'
import { onInterrupt } from '../core/notebook.js'

/** Whether the cell of a notebook that something runs in has been interrupted. */
export interface Interruption {
  /** @throws RayitoError NOTEBOOK_STOPPED once it has been */
  check(): void
  /** Listens no more. */
  end(): void
}

/**
 * Hears of an interruption from now on. The kernel gives the interrupted cell up, but what runs in it goes on unless it looks:
 * a measurement would run beside the next one.
 */
export function watchInterruption(): Interruption {
  let interrupted = false
  const end = onInterrupt(() => {
    interrupted = true
  })
  return {
    check() {
      if (interrupted) throw new RayitoError('NOTEBOOK_STOPPED', 'The cell was interrupted')
    },
    end,
  }
}
