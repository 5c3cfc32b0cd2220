import { ray } from '../../ray/index.js'
import { info } from '../../ray-server.js'
import { serve } from '../../serve/index.js'

/*
 * The service in a process of its own, for a notebook that finds none running: tells its parent where it answers, or why
 * it does not, and ends with it, however the parent ends.
 */

/** What the process tells. */
export type ServiceMessage = { url: string } | { error: { code: string; message: string } }

/** An interrupt is meant for the notebook's cell; a terminal sends it to all processes. */
process.on('SIGINT', () => {})
process.on('disconnect', () => void stop())
process.on('SIGTERM', () => void stop())

async function stop(): Promise<void> {
  // Should it not come to an end by itself.
  setTimeout(() => process.exit(1), 30_000).unref()
  await serve.shutdown()
  await ray.shutdown()
  process.exit(0)
}

serve.run(info, { port: 0 }).then(
  () => process.send?.({ url: serve.status().url! } satisfies ServiceMessage),
  ({ code, message }) => process.send?.({ error: { code, message } } satisfies ServiceMessage, () => void stop()),
)
