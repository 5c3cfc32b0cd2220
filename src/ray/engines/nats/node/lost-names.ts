import type { Bus } from '../bus.js'
import { liveLeases } from '../live-leases.js'
import type { NameRecord } from '../name-record.js'
import { forget, MARKER_TTL } from '../state.js'
import { NAMES, STATE, wardKey } from '../subjects.js'

/** Milliseconds between two looks at all names. */
const LOOK = 600_000

/**
 * Names of actors that went with their node and their driver at once: whoever asks for one frees it, and those that nobody
 * asks for are freed after a while, in which a node that was cut off may be back with its actor.
 */
export class LostNames {
  /** Since when they are seen to be lost, by the actors' ids. */
  #since: ReadonlyMap<string, number> = new Map()
  #timer: NodeJS.Timeout | null = null

  constructor(
    private readonly bus: Bus,
    private readonly patience = MARKER_TTL,
  ) {}

  follow(): void {
    // The server is away: looked at again later.
    this.#timer = setInterval(() => void this.look().catch(() => {}), LOOK).unref()
  }

  async look(): Promise<void> {
    const { state, jsm } = this.bus
    const prefix = `$KV.${STATE}.`
    const info = await jsm.streams.info(`KV_${STATE}`, { subjects_filter: prefix + NAMES })
    const live = new Set((await liveLeases(this.bus)).map(({ id }) => id))
    const now = performance.now()
    const since = new Map<string, number>()
    for (const subject of Object.keys(info.state.subjects ?? {})) {
      const key = subject.slice(prefix.length)
      const entry = await state.get(key)
      if (entry?.operation !== 'PUT') continue
      const { id, owner, node } = entry.json<NameRecord>()
      if (live.has(owner) || (node !== null && live.has(node))) continue
      // Some node will start it again.
      if ((await state.get(wardKey(id)))?.operation === 'PUT') continue
      const first = this.#since.get(id) ?? now
      if (now - first < this.patience) since.set(id, first)
      else await forget(state, key, entry.revision).catch(() => {})
    }
    this.#since = since
  }

  end(): void {
    if (this.#timer) clearInterval(this.#timer)
  }
}
