import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { BACKLOG, Channel } from '#src/ray/engines/nats/channel.js'
import { UPLINK, Uplink } from '#src/ray/engines/nats/uplink.js'

/** Frames in order, as a server carries them: what is said while it is down is gone. */
class Way {
  readonly #frames: Buffer[] = []
  down = false
  /** Bytes of content that went over it. */
  carried = 0

  #put = () => {}

  readonly put = (frame: Buffer): void => {
    if (this.down) return
    this.carried += frame.length
    // A frame that goes again is the same memory, with another acknowledgement in it.
    this.#frames.push(Buffer.from(frame))
    this.#put()
  }

  /** Resolves when something more is on it. (The clocks of channels hold no process.) */
  async next(): Promise<void> {
    const held = setInterval(() => {}, 1_000)
    await new Promise<void>((resolve) => {
      this.#put = resolve
    })
    clearInterval(held)
  }

  take(): Buffer | undefined {
    return this.#frames.shift()
  }
}

interface End {
  channel: Channel
  out: Way
  got: string[]
}

/** Two ends and the ways between them. */
function pair(maxFrame: number, arrived: () => Promise<void> = async () => {}, epochs = [0, 0]): [End, End] {
  const end = (epoch: number | undefined): End => {
    const [out, got] = [new Way(), [] as string[]]
    const events = {
      publish: out.put,
      message: (text: unknown) => void got.push(text as string),
      failed: (error: unknown) => assert.fail(`${error}`),
    }
    return { out, got, channel: new Channel(maxFrame, new Uplink(arrived), events, epoch) }
  }
  return [end(epochs[0]), end(epochs[1])]
}

/** Delivers until nothing is on its way. */
function deliver(a: End, b: End): void {
  for (let some = true; some; ) {
    some = false
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const frame = from.out.take()
      if (frame) to.channel.receive(frame)
      some ||= frame !== undefined
    }
  }
}

describe('a channel between two peers', () => {
  test('brings each message once and in order, whatever was lost in between', () => {
    const step = fc.oneof(
      { weight: 6, arbitrary: fc.record({ by: fc.nat(1), text: fc.string({ maxLength: 300 }) }) },
      { weight: 2, arbitrary: fc.record({ down: fc.nat(1) }) },
      { weight: 2, arbitrary: fc.record({ deliver: fc.nat(1), frames: fc.nat(8) }) },
      { weight: 1, arbitrary: fc.constant('reconnect' as const) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const ends = pair(64)
        const [a, b] = ends
        const said: [string[], string[]] = [[], []]
        const reconnect = () => {
          for (const { out, channel } of ends) {
            out.down = false
            channel.resend()
          }
        }
        for (const next of steps) {
          if (next === 'reconnect') reconnect()
          else if ('down' in next) ends[next.down]!.out.down = true
          else if ('text' in next) {
            said[next.by]!.push(next.text)
            ends[next.by]!.channel.send(next.text)
          } else
            for (let i = 0; i < next.frames; i++) {
              const frame = ends[next.deliver]!.out.take()
              if (frame) ends[1 - next.deliver]!.channel.receive(frame)
            }
        }
        reconnect()
        deliver(a, b)
        assert.deepEqual([b.got, a.got], said)
        for (const { channel } of ends) channel.acknowledge()
        deliver(a, b)
        assert.deepEqual([a.channel.idle, b.channel.idle], [true, true])
        for (const { channel } of ends) channel.close()
      }),
    )
  })

  test('takes nothing, nor an acknowledgement, from one that has not begun anew with it', () => {
    const [a, b] = pair(1_000, undefined, [0, 1])
    a.channel.send('from before')
    b.channel.send('since then')
    deliver(a, b)
    for (const { channel } of [a, b]) channel.acknowledge()
    deliver(a, b)
    assert.deepEqual([a.got, b.got], [[], []])
    assert.deepEqual([a.channel.idle, b.channel.idle], [false, false])
    for (const { channel } of [a, b]) channel.close()
  })

  test('asks what has come where nothing is acknowledged, and sends again only what was lost', async (t) => {
    const [a, b] = pair(1_000)
    t.after(() => {
      for (const { channel } of [a, b]) channel.close()
    })
    a.channel.send('one')
    deliver(a, b)
    b.channel.acknowledge()
    a.out.down = true
    a.channel.send('lost'.repeat(100))
    a.out.down = false
    a.channel.send('after a gap')
    deliver(a, b)
    assert.deepEqual(b.got, ['one'])
    const before = a.out.carried
    await a.out.next()
    deliver(a, b)
    assert.deepEqual(b.got, ['one', 'lost'.repeat(100), 'after a gap'])
    const again = a.out.carried - before
    assert.ok(again > 400 && again < 600, `${again} bytes`)
  })

  test('sends nothing again that is merely slow to come', async (t) => {
    const [a, b] = pair(1_000)
    t.after(() => {
      for (const { channel } of [a, b]) channel.close()
    })
    const texts = Array.from({ length: 40 }, (_, i) => `${i}`.repeat(200))
    for (const text of texts) a.channel.send(text)
    const once = a.out.carried
    // Until it has asked twice, nothing gets through.
    await a.out.next()
    await a.out.next()
    deliver(a, b)
    assert.deepEqual(b.got, texts)
    assert.ok(a.out.carried - once < 200, `${a.out.carried - once} bytes more`)
  })

  test('says when more waits to be received than should, be it one message, until there is room again', async () => {
    const [a, b] = pair(1_000_000)
    assert.equal(a.channel.full, false)
    a.channel.send(new Uint8Array(2 * BACKLOG))
    assert.equal(a.channel.full, true)
    const room = a.channel.room()
    while (b.got.length === 0) {
      deliver(a, b)
      await new Promise((resolve) => setImmediate(resolve))
    }
    b.channel.acknowledge()
    deliver(a, b)
    await room
    assert.equal(a.channel.full, false)
    b.channel.send(new Uint8Array(2 * BACKLOG))
    const closed = b.channel.room()
    for (const { channel } of [a, b]) channel.close()
    await closed
  })

  test('has no more on its way to the server than others can wait behind', async () => {
    const waiting: (() => void)[] = []
    const [a, b] = pair(100_000, () => new Promise((resolve) => waiting.push(resolve)))
    a.channel.send(new Uint8Array(3 * UPLINK))
    assert.ok(a.out.carried >= UPLINK && a.out.carried < UPLINK + 200_000, `${a.out.carried} bytes`)
    while (b.got.length === 0) {
      deliver(a, b)
      const before = a.out.carried
      for (const arrived of waiting.splice(0)) arrived()
      await new Promise((resolve) => setImmediate(resolve))
      assert.ok(a.out.carried - before <= UPLINK + 200_000)
    }
    for (const { channel } of [a, b]) channel.close()
  })
})
