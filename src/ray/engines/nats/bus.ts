import {
  AckPolicy,
  type Consumer,
  DeliverPolicy,
  JetStreamApiError,
  type JetStreamClient,
  type JetStreamManager,
  jetstream,
  jetstreamManager,
  RetentionPolicy,
} from '@nats-io/jetstream'
import { type KV, Kvm } from '@nats-io/kv'
import {
  type NatsConnection,
  NoRespondersError,
  nanos,
  PermissionViolationError,
  type Subscription,
} from '@nats-io/transport-node'
import { RayError } from '../../errors.js'
import { shown } from './address.js'
import { CONNECT_TIMEOUT, dial } from './dial.js'
import { Hold } from './hold.js'
import { type QueueMessage, queueMessage } from './queue-message.js'
import { isRecent, OLDEST } from './server-version.js'
import { openState } from './state.js'
import {
  ACK_WAIT,
  ALL_TASKS,
  CONSUMER_IDLE,
  consumerOf,
  FULL,
  LEASE_TTL,
  LEASES,
  STREAM,
  tasksOf,
  toPeer,
} from './subjects.js'
import { Uplink } from './uplink.js'

/**
 * Milliseconds before a publication that was not confirmed is made again (once it is stored, repeating it changes nothing);
 * longer by what is on its way before it, at the slowest.
 */
const PUBLISH_TIMEOUT = 2_000
/** Bytes a millisecond: 1 Mbit/s. */
const SLOWEST = 125

/** Whoever asks whether a peer listens. */
const PROBE = 'probe'
const PROBE_TIMEOUT = 400

export interface BusEvents {
  /** The server is there again after it was gone. */
  reconnected(): void
  disconnected(): void
  /** The server closed the connection for good, or allows too little to work with (RAY_CLUSTER_REFUSED). */
  closed(error: Error | undefined): void
}

/** The connection to the NATS server, with what of it a cluster uses. */
export class Bus {
  readonly #connection: NatsConnection
  readonly #js: JetStreamClient
  readonly jsm: JetStreamManager
  /** Who lives: entries go by themselves. */
  readonly leases: KV
  /** What outlives drivers: names of actors. */
  readonly state: KV
  readonly uplink = new Uplink(() => this.flush())
  /** Bytes that the server takes in one message. (The client forgets that while it is away.) */
  #maxPayload: number
  /** Publications that are not confirmed: what becomes of them if the connection is lost. */
  readonly #unconfirmed = new Set<() => void>()
  /** When its queue was made. */
  readonly #created: string
  readonly #hold: Hold
  #away = false
  #closing = false

  static async open(address: string, name: string): Promise<Bus> {
    const connection = await dial(address, name)
    const { version = '' } = connection.info ?? {}
    if (!isRecent(version)) {
      await connection.close()
      const message = `The server at ${shown(address)} is nats-server ${version}, ${OLDEST} is the oldest that will do`
      throw new RayError('RAY_CLUSTER_UNREACHABLE', message, {
        remedy:
          'Install a newer one there (https://nats.io/download), or start one with `rayito start --head --install`.',
      })
    }
    try {
      const jsm = await jetstreamManager(connection, { timeout: CONNECT_TIMEOUT })
      const { created } = await jsm.streams.add({
        name: STREAM,
        subjects: [ALL_TASKS],
        retention: RetentionPolicy.Workqueue,
        duplicate_window: nanos(120_000),
      })
      const kvm = new Kvm(connection)
      const leases = await kvm.create(LEASES, { ttl: LEASE_TTL, history: 1 })
      const state = await openState(kvm, jsm)
      // One whose disk is full answers all the same: it is to store as much as a sign of life takes.
      await leases.put(PROBE, new Uint8Array(1024))
      return new Bus(connection, jsm, leases, state, created)
    } catch (cause) {
      await connection.close()
      const where = `The NATS server at ${shown(address)}`
      if (isRefusal(cause)) throw refusal(cause, where)
      if ((cause as Error).name === 'JetStreamNotEnabled')
        throw new RayError('RAY_CLUSTER_UNREACHABLE', `${where} has no JetStream`, {
          cause,
          remedy: 'Start it with JetStream: `rayito start --head`, or `nats-server --jetstream`.',
        })
      throw new RayError('RAY_CLUSTER_UNREACHABLE', `${where} cannot store what it must: ${(cause as Error).message}`, {
        cause,
        remedy: `Look at its log: ${FULL}. Once there is room, start it again.`,
      })
    }
  }

