import type { Consumer } from '@nats-io/jetstream'
import { decodeWire } from '../../../wire.js'
import type { Cpus } from '../../local/cpus.js'
import type { Bus } from '../bus.js'
import type { NetTask, Queued } from '../messages.js'
import type { QueueMessage } from '../queue-message.js'
import { driverOf } from '../subjects.js'
import { Delivery } from './delivery.js'
import type { Session } from './session.js'

/** Milliseconds that one request for tasks stands. */
const EXPIRES = 2_500
/** Milliseconds until it is tried again, where the server is away. */
const AGAIN = 250
/** Tasks that need no CPU, at once. */
const CPULESS = 16

/** Tasks of one size, pulled as CPUs are free. */
interface Pull {
  consumer: Consumer
  /** Asked for and not here yet. */
  asked: number
}

export interface QueueEvents {
  /** A driver's session here, if there is one already. */
  known(driver: string): Session | undefined
  /** The same, opened if need be; null if the driver does not live. Rejects where that cannot be found out. */
  session(driver: string): Promise<Session | null>
  /** The driver was lost a moment ago. */
  isLost(driver: string): boolean
  /** A task has taken CPUs. */
  taken(): void
}

/**
 * What a node takes from the queue of tasks: never more than its CPUs can begin with. Where tasks are of several sizes,
 * the same free CPU is offered to all of them, and whatever comes beyond is handed back at once.
 */
export class NodeQueue {
  /** By thousandths of a CPU. */
  readonly #pulls = new Map<number, Pull>()
  #wanted: ReadonlySet<number> = new Set()
  readonly #deliveries = new Set<Delivery>()
  /** Those that have not taken their CPUs yet. */
  readonly #waiting = new Set<Delivery>()
  /**
   * Messages that cannot begin yet, with their thousandths of CPUs: their driver is new, or has much to take first, or their
   * content is on its way.
   */
  readonly #coming = new Map<QueueMessage, number>()
  #looking = false
  #lookAgain = false
  #draining = false

  constructor(
    private readonly bus: Bus,
    private readonly cpus: Cpus,
    private readonly events: QueueEvents,
  ) {}

