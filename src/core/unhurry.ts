import { getDefaultAutoSelectFamilyAttemptTimeout, setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net'

/** Milliseconds in which a connection comes about whose first two packets were lost. */
const ENOUGH = 4_000

/**
 * Gives a host's addresses more time from now on, if Node gave them up early: of a host with several it waits 250 ms for each,
 * too short for a slow way, or for a packet that is lost. More at the outset would hold up whoever has an IPv6 that leads nowhere.
 * @param error what `fetch` or axios rejected with
 * @returns whether that was it, and another try may succeed
 */
export function unhurry(error: unknown): boolean {
  const { cause } = error as Error
  if (!(cause instanceof AggregateError) || !cause.errors.some(({ code }) => code === 'ETIMEDOUT')) return false
  setDefaultAutoSelectFamilyAttemptTimeout(Math.max(ENOUGH, getDefaultAutoSelectFamilyAttemptTimeout()))
  return true
}
