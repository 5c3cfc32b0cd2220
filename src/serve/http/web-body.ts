import type { ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { RayitoError } from '../../core/errors.js'

/**
 * An answer's body for whoever asks without a socket, read no further than it is wanted. (By `Readable.toWeb` a piece that comes
 * when its reader has cancelled is an error that nobody can catch.) That it broke off hears only who wants more: of a framework's client
 * that has left nobody may listen for errors.
 * @param patience milliseconds; who takes nothing for so long of what goes on has left
 * @param signal of the request: once it is aborted, reading rejects with its reason
 */
export function webBody(
  body: Readable,
  response: ServerResponse,
  patience: number,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  let wanted = false
  const untaken = setTimeout(() => {
    if (body.readableLength === 0) return
    body.destroy(
      new RayitoError('SERVE_CANCELLED', `Nothing of an answer was read for ${patience} ms (requestTimeout)`),
    )
  }, patience).unref()
  const all = () => clearTimeout(untaken)
  // What is all there holds nothing, and is garbage once nobody has it.
  if (response.destroyed) all()
  else response.once('finish', all)
  const give = (to: ReadableStreamDefaultController<Uint8Array>) => {
    untaken.refresh()
    if (!wanted) return
    if (body.errored) return to.error(signal.aborted ? signal.reason : body.errored)
    const piece: Buffer | null = body.read()
    if (!piece) return
    wanted = false
    // Many are parts of one buffer, which a reader may transfer.
    to.enqueue(new Uint8Array(piece))
  }
  return new ReadableStream(
    {
      start(to) {
        for (const event of ['readable', 'error']) body.on(event, () => give(to))
        body.once('end', () => body.destroyed || to.close()).once('close', all)
        signal.addEventListener('abort', () => body.destroy(new Error('aborted')), { once: true })
      },
      pull(to) {
        wanted = true
        give(to)
      },
      cancel: () => void body.destroy(),
    },
    { highWaterMark: 0 },
  )
}
