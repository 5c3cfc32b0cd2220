import type { JetStreamManager, StreamUpdateConfig } from '@nats-io/jetstream'
import type { KV, Kvm } from '@nats-io/kv'
import type { NameRecord } from './name-record.js'
import { STATE, wardKey } from './subjects.js'

/** Milliseconds that the server remembers what was forgotten: whoever was cut off for less hears of it. */
export const MARKER_TTL = 3_600_000

/** The bucket of what outlives drivers. */
export async function openState(kvm: Kvm, jsm: JetStreamManager): Promise<KV> {
  const state = await kvm.create(STATE, { history: 1, markerTTL: MARKER_TTL })
  // One that is there already is opened as it is. (The client's types do not know that these can be changed.)
  const markers = { allow_msg_ttl: true, subject_delete_marker_ttl: MARKER_TTL * 1e6 } as Partial<StreamUpdateConfig>
  if ((await state.status()).markerTTL === 0) await jsm.streams.update(`KV_${STATE}`, markers)
  return state
}

/**
 * Takes a key out of the state; what stands for it from then on goes, too, by and by.
 * @param revision the only one that is taken out; rejects where there is another by now
 */
export async function forget(state: KV, key: string, revision?: number): Promise<void> {
  await state.purge(key, { ttl: `${MARKER_TTL / 1000}s`, ...(revision && { previousSeq: revision }) })
}

/** Frees the name of an actor that has ended, unless another has it by now. */
export async function forgetName(state: KV, id: string, key: string): Promise<void> {
  const entry = await state.get(key)
  if (entry?.operation === 'PUT' && entry.json<NameRecord>().id === id) await forget(state, key, entry.revision)
}

/** The same, and takes out what would start it again. */
export async function forgetActor(state: KV, id: string, key: string | null): Promise<void> {
  if (key) await forgetName(state, id, key)
  await forget(state, wardKey(id))
}
