import { homedir } from 'node:os'
import path, { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expected } from './errors.js'

/** The path that an option gives, as itself or as its file URL. @throws RayitoError INVALID_ARGUMENT */
export function pathOf(option: string, given: string | URL): string {
  const isFile = given instanceof URL ? given.protocol === 'file:' : typeof given === 'string' && given !== ''
  if (!isFile) expected(option, 'a path or a file URL', given)
  return String(given).startsWith('file:') ? fileURLToPath(given) : String(given)
}

/** The platform's folder for caches of programs. */
function platformCache(): string {
  if (process.env.XDG_CACHE_HOME) return process.env.XDG_CACHE_HOME
  if (process.platform === 'win32') return process.env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local')
  return process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache')
}

/** Rayito's own cache, absolute: RAYITO_CACHE, else the platform's cache folder/rayito. Read at each call, so that a test may set it. */
export function rayitoCache(): string {
  return resolve(process.env.RAYITO_CACHE || join(platformCache(), 'rayito'))
}

const NAMES = process.platform === 'win32' ? /\$(?:(\w+)|\{(\w+)\})|%(\w+)%/g : /\$(?:(\w+)|\{(\w+)\})/g

/** A path from the environment, as Python reads it where no shell did: `~` at its beginning, `$NAME` and `${NAME}`, of Windows `%NAME%`. */
function expanded(path: string | undefined): string | undefined {
  return path
    ?.replace(/^~(?=[\\/]|$)/, () => homedir())
    .replace(NAMES, (whole, name, braced, windows) => process.env[name ?? braced ?? windows] ?? whole)
}

/** What Python's huggingface_hub keeps: HF_HOME, else ~/.cache/huggingface. */
function hubHome(): string {
  return expanded(process.env.HF_HOME || join(process.env.XDG_CACHE_HOME || join('~', '.cache'), 'huggingface'))!
}

/** The Hub's cache as Python's huggingface_hub finds it: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. */
export function hubCache(): string {
  return expanded(process.env.HF_HUB_CACHE || process.env.HUGGINGFACE_HUB_CACHE) || join(hubHome(), 'hub')
}

/** Where `hf auth login` leaves the token: HF_TOKEN_PATH, else HF_HOME/token. */
export function hubTokenPath(): string {
  return expanded(process.env.HF_TOKEN_PATH) || join(hubHome(), 'token')
}

/** The variables that name files and folders. */
const PLACES = [
  'RAYITO_CACHE',
  'XDG_CACHE_HOME',
  'HF_HOME',
  'HF_HUB_CACHE',
  'HUGGINGFACE_HUB_CACHE',
  'HF_TOKEN_PATH',
  'NATS_SERVER',
  'NATS_CREDS',
  'NATS_CA',
  'NATS_CERT',
  'NATS_KEY',
]

/** An environment for a program that runs in another folder: the paths in it lead where they do from here. */
export function fromHere(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  // `~` and names of variables lead to the same place from everywhere; what is no path is a model of the Hub
  const isRelative = (name: string) =>
    name === 'RAYITO_MODEL' ? /^\.{1,2}([\\/]|$)/.test(env[name]!) : !/^[~$%]/.test(env[name]!)
  const names = [...PLACES, 'RAYITO_MODEL'].filter((name) => env[name] && isRelative(name))
  return { ...env, ...Object.fromEntries(names.map((name) => [name, resolve(env[name]!)])) }
}

/**
 * Whether a file lies in a folder, both absolute and without symbolic links. From one drive of Windows to another no path is relative.
 * @param platform whose paths they are. @default this one's
 */
export function isInside(folder: string, file: string, { relative, isAbsolute, sep } = path): boolean {
  const way = relative(folder, file)
  return way !== '' && !isAbsolute(way) && way.split(sep)[0] !== '..'
}
