/** What the bench serves. */
import { Image } from '#src/datasets/index.js'
import { type HttpRequest, serve } from '#src/serve/index.js'

const Decoder = serve.ingress(
  class Decoder {
    async decode({ files }: HttpRequest): Promise<{ width: number; height: number }> {
      const { width, height } = await Image.open(files.file!.bytes)
      return { width, height }
    }
  },
  { 'POST /decode': { call: 'decode', file: 'file' } },
)

/** As many requests may run as the reference lets run. */
export const decoder = serve.deployment(Decoder, { numReplicas: 2, maxOngoingRequests: 100 }).bind()
