import { timerTime } from '../../../core/timer.js'
import type { Task } from '../../task.js'

/** Time limits of tasks that run. */
export class Limits {
  readonly #timers = new Map<Task, NodeJS.Timeout>()

  constructor(private readonly exceeded: (task: Task) => void) {}

  begin(task: Task): void {
    const { timeout } = task.settings
    if (timeout === undefined) return
    this.#timers.set(
      task,
      setTimeout(() => this.exceeded(task), timerTime(timeout)),
    )
  }

  end(task: Task): void {
    const timer = this.#timers.get(task)
    if (!timer) return
    clearTimeout(timer)
    this.#timers.delete(task)
  }

  clear(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    this.#timers.clear()
  }
}
