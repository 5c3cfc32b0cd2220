import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { type ConnectionOptions, connect, credsAuthenticator, type NatsConnection } from '@nats-io/transport-node'
import { expected } from '../../../core/errors.js'
import { RayError } from '../../errors.js'
import { shown, urlsOf } from './address.js'
import { PING } from './subjects.js'

/** Milliseconds that connecting may take. */
export const CONNECT_TIMEOUT = 5_000

/** A connection that is made again for ever. @throws RayError RAY_CLUSTER_REFUSED, RAY_CLUSTER_UNREACHABLE (rejects) */
export async function dial(address: string, name: string): Promise<NatsConnection> {
  const options = connectionOptions(address)
  try {
    return await connect({
      ...options,
      name,
      timeout: CONNECT_TIMEOUT,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 250,
      reconnectJitter: 100,
      pingInterval: PING,
    })
  } catch (cause) {
    const { name: kind, message } = cause as Error
    if (/authorization|authentication/i.test(`${kind} ${message}`))
      throw new RayError('RAY_CLUSTER_REFUSED', `The NATS server at ${shown(address)} refused the credentials`, {
        cause,
      })
    throw new RayError('RAY_CLUSTER_UNREACHABLE', `No NATS server answers at ${shown(address)}: ${message}`, { cause })
  }
}

/** nats://user:password@host:port, nats://token@host, tls://host; NATS_CREDS, NATS_CA, NATS_CERT and NATS_KEY name files. */
function connectionOptions(address: string): ConnectionOptions {
  const servers = urlsOf(address)
  const [{ username, password, protocol, hostname }] = servers as [URL]
  const { NATS_CREDS, NATS_CA: caFile, NATS_CERT: certFile, NATS_KEY: keyFile } = process.env
  const tls = protocol === 'tls:' || caFile || certFile
  return {
    servers: servers.map(({ host }) => host),
    ...(username && password ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) } : {}),
    ...(username && !password ? { token: decodeURIComponent(username) } : {}),
    ...(NATS_CREDS ? { authenticator: credsAuthenticator(credentials(NATS_CREDS)) } : {}),
    ...(tls ? { tls: { ...addressed(hostname), ...defined({ caFile, certFile, keyFile }) } } : {}),
  }
}

function credentials(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch {
    return expected('NATS_CREDS', 'the path of a file that can be read', file)
  }
}

/** A certificate for an IP address is checked against it: the client names hosts only, and Node then takes it for localhost. */
function addressed(hostname: string): object {
  const host = hostname.replace(/^\[|\]$/g, '')
  return isIP(host) ? { host } : {}
}

function defined<T extends object>(options: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value)) as {
    [K in keyof T]?: NonNullable<T[K]>
  }
}
