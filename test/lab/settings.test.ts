import assert from 'node:assert/strict'
import { availableParallelism } from 'node:os'
import { test } from 'node:test'
import { inspect } from 'node:util'
import { range, readSettings } from '#src/lab/settings.js'

test('the defaults are the assignment: 250 pictures, range(0, 10000, 40), all versions, one actor a core', () => {
  const { images, stop, step, versions, actors, dtype, source, model } = readSettings({})
  assert.deepEqual({ images, stop, step }, { images: 250, stop: 10_000, step: 40 })
  assert.deepEqual(range(0, stop, step).length, 250)
  assert.deepEqual(versions, ['A', 'B', 'C1', 'C2'])
  assert.equal(actors, availableParallelism())
  assert.deepEqual([dtype, source, model], ['fp32', 'auto', undefined])
})

test('variables choose; versions come in their order; any number of pictures is that many', () => {
  const settings = readSettings({
    RAYITO_DTYPE: 'q8',
    RAYITO_VERSIONS: 'c2, a',
    RAYITO_ACTORS: '3',
    RAYITO_MODEL: 'a/b',
  })
  assert.deepEqual([settings.dtype, settings.versions, settings.actors, settings.model], ['q8', ['A', 'C2'], 3, 'a/b'])
  for (const images of [1, 7, 50, 333, 9_999, 10_000]) {
    const { stop, step } = readSettings({ RAYITO_IMAGES: String(images) })
    const rows = range(0, stop, step)
    assert.equal(rows.length, images)
    assert.ok(rows.at(-1)! < 10_000)
  }
})

test('the settings are shown without the password of a cluster, and have it', () => {
  const settings = readSettings({ RAY_ADDRESS: 'nats://ana:p4ss@head:4222' })
  assert.equal(settings.address, 'nats://ana:p4ss@head:4222')
  assert.match(inspect(settings), /address: 'nats:\/\/head:4222'/)
  assert.doesNotMatch(inspect(settings), /p4ss/)
})

test('a wrong value is refused with its variable', () => {
  for (const [name, value] of Object.entries({
    RAYITO_DTYPE: 'fp16',
    RAYITO_SOURCE: 'web',
    RAYITO_IMAGES: '0',
    RAYITO_ACTORS: 'two',
    RAYITO_VERSIONS: 'A,D',
  }))
    assert.throws(() => readSettings({ [name]: value }), {
      code: 'INVALID_ARGUMENT',
      message: new RegExp(`Expected \`${name}\``),
    })
})

test('range is Python’s', () => {
  assert.deepEqual(range(0, 10, 4), [0, 4, 8])
  assert.deepEqual(range(3, 3), [])
  assert.deepEqual(range(5, 2), [])
})
