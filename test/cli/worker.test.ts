import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { test } from 'node:test'
import { COMMAND, clusterMissing, Server, WorkerProcess } from '../ray/cluster.js'
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
