/**
 * Bytes on their way to the server beyond which frames and tasks wait: with the frame that is let through, 3 MB take 5 s at
 * 5 Mbit/s, and a node that is silent for 6 is taken for lost.
 */
export const UPLINK = 2 * 1024 * 1024
/** After so many the server is asked to say that they have come. */
export const STEP = 512 * 1024

/**
 * The way from here to the server, which all that is said shares. Signs of life go behind what was said before: where the
 * way is slow, too much at once would make them late, and whoever gives them would be taken for lost.
 */
export class Uplink {
  #unconfirmed = 0
  #unasked = 0
  readonly #waiting = new Set<() => void>()

  /** @param arrived resolves when the server has what was sent before, or the connection was lost with it */
  constructor(private readonly arrived: () => Promise<void>) {}

  /** Bytes that the server is not known to have. */
  get unconfirmed(): number {
    return this.#unconfirmed
  }

  get full(): boolean {
    return this.#unconfirmed >= UPLINK
  }

  sent(bytes: number): void {
    this.#unconfirmed += bytes
    this.#unasked += bytes
    if (this.#unasked < STEP) return
    const asked = this.#unasked
    this.#unasked = 0
    void this.arrived().then(() => {
      this.#unconfirmed -= asked
      this.#goOn()
    })
  }

  /** Calls once, when there is room. */
  whenRoom(then: () => void): void {
    this.#waiting.add(then)
  }

  /** In turn: whoever waits again goes behind the others. */
  #goOn(): void {
    for (const then of [...this.#waiting]) {
      if (this.full) return
      this.#waiting.delete(then)
      then()
    }
  }
}
