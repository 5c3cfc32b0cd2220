/** The reference of the server: Fastify, @fastify/multipart and sharp, as a user would write it. */
import multipart from '@fastify/multipart'
import Fastify from 'fastify'
import sharp from 'sharp'
import { Image } from '#src/datasets/index.js'

const app = Fastify()
await app.register(multipart, { limits: { fileSize: 10 << 20 } })
app.post('/decode', async (request, reply) => {
  const file = await request.file()
  if (!file) return reply.code(422).send({ detail: 'no file' })
  const bytes = await file.toBuffer()
  if (process.env.OWN_DECODER) {
    const { width, height } = await Image.open(bytes)
    return { width, height }
  }
  const { info } = await sharp(bytes).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true })
  return { width: info.width, height: info.height }
})
const url = await app.listen({ port: 0, host: '127.0.0.1' })
process.stdout.write(`${url}\n`)
