/** Actors and tasks that are inside onnxruntime nearly all the time. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Image } from '#src/datasets/index.js'
import { ray } from '#src/ray/index.js'
import { pipeline } from '#src/transformers/index.js'
import { arrive, type Latch } from './latch.js'

const model = join(fileURLToPath(new URL('../../..', import.meta.url)), 'test', 'fixtures', 'models', 'tiny-vit')
const picture = () => new Image(new Uint8Array(32 * 32 * 3), 32, 32)

async function infers(shared: Latch): Promise<never> {
  const classifier = await pipeline('image-classification', model)
  arrive(shared)
  for (;;) await classifier(picture())
}

async function creates(shared: Latch): Promise<never> {
  for (;;) {
    const classifier = await pipeline('image-classification', model)
    arrive(shared)
    await classifier.close()
  }
}

export const Busy = ray.remote(
  class Busy {
    infer(shared: Latch): Promise<never> {
      return infers(shared)
    }
    create(shared: Latch): Promise<never> {
      return creates(shared)
    }
  },
)
export const infer = ray.remote(infers)
export const create = ray.remote(creates)
