/** What a tslab kernel leaves in the global scope: other cells' names and its own require; and how this package's names what it runs. */
interface Kernel {
  exports: Record<string, unknown>
  require: (id: string) => unknown
  /** The name in stacks of the newest cell in which the text stands, null where it stands in none. */
  scriptOf?: (text: string) => string | null
}

/** The part of tslab's display API used here. */
export interface Display {
  html(text: string): void
  svg(text: string): void
  png(bytes: Uint8Array): void
  markdown(text: string): void
  text(text: string): void
}

/** The kernel this code runs in, or null outside a notebook (and in its worker threads). */
export function kernel(): Kernel | null {
  return (globalThis as { __tslab__?: Kernel }).__tslab__ ?? null
}

/**
 * Calls `listener` when a cell is interrupted, until what it returns is called. Outside a notebook nobody listens: there Ctrl-C
 * ends the program.
 */
export function onInterrupt(listener: () => void): () => void {
  let wanted = kernel() !== null
  // While the synchronous part of a cell runs Node takes the signal itself (`breakOnSigint`) and lays all listeners aside. It does not
  // hear that one came meanwhile: from then on an interruption ended the kernel.
  queueMicrotask(() => {
    if (wanted) process.on('SIGINT', listener)
  })
  return () => {
    wanted = false
    process.off('SIGINT', listener)
  }
}

/** tslab's display: `display` adds an output, `newDisplay()` one that can be drawn again in place. Null outside a notebook. */
export function notebookDisplay(): { display: Display; newDisplay(): Display } | null {
  return (kernel()?.require('tslab') as { display: Display; newDisplay(): Display } | undefined) ?? null
}
