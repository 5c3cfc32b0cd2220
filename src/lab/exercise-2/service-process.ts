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

// It may have been left while the modules were loaded.
if (!process.connected) process.exit()

/** With `told`, whatever comes of it: without one a parent that has gone would be an error. */
function tell(message: ServiceMessage, told = () => {}): void {
  process.send?.(message, told)
}

async function stop(): Promise<void> {
  // Should it not come to an end by itself.
  setTimeout(() => process.exit(1), 30_000).unref()
  await serve.shutdown()
  await ray.shutdown()
  process.exit(0)
}

serve.run(info, { port: 0 }).then(
  () => tell({ url: serve.status().url! }),
  ({ code, message }) => tell({ error: { code, message } }, () => void stop()),
)
