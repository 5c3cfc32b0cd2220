import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { Bus } from '#src/ray/engines/nats/bus.js'
import { Channel } from '#src/ray/engines/nats/channel.js'
import { keptLeases } from '#src/ray/engines/nats/live-leases.js'
import { toPeer } from '#src/ray/engines/nats/subjects.js'
import { COMMAND, clusterMissing, printed, Server, WorkerProcess } from '../ray/cluster.js'
import { driver, node } from '../ray/lives.js'
import { noSignals } from '../windows.js'

const skip = clusterMissing() || noSignals

test('a worker that is told to stop while it joins leaves again', skip ? { skip } : {}, async () => {
  const server = await Server.start()
  // On the way to the server, so that the signal comes between the connection and the join.
  const way = createServer((socket) => {
    child.kill('SIGTERM')
    const there = connect(server.port, '127.0.0.1')
    socket.pipe(there).pipe(socket)
    for (const one of [socket, there]) one.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(way, 'listening')
  const { port } = way.address() as AddressInfo
  const args = ['worker', '--address', `nats://127.0.0.1:${port}`, '--name', 'brief', '--num-cpus', '1']
  const child = spawn(process.execPath, [COMMAND, ...args])
  try {
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text) => {
      said += text
    })
    const [code] = await once(child, 'close', { signal: AbortSignal.timeout(30_000) })
    assert.equal(code, 0)
    assert.match(said, /node brief joined with 1 CPU\nnode brief ends what runs and leaves\n$/)
  } finally {
    child.kill('SIGKILL')
    way.close()
    await server.end()
  }
})

test('a worker whose terminal is closed while its server is away leaves', skip ? { skip } : {}, async (t) => {
  const server = await Server.startFor(t)
  const worker = await WorkerProcess.start(server.address, { name: 'alone', numCpus: 1 })
  t.after(() => worker.end())
  await server.down('SIGKILL')
  await worker.end('SIGHUP')
  assert.equal(worker.child.exitCode, 0)
})

test('a stop that cannot be said to the nodes is told, and ends', skip ? { skip } : {}, async (t) => {
  const server = await Server.startFor(t)
  const way = createServer((socket) => {
    const there = connect(server.port, '127.0.0.1')
    there.pipe(socket)
    // Its look finds no queue, as at a server that has just lost its data.
    const other = (data: Buffer) => data.toString('latin1').replace('INFO.RAYITO_TASKS', 'INFO.RAYITO_TASKX')
    socket.on('data', (data) => there.write(other(data), 'latin1'))
    there.on('close', () => socket.destroy())
    for (const one of [socket, there]) one.on('error', () => {})
  }).listen(0, '127.0.0.1')
  await once(way, 'listening')
  const address = `nats://127.0.0.1:${(way.address() as AddressInfo).port}`
  const child = spawn(process.execPath, [COMMAND, 'stop', '--address', address])
  t.after(() => {
    child.kill('SIGKILL')
    way.close()
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text
  })
  const [code] = await once(child, 'close', { signal: AbortSignal.timeout(30_000) })
  assert.equal(code, 1)
  assert.match(said, /^rayito: The NATS server at .* does not answer \(.*\)\. .*\n$/)
})

test(
  'what others call themselves reaches the terminal without what would steer it: of a worker, of a status, of an error',
  skip ? { skip } : {},
  async (t) => {
    const server = await Server.startFor(t)
    const worker = await WorkerProcess.start(server.address, { name: 'alone', numCpus: 1 })
    t.after(() => worker.end())
    const bus = await Bus.open(server.address, 'test')
    t.after(() => bus.close())
    const steering = 'a\x1b[2J\x07\n\x9bb'
    const shown = 'a\ufffd[2J\ufffd\ufffd\ufffdb'

    const id = 'node-named'
    bus.frames(id, () => {})
    await bus.leases.put(`node.${id}`, JSON.stringify({ ...node, id, name: steering }))
    const run = async (...args: string[]) => {
      const child = spawn(process.execPath, [COMMAND, ...args, '--address', server.address])
      let said = ''
      for (const pipe of [child.stdout, child.stderr])
        pipe.setEncoding('utf8').on('data', (text) => {
          said += text
        })
      await once(child, 'close')
      return said
    }
    const status = await run('status')
    assert.doesNotMatch(status.replaceAll('\n', ''), /\p{Cc}/u)
    assert.ok(
      status.split('\n').some((line) => line.startsWith(`${shown} `)),
      status,
    )

    const version = `0\x1b[2J`
    await bus.leases.put(`node.${id}`, JSON.stringify({ ...node, id, name: steering, version }))
    const refused = await run('worker')
    assert.match(refused, /^rayito: Node a\ufffd\[2J\ufffd\n\ufffdb runs rayito 0\ufffd\[2J, /)
    await bus.leases.delete(`node.${id}`)

    const driverId = 'driver-named'
    const came = printed(worker.child, /driver a.*b:1 came\n/s)
    bus.frames(driverId, () => {})
    await bus.leases.put(`driver.${driverId}`, JSON.stringify({ ...driver, id: driverId, host: steering }))
    const [alone] = (await keptLeases(bus, 'node.*')).filter(({ lease }) => lease.id !== id)
    new Channel(bus.maxFrame, bus.uplink, {
      publish: (frame) => bus.publish(toPeer(alone!.lease.id, driverId), frame),
      message: () => {},
      failed: () => {},
    }).send(['hello'])
    assert.ok((await came).includes(`driver ${shown}:1 came\n`))
  },
)
