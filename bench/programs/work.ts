/** What the remote calls of the bench do: next to nothing. */
import type { Image } from '#src/datasets/index.js'
import { ray } from '#src/ray/index.js'

export const nothing = ray.remote(function nothing() {})
export const width = ray.remote((image: Image) => image.width)

export const Echo = ray.remote(
  class Echo {
    say(value: number): number {
      return value
    }
    length(bytes: Uint8Array): number {
      return bytes.length
    }
  },
)
