/** Applications that tests start by the command. */
import { existsSync, writeFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { type HttpRequest, serve } from '#src/serve/index.js'
import { Broken, Greeter, Host } from './classes.js'

const Waiting = serve.ingress(
  class Waiting {
    /** Says that it began by a file, and waits for another. */
    async hold({ query }: HttpRequest): Promise<string> {
      writeFileSync(`${query.file}.began`, '')
      while (!existsSync(`${query.file}.end`)) await pause(5)
      return 'answered'
    }
    settings(): unknown {
      const { RAYITO_SOURCE, RAYITO_MODEL, RAYITO_DTYPE } = process.env
      return { RAYITO_SOURCE, RAYITO_MODEL, RAYITO_DTYPE }
    }
  },
  { 'GET /hold': 'hold', 'GET /settings': 'settings' },
)

export const waiting = serve.deployment(Waiting).bind()
export const hasty = serve.deployment(Waiting, { gracefulShutdownTimeout: 100 }).bind()
export const broken = serve.deployment(Broken).bind()
export const greeter = serve.deployment(Greeter).bind()
export const host = serve.deployment(Host).bind()
export const deployment = serve.deployment(Greeter)
export const number = 3
