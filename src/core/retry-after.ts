/** Milliseconds that a `Retry-After` header asks to wait (RFC 9110, 10.2.3: seconds or a date); undefined when it says nothing. */
export function retryAfter(header: string | null | undefined): number | undefined {
  if (!header) return undefined
  const seconds = Number(header)
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1000)
  const date = Date.parse(header)
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now())
}
