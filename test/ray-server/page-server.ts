import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type PageOptions, page, pagePolicy } from '#src/ray-server/page.js'

export type Reply = { status?: number; headers?: Record<string, string>; body: unknown } | 'silence' | 'cut'

/** What the service answers for a hammer. */
export const HAMMER = {
  prediction: 'hammer',
  'wikipedia info':
    'A hammer is a tool with a heavy head on a handle, swung by hand to strike a small area: to drive a nail, to shape metal or to break stone.\nIts parts have names of their own.',
  classes: [
    { label: 'hammer', score: 0.9731 },
    { label: 'hatchet', score: 0.0112 },
    { label: 'plunger, plumber’s helper', score: 0.0043 },
    { label: 'carpenter’s kit, tool kit', score: 0.0021 },
    { label: 'screwdriver', score: 0.0009 },
  ],
  milliseconds: { decode: 1.8, inference: 104.2, wikipedia: 86, total: 193.4 },
  page: { title: 'Hammer', url: 'https://en.wikipedia.org/wiki/Hammer' },
}

/** The page and, behind it, whatever `reply` says. */
export async function pageServer(options: PageOptions = {}) {
  const posts: { url: string; body: Buffer; closed: Promise<unknown> }[] = []
  const state = { reply: (_: number): Reply => ({ body: HAMMER }) }
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    if (request.method === 'GET') {
      const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': pagePolicy(options) }
      return void response
        .writeHead(request.url === '/' ? 200 : 404, headers)
        .end(request.url === '/' ? page(options) : '')
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const reply = state.reply(posts.length)
    posts.push({ url: request.url!, body: Buffer.concat(chunks), closed: once(response, 'close') })
    server.emit('post')
    if (reply === 'silence') return
    if (reply === 'cut') return void request.socket.destroy()
    const body = typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body)
    response.writeHead(reply.status ?? 200, { 'content-type': 'application/json', ...reply.headers }).end(body)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    posts,
    state,
    server,
    async close() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
}
