/**
 * A signal that is aborted by Ctrl-C, by requests to end, and when nobody reads on what the program says (a full disk under
 * it is no such end). A second Ctrl-C ends the program at once.
 */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => controller.abort(name))
  process.stdout.on('error', ({ code }: NodeJS.ErrnoException) => code === 'ENOSPC' || controller.abort('SIGPIPE'))
  return controller.signal
}
