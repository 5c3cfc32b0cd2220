import { getDefaultAutoSelectFamilyAttemptTimeout, setDefaultAutoSelectFamilyAttemptTimeout } from 'node:net'

/** Milliseconds in which a connection comes about whose first two packets were lost. */
const ENOUGH = 4_000

/**
 * Whether Node gave a host's addresses up early; it gives each more time from now on, so that another try may succeed. Of a
 * host with several addresses it waits 250 ms for each: too short for a slow way, or for a packet that is lost. More at the
 * outset would hold up whoever has an IPv6 that leads nowhere.
 * @param error what `fetch` or axios rejected with
 */
export function wasHurried(error: unknown): boolean {
  const { cause } = error as Error
  if (!(cause instanceof AggregateError) || !cause.errors.some(({ code }) => code === 'ETIMEDOUT')) return false
  setDefaultAutoSelectFamilyAttemptTimeout(Math.max(ENOUGH, getDefaultAutoSelectFamilyAttemptTimeout()))
  return true
}
