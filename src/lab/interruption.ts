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
 * a measurement would run beside the next one. `heard` is called at once.
 */
export function watchInterruption(heard: () => void = () => {}): Interruption {
  let interrupted = false
  const end = onInterrupt(() => {
    interrupted = true
    heard()
  })
  return {
    check() {
      if (interrupted) throw new RayitoError('NOTEBOOK_STOPPED', 'The cell was interrupted')
    },
    end,
  }
}

/** Waits for it to the end; rejects with NOTEBOOK_STOPPED where the cell was interrupted meanwhile. `heard` can bring the end about. */
export async function uninterrupted<T>(waitedFor: Promise<T>, heard?: () => void): Promise<T> {
  const interruption = watchInterruption(heard)
  const result = await waitedFor.finally(interruption.end)
  interruption.check()
  return result
}
