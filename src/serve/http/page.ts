import { createHash } from 'node:crypto'

/** An HTML page and the headers under which it may run its own scripts, ask this server, and nothing else. */
export interface ServedPage {
  html: string
  headers: Record<string, string>
}

export function servedPage(html: string): ServedPage {
  const scripts = [...html.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/gi)].map(([, script]) => `'${hash(script!)}'`)
  const policy = [
    "default-src 'none'",
    `script-src ${scripts.join(' ') || "'none'"}`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data: blob:",
    'media-src blob:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ]
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
      'permissions-policy': 'camera=(self), microphone=(), geolocation=()',
      'cache-control': 'no-cache',
    },
  }
}

function hash(script: string): string {
  return `sha256-${createHash('sha256').update(script).digest('base64')}`
}