  private constructor(connection: NatsConnection, jsm: JetStreamManager, leases: KV, state: KV, created: string) {
    this.#connection = connection
    this.#hold = new Hold(connection)
    this.#js = jetstream(connection)
    this.#maxPayload = connection.info!.max_payload
    this.jsm = jsm
    this.leases = leases
    this.state = state
    this.#created = created
  }

  watch({ reconnected, disconnected, closed }: BusEvents): void {
    const follow = async () => {
      for await (const status of this.#connection.status()) {
        const { type } = status
        if (type === 'error' && isRefusal(status.error)) closed(refusal(status.error, 'The NATS server'))
        if (type === 'disconnect') {
          this.#away = true
          disconnected()
        }
        if (type === 'reconnect') {
          this.#away = false
          this.#maxPayload = this.#connection.info?.max_payload ?? this.#maxPayload
          this.#hold.renew()
          for (const lost of this.#unconfirmed) lost()
          reconnected()
        }
      }
    }
    void follow()
    void this.#connection.closed().then((error) => {
      if (!this.#closing) closed(error instanceof Error ? error : undefined)
    })
  }

  /** The server is out of reach, as far as is known. */
  get away(): boolean {
    return this.#away
  }

  get maxFrame(): number {
    return this.#maxPayload - 1024
  }

  get maxPayload(): number {
    return this.maxFrame
  }

