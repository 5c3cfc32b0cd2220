import { Command, InvalidArgumentError, Option } from 'commander'
import { RayitoError } from '../core/errors.js'
import { urlsOf } from '../ray/engines/nats/address.js'
import type { RunOptions, ServeEvent, ServeStatus } from '../serve/index.js'
import { model } from './model.js'
import { port } from './port.js'
import { findApplication, scaled } from './serve-application.js'
import { reloading } from './serve-reload.js'

interface ServeOptions {
  host: string
  port: number
  routePrefix: string
  name: string
  numReplicas?: number | 'auto'
  source?: string
  model?: string
  dtype?: string
  address?: string
  reload?: boolean
}

const ADDRESS = 'http://127.0.0.1:8000'

/** `rayito serve`: Ray's `serve run` and `serve status`. */
export function serveCommand(): Command {
  const run = new Command('run')
    .description('start an application and answer HTTP until Ctrl-C')
    .argument('<application>', 'module:variable, such as ray-server:info')
    .option('--host <address>', 'address that is listened on', '127.0.0.1')
    .option('--port <n>', 'port that is listened on; 0 for a free one', port, 8000)
    .option('--route-prefix <path>', 'where its routes begin', '/')
    .option('--name <name>', "the application's name", 'default')
    .option(
      '--num-replicas <n>',
      'replicas of the deployment that answers (default: as the application says)',
      replicas,
    )
    .addOption(
      new Option('--source <name>', 'where the model comes from (default: "auto")').choices([
        'auto',
        'hub',
        'embedded',
      ]),
    )
    .option('--model <id>', 'model of the Hub, or a folder (default: the one transformers.pipeline takes)', model)
    .addOption(new Option('--dtype <type>', 'weights of the model (default: "fp32")').choices(['fp32', 'q8']))
    .option(
      '--address <url>',
      'replicas run on the cluster at nats://HOST:PORT (default: RAY_ADDRESS, else this machine)',
    )
    .option('--reload', 'start again when a file of the application changes')
    .addHelpText(
      'after',
      '\nWhere an option is not given, RAYITO_SOURCE, RAYITO_MODEL or RAYITO_DTYPE holds\nif it is set.',
    )
    .allowExcessArguments(false)
    .action(runApplication)
  const status = new Command('status')
    .description('what a running server serves, and how it is')
    .option('--address <url>', 'where it answers', httpAddress, ADDRESS)
    .allowExcessArguments(false)
    .action(showStatus)
  const command = new Command('serve').description('serve an application over HTTP').enablePositionalOptions()
  return command.addCommand(run).addCommand(status)
}

async function runApplication(path: string, options: ServeOptions): Promise<void> {
  if (options.reload) return reloading(path)
  tell({ level: 'INFO', source: 'serve', message: `Running import path: '${path}'.` })
  // Before the application is imported: it may read them, and its replicas' threads inherit them.
  if (options.address && options.address !== 'local') urlsOf(options.address)
  Object.assign(process.env, settingsOf(options))
  let stopping = false
  const stopped = new Promise<string>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => {
        // A second one does not wait.
        process.once(signal, () => process.exit(130))
        stopping = true
        resolve(signal)
      })
  })
  const loaded = Promise.all([import('../serve/index.js'), import('../ray/index.js'), findApplication(path)])
  const ready = await Promise.race([loaded, stopped.then(() => null)])
  // Nothing runs yet, but what the application awaits.
  if (!ready) {
    tell({ level: 'INFO', source: 'serve', message: 'Shut down.' })
    return void process.stderr.write('', () => process.exit(0))
  }
  const [{ serve }, { ray }, app] = ready
  const { name, host, port, routePrefix } = options
  const run: RunOptions = { name, host, port, routePrefix, log: true, onEvent: tell }
  const begin = async () => {
    // Nobody can ask this process for a timeline, and it would hold memory. An application may have begun a session itself.
    if (!stopping && !ray.isInitialized()) await ray.init({ timeline: false })
    // What a signal came before has nothing that it could end.
    if (!stopping) await serve.run(scaled(app, options.numReplicas), run)
  }
  const running = begin()
  const signal = await Promise.race([stopped, running.then(() => null)])
  let end: string | Error | null = signal
  if (signal === null) {
    // Whoever watches over this process starts it again; it would answer 503 for ever.
    end = await Promise.race([stopped, import('../ray/session.js').then(({ lost }) => lost())])
    if (end instanceof Error) tell({ level: 'ERROR', source: 'serve', message: 'The cluster is lost.' })
    else tell({ level: 'INFO', source: 'serve', message: 'Draining: running requests are answered, new ones get 503.' })
  } else running.catch(() => {})
  await serve.shutdown()
  await ray.shutdown()
  tell({ level: 'INFO', source: 'serve', message: 'Shut down.' })
  if (end instanceof Error) throw end
}

function settingsOf({ source, model, dtype, address }: ServeOptions): NodeJS.ProcessEnv {
  const variables = { RAYITO_SOURCE: source, RAYITO_MODEL: model, RAYITO_DTYPE: dtype, RAY_ADDRESS: address }
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined))
}

/** A line as Ray's: on stderr, since stdout has the access log. */
function tell({ level, source, message }: ServeEvent): void {
  const now = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000).toISOString()
  process.stderr.write(
    `${level} ${now.slice(0, 10)} ${now.slice(11, 23).replace('.', ',')} ${source} ${process.pid} -- ${message}\n`,
  )
}

async function showStatus({ address }: { address: string }): Promise<void> {
  const url = new URL('/-/status', address)
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) }).catch((cause: Error) => {
    throw new RayitoError('SERVE_UNREACHABLE', `${address} does not answer`, { cause })
  })
  const status = (await response.json().catch(() => null)) as ServeStatus | null
  if (!response.ok || !status?.applications)
    throw new RayitoError('SERVE_UNREACHABLE', `${address} is not a server of rayito's (HTTP ${response.status})`)
  const { stringify } = await import('yaml')
  process.stdout.write(stringify(status))
}

function httpAddress(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text
  throw new InvalidArgumentError('Expected an address that begins with http:// or https://.')
}

function replicas(text: string): number | 'auto' {
  const value = Number(text)
  if (text === 'auto') return text
  if (!Number.isInteger(value) || value < 1 || value > 1_024)
    throw new InvalidArgumentError("Expected a whole number from 1 to 1024, or 'auto'.")
  return value
}
