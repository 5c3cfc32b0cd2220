/** tslab's own program, with sockets that suit it. */
import { createRequire } from 'node:module'
import { patientSockets } from './sockets.js'

const tslab = createRequire(createRequire(import.meta.url).resolve('tslab/package.json'))
Object.assign(tslab('zeromq'), patientSockets(tslab('zeromq')))
tslab('./bin/tslab')
