import './telemetry.js'

/**
 * The gate before native code. A thread that is stopped while it is inside onnxruntime takes the whole process down, so
 * a thread enters its gate before each native call and leaves it after, and whoever wants to end the thread first closes
 * the gate (no further entry) and waits until it is empty.
 *
 * One Int32 in shared memory: bit 0 is "closing", the rest counts entries in steps of two.
 */
const CLOSING = 1
const ENTRY = 2

let own: Int32Array | null = null

/** In a thread: uses the gate its owner made, from now on. */
export function installGate(shared: SharedArrayBuffer): void {
  own = new Int32Array(shared)
}

/** Runs native work inside this thread's gate (without one, as on the main thread, just runs it). Never enters a closing gate. */
export async function native<T>(work: () => T | Promise<T>): Promise<T> {
  const gate = own
  if (!gate) return work()
  if (Atomics.add(gate, 0, ENTRY) & CLOSING) {
    leave(gate)
    // The thread is about to be ended: it must neither go on nor report an error of its own.
    return new Promise<T>(() => {})
  }
  try {
    return await work()
  } finally {
    leave(gate)
  }
}

function leave(gate: Int32Array): void {
  Atomics.sub(gate, 0, ENTRY)
  Atomics.notify(gate, 0)
}

const open = new Set<Gate>()

/** The owner's side of a thread's gate. */
export class Gate {
  /** To be handed to the thread, which calls installGate with it. */
  readonly shared = new SharedArrayBuffer(4)
  readonly #state = new Int32Array(this.shared)

  constructor() {
    if (open.size === 0) process.on('exit', closeAll)
    open.add(this)
  }

  /** Refuses entry from now on. */
  close(): void {
    Atomics.or(this.#state, 0, CLOSING)
  }

  /** Resolves true once nobody is inside, false after `milliseconds` (default 30 s). The event loop stays free. */
  async empty(milliseconds = 30_000): Promise<boolean> {
    const end = performance.now() + milliseconds
    for (;;) {
      const state = Atomics.load(this.#state, 0)
      if (state < ENTRY) return true
      const left = end - performance.now()
      if (left <= 0) return false
      const wait = Atomics.waitAsync(this.#state, 0, state, left)
      await wait.value
    }
  }

  /** The same, holding the thread: for the end of the process. */
  emptySync(milliseconds = 30_000): boolean {
    const end = performance.now() + milliseconds
    for (;;) {
      const state = Atomics.load(this.#state, 0)
      if (state < ENTRY) return true
      const left = end - performance.now()
      if (left <= 0) return false
      Atomics.wait(this.#state, 0, state, left)
    }
  }

  /** The thread has ended: nothing left to guard. What it was inside of it leaves no more, and nobody waits for that. */
  release(): void {
    Atomics.store(this.#state, 0, CLOSING)
    Atomics.notify(this.#state, 0)
    open.delete(this)
    if (open.size === 0) process.off('exit', closeAll)
  }
}

/** process.exit and uncaught errors end all threads at once: let them leave native code first. */
function closeAll(): void {
  for (const gate of open) gate.close()
  for (const gate of open) gate.emptySync()
}
