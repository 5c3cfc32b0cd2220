import type { HubOptions } from './types.js'

/** The names of HubOptions: whoever takes them among options of its own knows them by these. */
export const HUB_OPTIONS = Object.keys({
  endpoint: true,
  token: true,
  cacheDir: true,
  offline: true,
  refresh: true,
  fetch: true,
  progress: true,
  signal: true,
  idleTimeout: true,
  retries: true,
  retryDelay: true,
} satisfies Record<keyof HubOptions, true>)
