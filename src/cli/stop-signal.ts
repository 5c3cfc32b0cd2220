/** A signal that is aborted by Ctrl-C and by requests to end; a second Ctrl-C ends the program at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort(name))
  return controller.signal
}
