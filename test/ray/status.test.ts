import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DriverLease, NodeLease } from '#src/ray/engines/nats/lease.js'
import { statusText } from '#src/ray/engines/nats/status/status-text.js'

test('a cluster is shown as a table of its nodes and a line of sums', () => {
  const node = {
    name: 'alpha',
    cpus: 2,
    available: 0.7,
    tasks: 1,
    actors: 3,
    objects: 12,
    memoryMB: 250,
    draining: false,
  }
  const nodes = [node, { ...node, name: 'b', cpus: 16, available: 16, tasks: 0, draining: true }] as NodeLease[]
  assert.equal(
    statusText({ nodes, drivers: [{} as DriverLease], running: 4, waiting: 5 }),
    [
      'node   CPUs busy  running  actors  objects  memory',
      'alpha  1.3 of 2   1        3       12       250 MB',
      'b      0 of 16    0        3       12       250 MB  leaves',
      '2 nodes, 18 CPUs; 1 driver; 4 tasks and calls run, 5 wait',
    ].join('\n'),
  )
})

test('a cluster without nodes says how one joins', () => {
  assert.equal(
    statusText({ nodes: [], drivers: [], running: 0, waiting: 1 }),
    'no node has joined: rayito worker --address …\n0 nodes, 0 CPUs; 0 drivers; 0 tasks and calls run, 1 wait',
  )
})
