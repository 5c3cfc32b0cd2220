/** What a tslab kernel leaves in the global scope: other cells' names and its own require. */
interface Kernel {
  exports: Record<string, unknown>
  require: (id: string) => unknown
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

/** tslab's display: `display` adds an output, `newDisplay()` one that can be drawn again in place. Null outside a notebook. */
export function notebookDisplay(): { display: Display; newDisplay(): Display } | null {
  return (kernel()?.require('tslab') as { display: Display; newDisplay(): Display } | undefined) ?? null
}
