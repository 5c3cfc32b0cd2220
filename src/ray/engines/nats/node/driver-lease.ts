import type { Bus } from '../bus.js'
import { type DriverLease, readLease } from '../lease.js'
import type { Leases } from '../leases.js'

/** How often a driver is looked for that nobody knows, and milliseconds between two looks. */
const LOOKS = 5
const LOOK = 500

/**
 * A driver's last sign of life; null if it took leave, undefined if nobody knows of one and it does not listen either: it has
 * ended unsaid. Rejects where that cannot be found out. (After an outage the server has none until the next is given.)
 */
export async function driverLease(driver: string, bus: Bus, leases: Leases): Promise<DriverLease | null | undefined> {
  let missed = 0
  for (let looks = 1; ; looks++) {
    try {
      const entry = await bus.leases.get(`driver.${driver}`)
      if (entry && entry.operation !== 'PUT') return null
      const given = entry && readLease(entry.value)
      if (given) leases.lives(given)
      const lease = leases.drivers().find(({ id }) => id === driver)
      if (lease) return lease
      if (!(await bus.listens(driver)) && ++missed === LOOKS) return undefined
      throw new Error(`driver ${driver} gives no sign of life`)
    } catch (error) {
      if (looks === LOOKS) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK))
  }
}
