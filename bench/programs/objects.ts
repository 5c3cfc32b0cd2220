/** The first objects of a session: each is put, got and let go. */
import { ray } from '#src/ray/index.js'
import { clocked, given, report } from '../report.js'

export interface ObjectsWork {
  /** Size of each, in bytes. */
  bytes: number
  count: number
}

report(async () => {
  const { bytes, count } = given<ObjectsWork>()
  ray.init({ numCpus: 2 })
  const plain = new Uint8Array(bytes).fill(1)
  const result: number[] = []
  for (let i = 0; i < count; i++) {
    const { seconds, value } = await clocked(() => ray.get(ray.put(plain)))
    if (value.length !== bytes || value[bytes - 1] !== 1) throw new Error('What was got is not what was put')
    result.push(seconds)
  }
  await ray.shutdown()
  return result
})
