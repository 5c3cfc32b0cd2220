/** The server with an application that decodes only. */
import { ray } from '#src/ray/index.js'
import { serve } from '#src/serve/index.js'
import { decoder } from './serve-apps.js'

// as the command does
await ray.init({ timeline: false })
await serve.run(decoder, { port: 0 })
process.stdout.write(`${serve.status().url}\n`)
process.once('SIGTERM', () => void serve.shutdown().then(() => process.exit(0)))
