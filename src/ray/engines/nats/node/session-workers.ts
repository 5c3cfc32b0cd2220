import type { Parent, WorkerPlace } from '../../../engine.js'
import { RayError } from '../../../errors.js'
import { encodeError } from '../../../pack/error-codec.js'
import type { ToWorker } from '../../../protocol.js'
import type { Task } from '../../../task.js'
import type { LocalWorker } from '../../local/worker.js'

const left = () => new RayError('RAY_CLUSTER_LOST', 'The driver that this actor belongs to has left')

/** Code in workers asks the driver: who of them asked, by numbers that the driver gives back. */
export class SessionWorkers {
  /** 0 stands for nobody. */
  readonly #workers = new Map<number, LocalWorker>()
  readonly #numbers = new Map<WorkerPlace, number>()
  /** What has not been answered. */
  readonly #asked = new Map<LocalWorker, Set<number>>()
  #last = 0

  constructor(
    /** Passes a request on; false if the driver has left. */
    private readonly ask: (worker: number, request: number, operation: string, payload: unknown) => boolean,
    /** What the driver calls a call. */
    private readonly idOf: (task: Task) => string | null,
    /** What an answer's worker is to hold from now on. */
    private readonly token: (id: string) => object,
    /** It may have let go of that already, or have ended. */
    private readonly heldOrNot: (ids: readonly string[]) => void,
  ) {}

  request(place: WorkerPlace, request: number, operation: string, payload: unknown): void {
    const worker = place as LocalWorker
    let number = this.#numbers.get(worker)
    if (number === undefined) {
      number = ++this.#last
      this.#workers.set(number, worker)
      this.#numbers.set(worker, number)
      this.#asked.set(worker, new Set())
    }
    this.#asked.get(worker)!.add(request)
    try {
      if (!this.ask(number, request, operation, this.#named(worker, payload))) this.#refuse(worker, request, left())
    } catch (error) {
      this.#refuse(worker, request, error)
    }
  }

  #refuse(worker: LocalWorker, request: number, error: unknown): void {
    this.#asked.get(worker)?.delete(request)
    worker.post(['answer', request, false, encodeError(error), false])
  }

  /** The driver has left: whoever waits for its answer waits in vain. */
  end(): void {
    for (const [worker, requests] of this.#asked) for (const request of requests) this.#refuse(worker, request, left())
  }

  /** A call that began another is known to the driver by its id. */
  #named(worker: LocalWorker, payload: unknown): unknown {
    const { parent } = (payload ?? {}) as { parent?: Parent }
    if (typeof parent !== 'number') return payload
    const task = worker.inflight.get(parent)
    return { ...(payload as object), parent: task ? this.idOf(task) : null }
  }

  answer(number: number, answer: ToWorker, held: readonly string[]): void {
    const worker = this.#workers.get(number)
    // The driver counts on it that what a worker had that has ended is let go.
    for (const id of held) {
      const thing = this.token(id)
      worker?.holdOne(id, thing)
    }
    this.heldOrNot(held)
    if (!worker) return
    this.#asked.get(worker)!.delete(answer[1] as number)
    worker.post(answer)
  }

  /** It has ended. Returns its number; 0 if it never asked. */
  delete(worker: LocalWorker): number {
    const number = this.#numbers.get(worker) ?? 0
    this.#numbers.delete(worker)
    this.#asked.delete(worker)
    this.#workers.delete(number)
    return number
  }
}
