import type { WorkerPlace } from '../../engine.js'
import { encodeError, RayError } from '../../errors.js'
import type { ToWorker } from '../../protocol.js'
import type { LocalWorker } from '../local/worker.js'

/** Code in workers asks the driver: who of them asked, by numbers that the driver gives back. */
export class SessionWorkers {
  /** 0 stands for nobody. */
  readonly #workers: (LocalWorker | null)[] = [null]
  readonly #numbers = new Map<WorkerPlace, number>()

  constructor(
    /** Passes a request on; false if the driver has left. */
    private readonly ask: (worker: number, request: number, operation: string, payload: unknown) => boolean,
    /** What an answer's worker is to hold from now on. */
    private readonly token: (id: string) => object,
    /** It may have let go of that already, or have ended. */
    private readonly heldOrNot: (ids: readonly string[]) => void,
  ) {}

  request(place: WorkerPlace, request: number, operation: string, payload: unknown): void {
    const worker = place as LocalWorker
    const refuse = (error: unknown) => worker.post(['answer', request, false, encodeError(error), false])
    let number = this.#numbers.get(worker)
    if (number === undefined) {
      number = this.#workers.push(worker) - 1
      this.#numbers.set(worker, number)
    }
    try {
      if (!this.ask(number, request, operation, payload))
        refuse(new RayError('RAY_CLUSTER_LOST', 'The driver that this actor belongs to has left'))
    } catch (error) {
      refuse(error)
    }
  }

  answer(number: number, answer: ToWorker, held: readonly string[]): void {
    const worker = this.#workers[number]
    if (!worker) return
    for (const id of held) worker.holdOne(id, this.token(id))
    this.heldOrNot(held)
    worker.post(answer)
  }
}
