import type { Publisher, Reply, Router } from 'zeromq'

/** The sockets that tslab makes. */
export interface Sockets {
  Publisher: typeof Publisher
  Router: typeof Router
  Reply: typeof Reply
}

/**
 * Messages that a publisher keeps for a reader before it drops what comes next, unsaid. zeromq's own thread sends them, and has
 * no turn for so long on a busy machine that a cell can show more than a thousand, zeromq's own number, before.
 */
const KEPT = 10_000

/** zeromq's sockets as tslab needs them: it sends without waiting, and reads while it still binds. */
export function patientSockets(zeromq: Sockets): Sockets {
  // A socket that may wait does so at every 513th message, until the next turn of the event loop; sending another one before
  // that throws. tslab does not wait: what a cell showed then, or its end, would be lost, and the cell could fail of it.
  class AtOnce extends zeromq.Publisher {
    constructor(options: ConstructorParameters<typeof Publisher>[0] = {}) {
      super({ ...options, sendTimeout: 0, sendHighWaterMark: KEPT })
    }
  }
  return {
    Publisher: bindingFirst(AtOnce),
    Router: bindingFirst(zeromq.Router),
    Reply: bindingFirst(zeromq.Reply),
  }
}

interface Socket {
  bind(address: string): Promise<void>
  send(message: never): Promise<void>
  receive?(): Promise<unknown>
}

/**
 * While a socket binds it refuses to send and to read (EBUSY). A client may be there before the answer to `bind` is, on a busy
 * machine: its second message would end the loop that reads, and nothing would be heard of the kernel any more.
 */
function bindingFirst<T extends new (...args: never[]) => object>(type: T): T {
  const Type = type as unknown as new (...args: never[]) => Socket
  class BindingFirst extends Type {
    #binding: Promise<void> | null = null
    override bind(address: string): Promise<void> {
      const binding = super.bind(address)
      this.#binding = binding
      const done = () => {
        this.#binding = null
      }
      binding.then(done, done)
      return binding
    }
    override async send(message: never): Promise<void> {
      if (this.#binding) await this.#binding
      return super.send(message)
    }
    override async receive(): Promise<unknown> {
      if (this.#binding) await this.#binding
      return super.receive!()
    }
  }
  return BindingFirst as unknown as T
}
