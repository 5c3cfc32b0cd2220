import { serve } from '#src/serve/index.js'
import { decoder } from './serve-apps.js'

await serve.run(decoder, { port: 0 })
process.stdout.write(`${serve.status().url}\n`)
process.once('SIGINT', () => void serve.shutdown().then(() => process.exit(0)))
