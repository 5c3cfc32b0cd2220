/** An application whose server is told to end while it is imported. */
import { once } from 'node:events'
import { serve } from '#src/serve/index.js'
import { Greeter } from './classes.js'

const told = once(process, 'SIGTERM')
process.kill(process.pid, 'SIGTERM')
const alive = setInterval(() => {}, 1000)
await told
clearInterval(alive)

export const greeter = serve.deployment(Greeter).bind()
