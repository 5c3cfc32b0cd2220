/** A session that does nothing: how soon it is there, and what it takes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { ray } from '#src/ray/index.js'
import { clocked, report } from '../report.js'

report(async () => {
  const { seconds } = await clocked(() => ray.init({ numCpus: 2 }))
  await sleep(4_000) // to be looked at from outside; by then the threads are there that it starts ahead
  await ray.shutdown()
  return { init: seconds }
})
