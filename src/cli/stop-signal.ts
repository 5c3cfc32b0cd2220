/**
 * A signal that is aborted by Ctrl-C, by requests to end, and when nobody reads on what the program says. A second Ctrl-C
 * ends the program at once.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort(name))
  process.stdout.once('error', () => controller.abort('SIGPIPE'))
  return controller.signal
}
