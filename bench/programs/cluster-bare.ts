/** The other end of the bare client: answers requests, and consumes tasks, in a process of its own, as workers are. */
import { jetstream } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'

export const QUEUE = 'BARE'
export const TASKS = 'bare.task'
export const ECHO = 'bare.echo'

const [address] = process.argv.slice(2)
// whoever imports the names above is another program
if (address?.startsWith('nats:')) {
  const connection = await connect({ servers: address })
  connection.subscribe(ECHO, { callback: (_error, message) => void message.respond(message.data) })
  const consumer = await jetstream(connection).consumers.get(QUEUE, 'bare')
  process.on('message', async (count: number) => {
    const messages = await consumer.consume({ max_messages: 1000 })
    for await (const message of messages) {
      message.ack()
      if (--count === 0) break
    }
    process.send!('consumed')
  })
  process.on('disconnect', () => process.exit())
  await connection.flush()
  process.send!('ready')
}
