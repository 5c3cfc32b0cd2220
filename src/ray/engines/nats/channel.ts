import { decodeWire, encodeWire } from '../../wire.js'
import type { Uplink } from './uplink.js'

/** seq u32, acknowledged u32, epoch u16, flags u8 */
const HEADER = 11
/** The message goes on in the next frame. */
const MORE = 1
/** Nothing but a question, with its number: what has come? Its seq is that of the first frame that is not acknowledged. */
const ASKS = 2
/** The answer to it, with both numbers. */
const ANSWERS = 4
/** Bytes on their way that are not acknowledged: beyond, frames wait. */
const WINDOW = 8 * 1024 * 1024
/** Bytes that are not acknowledged, on their way or not: beyond, nothing should begin that makes more of them. */
export const BACKLOG = 32 * 1024 * 1024
/** What is received is acknowledged at the latest after so many frames or bytes or milliseconds. */
const ACK_FRAMES = 64
const ACK_BYTES = 1024 * 1024
const ACK_DELAY = 20
/** Milliseconds without an acknowledgement after which the peer is asked what has come. */
const PATIENCE = 2_000

export interface ChannelEvents {
  publish(frame: Buffer): void
  message(message: unknown, bytes: number): void
  /** A message cannot be read here, or not be dealt with. */
  failed(error: unknown): void
}

/** The epoch of no channel: "I know nothing of you". */
const UNKNOWN = 65_535

/** Whether a frame goes on with what a peer should know of; if not, it begins, or only acknowledges. */
export const goesOn = (frame: Buffer): boolean => frame.readUInt32LE(0) > 1

/** Tells a peer that nothing is known of what it goes on with. */
export function unknownFrame(): Buffer {
  const frame = Buffer.alloc(HEADER)
  frame.writeUInt16LE(UNKNOWN, 8)
  return frame
}

export const isUnknown = (frame: Buffer): boolean => epochOf(frame) === UNKNOWN

/** Of which beginning a frame is: a peer that was given up and comes back begins anew. */
export const epochOf = (frame: Buffer): number => frame.readUInt16LE(8)

/**
 * Messages to one peer and from it, each once and in order, however often the server is lost in between; large ones in
 * several frames, no more on their way than the peer takes in.
 */
export class Channel {
  #sent = 0
  #acked = 0
  #received = 0
  #owed = 0
  #owedBytes = 0
  #ackTimer: NodeJS.Timeout | null = null
  #askTimer: NodeJS.Timeout | null = null
  /** The last question, and the last that an acknowledgement or sending again has made idle. */
  #asked = 0
  #settled = 0
  /** Frames from #acked on: the first `#flying` were published. */
  #frames: { bytes: Buffer; told: (() => void) | null }[] = []
  #flying = 0
  #flyingBytes = 0
  #bytes = 0
  readonly #waiting = new Set<() => void>()
  #parts: Uint8Array[] = []
  #closed = false

  constructor(
    private readonly maxFrame: number,
    private readonly uplink: Uplink,
    private readonly events: ChannelEvents,
    readonly epoch = 0,
  ) {}

