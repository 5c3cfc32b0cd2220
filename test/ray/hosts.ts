/** Machines for tests: network namespaces where those may be made, otherwise processes behind a relay; their network can be cut. */
import { spawnSync } from 'node:child_process'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Transform } from 'node:stream'
import type { TestContext } from 'node:test'

export interface Host {
  /** Where the cluster's server is, seen from there. */
  address: string
  /** What starts a program there, before the program. */
  prefix: readonly string[]
  /** Nothing comes or goes any more, and nobody is told: neither end sees a closed connection. */
  cut(): void
  mend(): void
}

export interface Hosts {
  kind: 'network namespaces' | 'relays'
  /** What the server is to listen on. */
  listen: string
  add(port: number): Promise<Host>
  end(): Promise<void>
}

/** RAYITO_TEST_HOSTS=relays takes those. */
export function makeHosts(): Hosts {
  return (process.env.RAYITO_TEST_HOSTS !== 'relays' && namespaces()) || relays()
}

const ip = (...args: string[]) => spawnSync('ip', args).status === 0

/** A bridge of this machine with a namespace at each end of a cable. */
function namespaces(): Hosts | null {
  const id = process.pid % 10_000
  const [bridge, net] = [`rtb${id}`, `10.${200 + (id % 50)}.${(id >> 4) % 250}`]
  const made: string[] = []
  const end = async () => {
    for (const name of made) ip('netns', 'del', name)
    ip('link', 'del', bridge)
  }
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null
  if (!ip('link', 'add', bridge, 'type', 'bridge')) return null
  const up = ip('addr', 'add', `${net}.1/24`, 'dev', bridge) && ip('link', 'set', bridge, 'up')
  const probe = `rtn${id}-0`
  if (!up || !ip('netns', 'add', probe)) {
    void end()
    return null
  }
  made.push(probe)
  process.once('exit', () => void end())
  return {
    kind: 'network namespaces',
    listen: `${net}.1`,
    end,
    async add(port) {
      const name = `rtn${id}-${made.length}`
      const [outside, inside] = [`rtv${id}-${made.length}`, `rtw${id}-${made.length}`]
      const inNamespace = (...args: string[]) => ip('netns', 'exec', name, 'ip', ...args)
      const laid =
        ip('netns', 'add', name) &&
        made.push(name) > 0 &&
        ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', inside) &&
        ip('link', 'set', outside, 'master', bridge, 'up') &&
        ip('link', 'set', inside, 'netns', name) &&
        inNamespace('addr', 'add', `${net}.${made.length}/24`, 'dev', inside) &&
        inNamespace('link', 'set', inside, 'up') &&
        inNamespace('link', 'set', 'lo', 'up')
      if (!laid) throw new Error(`The namespace ${name} could not be made`)
      return {
        address: `nats://${net}.1:${port}`,
        prefix: ['ip', 'netns', 'exec', name],
        cut: () => void ip('link', 'set', outside, 'down'),
        mend: () => void ip('link', 'set', outside, 'up'),
      }
    },
  }
}

/** Gives no more than so many bytes a second on, as a slow line does. */
class Slow extends Transform {
  /** Bytes that went over it. */
  carried = 0

  constructor(private readonly rate: number) {
    super({ highWaterMark: 16_384 })
  }

  override _transform(data: Buffer, _encoding: string, done: (error: null, data: Buffer) => void): void {
    this.carried += data.length
    setTimeout(() => done(null, data), (data.length / this.rate) * 1_000)
  }
}

export interface SlowLine {
  address: string
  /** Bytes that went to the server. */
  readonly carried: number
}

/** A line to a server over which what is sent to it goes at so many bytes a second. It ends with the test. */
export async function slowLine(address: string, rate: number, t: TestContext): Promise<SlowLine> {
  const { hostname, port } = new URL(address)
  const lines: Slow[] = []
  const sockets = new Set<Socket>()
  const listener = createServer((near) => {
    const far = connect(Number(port), hostname)
    const line = new Slow(rate)
    lines.push(line)
    for (const socket of [near, far]) sockets.add(socket.on('error', () => {}))
    near.pipe(line).pipe(far).pipe(near)
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    listener.close()
    for (const socket of sockets) socket.destroy()
  })
  return {
    address: `nats://127.0.0.1:${(listener.address() as { port: number }).port}`,
    get carried() {
      return lines.reduce((sum, { carried }) => sum + carried, 0)
    },
  }
}

export function relays(): Hosts {
  const made: Server[] = []
  const sockets = new Set<Socket>()
  return {
    kind: 'relays',
    listen: '127.0.0.1',
    async end() {
      for (const socket of sockets) socket.destroy()
      for (const server of made) server.close()
    },
    async add(port) {
      let cut = false
      const mine = new Set<Socket>()
      const server = createServer((near) => {
        const far = connect(port, '127.0.0.1')
        for (const [from, to] of [
          [near, far],
          [far, near],
        ] as const) {
          mine.add(from)
          sockets.add(from)
          from.pipe(to)
          from.on('error', () => {})
          from.on('close', () => {
            mine.delete(from)
            sockets.delete(from)
            if (!cut) to.destroy()
          })
          if (cut) from.pause()
        }
      })
      made.push(server)
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      const { port: own } = server.address() as { port: number }
      return {
        address: `nats://127.0.0.1:${own}`,
        prefix: [],
        cut() {
          cut = true
          for (const socket of mine) socket.unpipe().pause()
        },
        mend() {
          cut = false
          // What was held is too old: both ends connect again.
          for (const socket of mine) socket.destroy()
        },
      }
    },
  }
}
