import type { JsMsg } from '@nats-io/jetstream'
import type { Msg } from '@nats-io/transport-node'

/** What a node needs of a message of the queue. The client's own are such; it makes none of what `Bus.next` asks for. */
export interface QueueMessage extends Pick<JsMsg, 'subject' | 'data' | 'ack' | 'nak' | 'term' | 'working'> {
  readonly info: Pick<JsMsg['info'], 'deliveryCount'>
}

/** A message that was asked for without the client (NATS ADR-15, "JetStream Subscription Workflow": the reply's tokens and answers). */
export function queueMessage(message: Msg): QueueMessage {
  const answer = (text: string) => () => void message.respond(text)
  const tokens = message.reply!.split('.')
  // $JS.ACK.[domain.account.]stream.consumer.delivered. …
  const deliveryCount = Number(tokens[tokens.length > 9 ? 6 : 4])
  return {
    subject: message.subject,
    data: message.data,
    info: { deliveryCount },
    ack: answer('+ACK'),
    nak: answer('-NAK'),
    term: answer('+TERM'),
    working: answer('+WPI'),
  }
}