  publish(subject: string, bytes: Uint8Array): void {
    if (!this.#connection.isClosed()) this.#connection.publish(subject, bytes)
  }

  subscribe(subject: string, then: (subject: string, bytes: Buffer, reply: string | undefined) => void): Subscription {
    return this.#connection.subscribe(subject, {
      callback: (error, message) => {
        if (error) return
        const { buffer, byteOffset, byteLength } = message.data
        try {
          then(message.subject, Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength), message.reply)
        } catch (error) {
          // The client would read nothing any more.
          process.emitWarning(error as Error)
        }
      },
    })
  }

  /** Whether a peer's process is connected to the server: false only where that is certain. */
  async listens(peer: string, timeout = PROBE_TIMEOUT): Promise<boolean> {
    try {
      await this.#connection.request(toPeer(peer, PROBE), '', { timeout })
      return true
    } catch (error) {
      // Nobody answers; but only where nobody listens, the server says so.
      return ![error, (error as Error).cause].some((one) => one instanceof NoRespondersError)
    }
  }

  /** Frames that peers send to `me`. */
  frames(me: string, then: (from: string, frame: Buffer) => void): Subscription {
    return this.subscribe(toPeer(me, '*'), (subject, frame, reply) => {
      const from = subject.slice(subject.lastIndexOf('.') + 1)
      if (from !== PROBE) then(from, frame)
      else if (reply) this.publish(reply, new Uint8Array())
    })
  }

  /** Answers for a peer whoever asks whether it listens. */
  vouch(peer: string): void {
    this.subscribe(toPeer(peer, PROBE), (_subject, _bytes, reply) => reply && this.publish(reply, new Uint8Array()))
  }

  /**
   * Publishes a task and resolves to its number in the queue once it is stored there. Tries until it is, or until there is
   * nothing to publish: null then.
   * @param content asked at each try, and whether one was made that may have succeeded
   */
  async enqueue(
    driver: string,
    milliCpus: number,
    id: string,
    content: (again: boolean) => Uint8Array | null,
  ): Promise<number | null> {
    for (let again = false; !this.#connection.isClosed(); again = true) {
      const bytes = content(again)
      if (!bytes) break
      const seq = await this.#confirmed(tasksOf(driver, milliCpus), bytes, id)
      if (seq) return seq
      // The server is being started again: the number drops what arrived twice.
      await pause(100)
    }
    return null
  }

  /** A publication's number in the queue; null if it was lost with the connection, or nobody has confirmed it in time. */
  #confirmed(subject: string, bytes: Uint8Array, msgID: string): Promise<number | null> {
    this.uplink.sent(bytes.length)
    const timeout = PUBLISH_TIMEOUT + this.uplink.unconfirmed / SLOWEST
    return new Promise((resolve) => {
      const settle = (seq: number | null) => {
        this.#unconfirmed.delete(lost)
        resolve(seq)
      }
      const lost = () => settle(null)
      this.#unconfirmed.add(lost)
      this.#js.publish(subject, bytes, { msgID, timeout }).then(({ seq }) => settle(seq), lost)
    })
  }

  /** The consumer of tasks of one size, made if it is not there. */
  async consumer(milliCpus: number): Promise<Consumer> {
    const { durable, filter } = consumerOf(milliCpus)
    await this.jsm.consumers.add(STREAM, {
      durable_name: durable,
      filter_subject: filter,
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(ACK_WAIT),
      deliver_policy: DeliverPolicy.All,
      max_ack_pending: -1,
      inactive_threshold: nanos(CONSUMER_IDLE),
    })
    return this.#js.consumers.get(STREAM, durable)
  }

  /** The same, tried again while the server is away and `over` does not say that nobody wants it any more. */
  async makeConsumer(milliCpus: number, over: () => boolean): Promise<void> {
    for (;;) {
      try {
        return void (await this.consumer(milliCpus))
      } catch (error) {
        if (error instanceof JetStreamApiError || this.#connection.isClosed() || over()) throw error
        await pause(100)
      }
    }
  }

  /** A task of one size that waits now; null if there is none. (The client's own requests stand for a second or more.) */
  async next(milliCpus: number): Promise<QueueMessage | null> {
    const subject = `${this.#js.apiPrefix}.CONSUMER.MSG.NEXT.${STREAM}.${consumerOf(milliCpus).durable}`
    const options = { timeout: CONNECT_TIMEOUT, noMux: true }
    const message = await this.#connection.request(subject, JSON.stringify({ batch: 1, no_wait: true }), options)
    return message.headers?.code ? null : queueMessage(message)
  }

  /** Whether the queue is the one that was there when this began. Rejects where the server does not say, or has none. */
  async hasQueue(): Promise<boolean> {
    return (await this.jsm.streams.info(STREAM)).created === this.#created
  }

  /** Takes back a task that nobody has fetched yet, if it can be. */
  async dequeue(seq: number): Promise<void> {
    await this.jsm.streams.deleteMessage(STREAM, seq, false).catch(() => {})
  }

  /** Drops all that waits of a driver. */
  async purge(driver: string): Promise<void> {
    await this.jsm.streams.purge(STREAM, { filter: tasksOf(driver, '>') }).catch(() => {})
  }

  /** Whether the connection keeps this process alive. */
  hold(held: boolean): void {
    this.#hold.set(held)
  }

  /** Resolves when what was published so far is with the server. */
  async flush(): Promise<void> {
    await this.#connection.flush().catch(() => {})
  }

  async close(): Promise<void> {
    this.#closing = true
    await this.#connection.close()
  }
}

/** Whether the server did not allow something that a cluster needs. */
function isRefusal(error: unknown): error is Error {
  return [error, (error as Error).cause].some((one) => one instanceof PermissionViolationError)
}

function refusal(cause: Error, where: string): RayError {
  return new RayError('RAY_CLUSTER_REFUSED', `${where} does not allow what a cluster needs: ${cause.message}`, {
    cause,
    remedy: 'Allow the user to publish and to subscribe to rayito.>, $JS.>, $KV.> and _INBOX.>.',
  })
}

const pause = (milliseconds: number) => new Promise<void>((resolve) => setTimeout(resolve, milliseconds).unref())
