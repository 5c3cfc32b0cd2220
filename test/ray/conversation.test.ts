import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ray } from '#src/ray/index.js'
import { Ticker } from './functions.js'
import { onEachEngine } from './helpers.js'

onEachEngine('an actor that is called again and again, each answer waited for', { numCpus: 2 }, ({ engine }) => {
  // Between threads alone both sides look for the next message for a while; elsewhere they are woken for each.
  const CALLS = engine === 'threads' ? 1_000 : 200

  test('answers in order, and its own timers have their turn meanwhile', async () => {
    const actor = Ticker.remote()
    let ticks = await ray.get(actor.ticks.remote())
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < CALLS; i++) assert.equal(await ray.get(actor.say.remote(i)), i)
      const later = await ray.get(actor.ticks.remote())
      assert.ok(later > ticks)
      ticks = later
    }
  })

  test('leaves the timers of its caller their turns', async () => {
    const actor = Ticker.remote()
    for (let i = 0; i < 100; i++) await ray.get(actor.say.remote(i))
    let ticks = 0
    const timer = setInterval(() => ticks++, 1)
    for (let calls = 0; ticks < 5; calls++) {
      assert.ok(calls < 100_000, `${ticks} ticks in ${calls} calls`)
      assert.equal(await ray.get(actor.say.remote(calls)), calls)
    }
    clearInterval(timer)
  })

  test('leaves timers their turns though all that is asked for is there', async () => {
    const [there, other] = [ray.put(1), ray.put(2)]
    for (const again of [() => ray.get(there), () => ray.get([there, other]), () => ray.wait([there, other])]) {
      let ticks = 0
      const timer = setInterval(() => ticks++, 1)
      for (let calls = 0; ticks < 3; calls++) {
        assert.ok(calls < 1_000_000, `${ticks} ticks in ${calls} calls`)
        await again()
      }
      clearInterval(timer)
    }
  })

  test('is one of several, and its end in the midst of it is no matter to the others', async () => {
    const actors = [Ticker.remote(), Ticker.remote(), Ticker.remote()]
    const talk = async (actor: (typeof actors)[number], calls: number) => {
      for (let i = 0; i < calls; i++) assert.equal(await ray.get(actor.say.remote(i)), i)
    }
    await Promise.all(actors.map((actor, i) => talk(actor, CALLS / (i + 1))))
    for (const actor of actors.slice(0, 2)) {
      await talk(actor, 100)
      ray.kill(actor)
      await talk(actors[2]!, CALLS / 2)
    }
  })
})
