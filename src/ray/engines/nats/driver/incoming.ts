import { decodeError } from '../../../pack/error-codec.js'
import type { Task } from '../../../task.js'
import type { FromNode, NetEvents } from '../messages.js'
import { netContent, taskId } from '../outgoing.js'
import type { ActorTable } from './actor-table.js'
import type { CallEnds } from './call-ends.js'
import type { DriverSide } from './driver-side.js'
import { recordEvents, Unheard } from './node-events.js'
import type { NodePeer } from './node-peer.js'
import type { SentObjects } from './sent-objects.js'

/** What nodes say to a driver. */
export class Incoming {
  /** Tasks of which a node will tell what they did though they have ended here. */
  readonly #unheard = new Unheard()

  constructor(
    private readonly driver: DriverSide,
    private readonly actors: ActorTable,
    private readonly ends: CallEnds,
    private readonly objects: SentObjects,
  ) {}

  message(node: NodePeer, message: FromNode, bytes: number): void {
    const { host, sent } = this.driver
    switch (message[0]) {
      case 'results':
        host.copied(bytes, 0)
        this.#record(node, message[2])
        for (const result of message[1]) this.ends.result(node, result)
        break
      case 'clock':
        node.clock.answered(message[1], message[2])
        break
      case 'running':
        for (const id of message[1]) sent.runs(id, node)
        break
      case 'begin': {
        const [, publication, id] = message
        const may = sent.begin(id, publication, node)
        node.send(['mayBegin', may])
        // Another has it, or had it.
        if (!may) this.ends.returned(id, publication, true)
        break
      }
      case 'returned':
        for (const id of message[2]) this.ends.returned(id, message[1], message[3])
        break
      case 'restarted':
        this.actors.restarted(message[1], message[2])
        break
      case 'died':
        this.#record(node, message[3])
        this.actors.died(node, message[1], decodeError(message[2]) as Error)
        break
      case 'moved':
        this.actors.moved(node, message[1], message[2], message[3])
        break
      case 'want': {
        const content = this.objects.content(message[1])
        if (content) host.copied(content.copied, content.shared)
        node.send(['object', message[1], content ? netContent(content) : null])
        break
      }
      case 'wantBody':
        node.send(['body', message[1], sent.body(message[1])])
        break
      case 'release':
        for (const [id, count] of message[1]) node.letGo(id, count)
        break
      case 'request':
        host.request(node.worker(message[1]), message[2], message[3], message[4])
        break
      case 'workerEnded':
        node.workerEnded(message[1])
        break
      case 'output':
        host.output(message[1], message[2], message[3], message[4])
        break
      case 'refused':
        this.driver.fail(decodeError(message[1]) as Error)
    }
  }

  /** A task has ended here before its node has told what it did. */
  unheard(task: Task): void {
    if (this.driver.host.recorder) this.#unheard.add(taskId(task), task)
  }

  #record(node: NodePeer, events: NetEvents | null): void {
    const { host, sent } = this.driver
    if (events && host.recorder) recordEvents(host.recorder, node, events, (id) => sent.get(id)?.task, this.#unheard)
  }
}