  /** @param acked called when the peer has it. @throws NotSerializableError */
  send(message: unknown, acked: (() => void) | null = null): void {
    if (this.#closed) return
    const bytes = encodeWire(message)
    const size = this.maxFrame - HEADER
    for (let at = 0; at < bytes.length; at += size) {
      const part = bytes.subarray(at, at + size)
      const last = at + size >= bytes.length
      const frame = Buffer.allocUnsafe(HEADER + part.length)
      frame.writeUInt32LE(++this.#sent, 0)
      frame.writeUInt16LE(this.epoch, 8)
      frame.writeUInt8(last ? 0 : MORE, 10)
      frame.set(part, HEADER)
      this.#bytes += frame.length
      this.#frames.push({ bytes: frame, told: last ? acked : null })
    }
    this.#flush()
  }

  /** Whether anything ever went either way. */
  get used(): boolean {
    return this.#sent > 0 || this.#received > 0
  }

  /** Nothing that was sent waits for an answer of the peer's. */
  get idle(): boolean {
    return this.#frames.length === 0
  }

  /** More waits to be received than should. */
  get full(): boolean {
    return this.#bytes >= BACKLOG
  }

  /** Resolves when it is not, or when it is closed. */
  async room(): Promise<void> {
    while (this.full) await new Promise<void>((resolve) => this.#waiting.add(resolve))
  }

  #goOn(): void {
    if (this.full) return
    for (const then of this.#waiting) then()
    this.#waiting.clear()
  }

  readonly #flush = (): void => {
    while (this.#flying < this.#frames.length && (this.#flyingBytes < WINDOW || this.#flying === 0)) {
      if (this.uplink.full) {
        this.uplink.whenRoom(this.#flush)
        break
      }
      const { bytes } = this.#frames[this.#flying++]!
      this.#flyingBytes += bytes.length
      this.uplink.sent(bytes.length)
      this.#publish(bytes)
    }
    if (this.#flying) this.#askTimer ??= setInterval(() => this.#ask(), PATIENCE).unref()
  }

  #publish(bytes: Buffer): void {
    bytes.writeUInt32LE(this.#received, 4)
    this.#settleOwed()
    this.events.publish(bytes)
  }

  /** What is silent may be lost, or on a slow way: the question goes the same way, behind it. */
  #ask(): void {
    this.#publish(this.#frame(ASKS, this.#acked + 1, ++this.#asked))
  }

  #stopAsking(): void {
    if (this.#askTimer) clearInterval(this.#askTimer)
    this.#askTimer = null
    this.#settled = this.#asked
  }

  /** One without content. */
  #frame(flags: number, seq: number, question: number): Buffer {
    const frame = Buffer.alloc(flags ? HEADER + 4 : HEADER)
    frame.writeUInt32LE(seq, 0)
    frame.writeUInt16LE(this.epoch, 8)
    frame.writeUInt8(flags, 10)
    if (flags) frame.writeUInt32LE(question, HEADER)
    return frame
  }

  /** Publishes once more what is not acknowledged: it was lost on its way. */
  resend(): void {
    this.#stopAsking()
    this.#grounded()
    this.#flush()
  }

  #grounded(): void {
    this.#flying = 0
    this.#flyingBytes = 0
  }

  receive(frame: Buffer): void {
    if (this.#closed || epochOf(frame) !== this.epoch) return
    const seq = frame.readUInt32LE(0)
    const flags = frame.readUInt8(10)
    const question = flags & (ASKS | ANSWERS) ? frame.readUInt32LE(HEADER) : 0
    // All that was sent before the question has come by now, or never will.
    this.#acknowledged(frame.readUInt32LE(4), (flags & ANSWERS) > 0 && question > this.#settled)
    if (flags & ASKS) this.#publish(this.#frame(ANSWERS, seq, question))
    if (question) return
    if (seq === 0) return
    // One that came before is acknowledged again; one after a gap comes again.
    if (seq !== this.#received + 1) return this.#owe(0)
    this.#received = seq
    this.#parts.push(frame.subarray(HEADER))
    if (!(flags & MORE)) {
      const bytes = this.#parts.length === 1 ? this.#parts[0]! : Buffer.concat(this.#parts)
      this.#parts = []
      try {
        this.events.message(decodeWire(bytes), bytes.length)
      } catch (error) {
        this.events.failed(error)
      }
    }
    this.#owe(frame.length)
  }

  /** @param lost what is not acknowledged will not come */
  #acknowledged(seq: number, lost: boolean): void {
    const done = this.#frames.splice(0, Math.max(0, seq - this.#acked))
    if (done.length === 0 && !lost) return
    this.#acked += done.length
    for (const { bytes } of done) this.#bytes -= bytes.length
    this.#goOn()
    for (const { bytes } of done.slice(0, this.#flying)) this.#flyingBytes -= bytes.length
    this.#flying = Math.max(0, this.#flying - done.length)
    this.#stopAsking()
    if (lost) this.#grounded()
    for (const { told } of done) told?.()
    this.#flush()
  }

  #owe(bytes: number): void {
    if (this.#closed) return
    this.#owed++
    this.#owedBytes += bytes
    if (this.#owed >= ACK_FRAMES || this.#owedBytes >= ACK_BYTES) return this.acknowledge()
    this.#ackTimer ??= setTimeout(() => this.acknowledge(), ACK_DELAY).unref()
  }

  #settleOwed(): void {
    this.#owed = 0
    this.#owedBytes = 0
    if (this.#ackTimer) clearTimeout(this.#ackTimer)
    this.#ackTimer = null
  }

  /** Tells the peer now what was received. */
  acknowledge(): void {
    this.#publish(this.#frame(0, 0, 0))
  }

  close(): void {
    this.#closed = true
    this.#settleOwed()
    this.#stopAsking()
    this.#frames = []
    this.#flying = 0
    this.#bytes = 0
    this.#goOn()
  }
}
