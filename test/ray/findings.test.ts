import assert from 'node:assert/strict'
import { test } from 'node:test'
import { found } from '#src/core/findings.js'
import { ray } from '#src/ray/index.js'
import { Surroundings } from './functions.js'
import { onEachEngine } from './helpers.js'

onEachEngine('what the driver found out', { numCpus: 2 }, ({ engine, begin }) => {
  test('holds for its workers: those that start later, and those that are there', async () => {
    const [before, between, later] = ['before', 'between', 'later'].map((when) => `test: ${engine}, ${when}`)
    found(before!, true)
    await begin({ numCpus: 2 })
    found(between!, false)
    const actor = Surroundings.remote()
    const seen = () => ray.get([before!, between!, later!].map((key) => actor.finding.remote(key)))
    assert.deepEqual(await seen(), [true, false, undefined])
    found(later!, false)
    assert.deepEqual(await seen(), [true, false, false])
    found(later!, true)
    assert.deepEqual(await seen(), [true, false, true])
  })
})
