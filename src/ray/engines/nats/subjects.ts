/** What travels where on the server. */
export const STREAM = 'RAYITO_TASKS'
/** Frames between two peers. */
export const toPeer = (to: string, from: string) => `rayito.to.${to}.${from}`
/** Tasks of a driver that need so many thousandths of a CPU. */
export const tasksOf = (driver: string, milliCpus: number | '>') => `rayito.task.${driver}.${milliCpus}`
/** The driver whose they are. */
export const driverOf = (subject: string) => subject.split('.')[2]!
export const ALL_TASKS = 'rayito.task.>'
/** Whoever pulls tasks of that size, from any driver. */
export const consumerOf = (milliCpus: number) => ({
  durable: `cpu-${milliCpus}`,
  filter: `rayito.task.*.${milliCpus}`,
})

/** Whoever hears it gives a sign of life at once. */
export const HELLO = 'rayito.hello'
/** Whoever hears it ends what runs and leaves. */
export const STOP = 'rayito.stop'

/** Buckets: who lives; what outlives drivers. */
export const LEASES = 'rayito-leases'
export const STATE = 'rayito-state'
/** Key of a named actor: names may be anything, keys may not. */
export const nameKey = (namespace: string, name: string) =>
  `name.${Buffer.from(namespace).toString('base64url') || '_'}.${Buffer.from(name).toString('base64url')}`

export const NAMES = 'name.>'

/** Key of what it takes to start a detached actor again. */
export const wardKey = (actor: string) => `ward.${actor}`

/** Milliseconds between two signs of life. */
export const BEAT = 1_000
/** Milliseconds between two pings of the server: by so much one may notice later than another that it is gone, and be back later. */
export const PING = 10_000
/** Milliseconds that the bucket keeps a sign of life. */
export const LEASE_TTL = 30_000
/** Milliseconds of silence after which a node is lost; a driver may be busy for longer. */
export const NODE_PATIENCE = 6_000
export const DRIVER_PATIENCE = 15_000
/** Milliseconds after which a task that nobody reports as running is delivered again. */
export const ACK_WAIT = 8_000
/** Milliseconds without anybody who asks after which the consumer of a size is dropped; it is made again when needed. */
export const CONSUMER_IDLE = 24 * 3600 * 1000
/** Milliseconds without the server after which a driver gives up. */
export const SERVER_PATIENCE = 60_000
/** Why a server that answers may store nothing. */
export const FULL = 'its disk, or what it may store (max_file_store), may be full'
