import { createHash } from 'node:crypto'
import type { Page } from '../types.js'

/** An HTML page and the headers under which it may run its own scripts, ask this server, and nothing else. */
export interface ServedPage {
  html: string
  headers: Record<string, string>
}

/** @param root the way from its address to the server's root */
export function servedPage({ html: source, contentSecurityPolicy }: Page, root: string): ServedPage {
  const html = typeof source === 'string' ? source : source(root)
  return {
    html,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': contentSecurityPolicy?.() ?? policyOf(html),
      'referrer-policy': 'no-referrer',
      'x-frame-options': 'DENY',
      'cross-origin-opener-policy': 'same-origin',
      'permissions-policy': 'camera=(self), microphone=(), geolocation=()',
      'cache-control': 'no-cache',
    },
  }
}

function policyOf(html: string): string {
  const scripts = [...html.matchAll(/<script\b[^>]*>([\s\S]*?)<\/script>/gi)].map(([, script]) => `'${hash(script!)}'`)
  return [
    "default-src 'none'",
    `script-src ${scripts.join(' ') || "'none'"}`,
    "style-src 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')
}

function hash(script: string): string {
  return `sha256-${createHash('sha256').update(script).digest('base64')}`
}
