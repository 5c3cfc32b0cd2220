import { homedir } from 'node:os'
import { join } from 'node:path'

/** The platform's folder for caches of programs. */
function platformCache(): string {
  if (process.env.XDG_CACHE_HOME) return process.env.XDG_CACHE_HOME
  if (process.platform === 'win32') return process.env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local')
  return process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache')
}

/** Rayito's own cache: RAYITO_CACHE, else the platform's cache folder/rayito. Read at each call, so that a test may set it. */
export function rayitoCache(): string {
  return process.env.RAYITO_CACHE || join(platformCache(), 'rayito')
}

/** The Hub's cache as Python's huggingface_hub finds it: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub. */
export function hubCache(): string {
  const home = process.env.HF_HOME || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface')
  return process.env.HF_HUB_CACHE || join(home, 'hub')
}