  /** Deliveries that are not settled, or may still come. */
  get busy(): boolean {
    if (this.#deliveries.size > 0 || this.#coming.size > 0) return true
    return !this.bus.away && [...this.#pulls.values()].some(({ asked }) => asked > 0)
  }

  /** The sizes of the tasks that the drivers have, in thousandths of a CPU. */
  want(sizes: ReadonlySet<number>): void {
    this.#wanted = sizes
    for (const size of this.#pulls.keys()) if (!sizes.has(size)) this.#pulls.delete(size)
    for (const size of sizes) if (!this.#pulls.has(size)) void this.#open(size)
  }

  async #open(size: number): Promise<void> {
    if (size > this.cpus.total * 1000) return
    try {
      const consumer = await this.bus.consumer(size)
      if (this.#pulls.has(size) || !this.#wanted.has(size)) return
      this.#pulls.set(size, { consumer, asked: 0 })
      this.pull()
    } catch {
      setTimeout(() => !this.#pulls.has(size) && this.#wanted.has(size) && void this.#open(size), 2 * AGAIN).unref()
    }
  }

  /** Takes no more. */
  drain(): void {
    this.#draining = true
  }

  /** Tells the queue that what came is still being worked on. */
  beat(): void {
    for (const delivery of this.#deliveries) delivery.beat()
    for (const message of this.#coming.keys()) message.working()
  }

  /** Thousandths of CPUs that nothing has taken or is about to take. */
  get #free(): number {
    let free = Math.round(this.cpus.available * 1000)
    for (const milliCpus of this.#coming.values()) free -= milliCpus
    for (const { milliCpus } of this.#waiting) free -= milliCpus
    return free
  }

  /** How many tasks of that size may begin. */
  #room(size: number): number {
    if (size > 0) return Math.max(0, Math.floor(this.#free / size))
    let cpuless = 0
    for (const { milliCpus } of this.#deliveries) if (milliCpus === 0) cpuless++
    for (const milliCpus of this.#coming.values()) if (milliCpus === 0) cpuless++
    return Math.max(0, CPULESS - cpuless)
  }

  /** Asks for as many tasks as there are CPUs free. */
  pull(): void {
    if (this.#draining) return
    if (this.#pulls.size > 1) void this.#look()
    else this.#ask()
  }

  #ask(): void {
    for (const [size, pull] of this.#pulls) {
      const missing = this.#room(size) - pull.asked
      if (missing > 0) void this.#fetch(size, pull, missing)
    }
  }

  async #fetch(size: number, pull: Pull, count: number): Promise<void> {
    pull.asked += count
    let left = count
    try {
      const messages = await pull.consumer.fetch({ max_messages: count, expires: EXPIRES })
      for await (const message of messages) {
        left--
        pull.asked--
        this.#came(message, size)
      }
    } catch {
      // The server is away, or was set up anew.
      await new Promise((resolve) => setTimeout(resolve, AGAIN))
      pull.consumer = await this.bus.consumer(size).catch(() => pull.consumer)
    }
    pull.asked -= left
    this.pull()
  }

  /**
   * Where there are several sizes: takes what waits, one after the other, in turn by size. A request that stands for each
   * at once would bring one of each, and all but the first would have to go back.
   */
  async #look(): Promise<void> {
    this.#lookAgain = true
    if (this.#looking) return
    this.#looking = true
    try {
      while (this.#lookAgain && !this.#draining) {
        this.#lookAgain = false
        if (await this.#takeOne()) this.#lookAgain = true
      }
    } catch {
      await new Promise((resolve) => setTimeout(resolve, AGAIN))
    }
    this.#looking = false
    // Nothing waits: what comes first is taken.
    if (!this.#draining) this.#ask()
  }

  async #takeOne(): Promise<boolean> {
    for (const [size, pull] of [...this.#pulls]) {
      // What a request stands for would have come already.
      if (this.#room(size) <= pull.asked) continue
      pull.asked++
      const message = await this.bus.next(size).finally(() => pull.asked--)
      if (!message) continue
      // The next turn is another size's.
      if (this.#pulls.delete(size)) this.#pulls.set(size, pull)
      this.#came(message, size)
      return true
    }
    return false
  }

  #came(message: QueueMessage, size: number): void {
    let queued: Queued
    try {
      queued = decodeWire(message.data) as Queued
    } catch (error) {
      return void this.#refuse(message, error)
    }
    const session = this.events.known(queued.driver)
    if (session && queued.tasks && !session.channel.full && !this.#asks(message, queued.tasks))
      this.#take(session, message, size, queued, queued.tasks)
    else void this.#takeLater(message, size, queued)
  }

  async #takeLater(message: QueueMessage, size: number, queued: Queued): Promise<void> {
    // It was taken before the queue was cleared of it.
    if (this.events.isLost(queued.driver)) return message.term()
    this.#coming.set(message, size)
    try {
      const session = await this.events.session(queued.driver)
      // Results that leave more slowly than they are made would fill the memory.
      await session?.channel.room()
      const tasks = session && !session.refused ? await this.#tasksOf(session, queued) : null
      const asked = session && tasks && this.#asks(message, tasks)
      const may = !asked || (await session.deliveries.mayBegin(queued.publication, tasks[0]!.id))
      this.#coming.delete(message)
      if (session?.deliveries.over) message.nak()
      else if (session && tasks && may) this.#take(session, message, size, queued, tasks)
      else message.term()
    } catch {
      // The driver may live: the task is for whoever can ask.
      this.#coming.delete(message)
      message.nak()
    }
    this.pull()
  }

  /** What cannot be read here is told to its driver, and comes no more. */
  async #refuse(message: QueueMessage, error: unknown): Promise<void> {
    try {
      const driver = driverOf(message.subject)
      const session = this.events.isLost(driver) ? null : await this.events.session(driver)
      session?.refuse(error)
      message.term()
    } catch {
      message.nak()
    }
  }

  /** Whether its driver is asked before it begins. (One that comes again was lost, which the driver is told.) */
  #asks({ info }: QueueMessage, [first]: readonly NetTask[]): boolean {
    return first?.maxRetries === 0 && info.deliveryCount === 1
  }

  async #tasksOf(session: Session, { publication, tasks }: Queued): Promise<readonly NetTask[] | null> {
    if (tasks) return tasks
    const body = await session.deliveries.body(publication)
    try {
      return body && (decodeWire(body) as { tasks: readonly NetTask[] }).tasks
    } catch (error) {
      session.refuse(error)
      return null
    }
  }

  #take(
    session: Session,
    message: QueueMessage,
    size: number,
    { publication }: Queued,
    tasks: readonly NetTask[],
  ): void {
    const ids = tasks.map(({ id }) => id)
    const delivery = new Delivery(message, size, ids, (ended) => {
      this.#deliveries.delete(ended)
      this.#waiting.delete(ended)
      session.deliveries.settled(ended)
      this.pull()
    })
    if (!session.deliveries.accept(delivery)) return delivery.drop()
    const room = !this.#draining && this.#room(size) > 0
    this.#deliveries.add(delivery)
    // Whether a try was lost, and whether there is another, is the driver's to say.
    if (delivery.again) return session.deliveries.handBack(delivery, publication, ids, true)
    if (!room) return session.deliveries.handBack(delivery, publication, ids, false)
    this.#waiting.add(delivery)
    for (const task of tasks) session.run(task, delivery)
    // The engine takes CPUs for it in the next turn.
    setImmediate(() => {
      this.#waiting.delete(delivery)
      if (size > 0) this.events.taken()
      this.pull()
    })
  }
}
