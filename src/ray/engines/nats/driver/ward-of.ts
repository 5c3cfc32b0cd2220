import type { Actor } from '../../../actor.js'
import type { NetActor } from '../messages.js'
import { wholeArguments } from '../outgoing.js'
import { encodeWard } from '../wards.js'
import type { DriverSide } from './driver-side.js'
import type { NodePeer } from './node-peer.js'

/** What starts a detached actor again when its driver is gone; null where nothing would, or it is too large. */
export function wardOf(
  { creation }: Actor,
  actor: NetActor,
  node: NodePeer,
  { lease, bus }: DriverSide,
): Uint8Array | null {
  if (!actor.detached || actor.maxRestarts === 0) return null
  const args = wholeArguments(creation)
  // Refs and handles in its arguments go with their driver.
  if (args?.some(([, content]) => content[2].length) !== false) return null
  const ward = encodeWard({ actor: { ...actor, creation: { ...actor.creation, args } }, lease, node: node.id })
  return ward.length <= bus!.maxPayload ? ward : null
}
