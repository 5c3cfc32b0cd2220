import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'

/** A message of Jupyter's protocol (https://jupyter-client.readthedocs.io/en/stable/messaging.html), as far as it is read here. */
export interface Message {
  type: string
  /** Id of the request it answers. */
  parent: string
  content: Record<string, unknown>
}

const DELIMITER = '<IDS|MSG>'

/** Signs, writes and reads the messages of one session. */
export class Wire {
  readonly #session = randomUUID()
  constructor(readonly key: string) {}

  /** Frames of a request and its id. */
  encode(type: string, content: object): { id: string; frames: string[] } {
    const id = randomUUID()
    const date = new Date().toISOString()
    const header = { msg_id: id, session: this.#session, username: 'rayito', date, msg_type: type, version: '5.3' }
    const parts = [header, {}, {}, content].map((part) => JSON.stringify(part))
    return { id, frames: [DELIMITER, this.#sign(parts), ...parts] }
  }

  /** The message in the frames, or null for what does not carry this session's signature. */
  decode(frames: Uint8Array[]): Message | null {
    const start = frames.findIndex((frame) => frame.length === DELIMITER.length && text(frame) === DELIMITER)
    if (start < 0 || frames.length < start + 6) return null
    const parts = frames.slice(start + 2)
    const signature = Buffer.from(text(frames[start + 1]!))
    const wanted = Buffer.from(this.#sign(parts))
    if (signature.length !== wanted.length || !timingSafeEqual(signature, wanted)) return null
    const [header, parent, , content] = parts.slice(0, 4).map((part) => JSON.parse(text(part)))
    return { type: header.msg_type, parent: parent.msg_id ?? '', content }
  }

  #sign(parts: (string | Uint8Array)[]): string {
    const hmac = createHmac('sha256', this.key)
    for (const part of parts) hmac.update(part)
    return hmac.digest('hex')
  }
}

function text(frame: Uint8Array): string {
  return Buffer.from(frame.buffer, frame.byteOffset, frame.byteLength).toString()
}
