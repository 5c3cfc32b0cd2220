// Puts the nats-server that rayito is tested with into its cache, if none is found. Needs the built command.
import { findNatsServer, installNatsServer } from '../dist/ray/engines/nats/server/nats-server.js'

try {
  console.log(findNatsServer())
} catch {
  await installNatsServer(console.log)
}
