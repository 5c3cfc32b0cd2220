/** An application whose server notes by a file that its shell has gone. */
import { writeFileSync } from 'node:fs'

process.once('SIGTERM', () => writeFileSync(process.env.RAYITO_TEST_TOLD!, ''))

export { waiting } from './cli-apps.js'
