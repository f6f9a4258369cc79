/**
 * How messages between servers, and what happens in a server, are written down in a trace.
 */
import type { Packet, PeerMessage } from '../../../../src/backends/wire/packets.ts'
import type { ServerEvent } from '../../../../src/backends/embedded/server/ready.ts'
import { epochOf, formatZxid } from '../../../../src/backends/embedded/server/zab/zxid.ts'

/** One line for a message. */
export function formatMessage(message: PeerMessage): string {
  if (message.type === 'PACKET') return formatPacket(message.packet)
  const { leader, zxid, peerEpoch, electionEpoch, state } = message
  return `NOTIFICATION ${state} round ${electionEpoch} vote (${leader}, ${formatVoteZxid(zxid)}, epoch ${peerEpoch})`
}

/** Decimal inside the first epoch, as the textbooks have it. */
function formatVoteZxid(zxid: bigint): string {
  return epochOf(zxid) === 0 ? zxid.toString() : formatZxid(zxid)
}

function formatPacket(packet: Packet): string {
  switch (packet.type) {
    case 'FOLLOWERINFO':
    case 'OBSERVERINFO':
      return `${packet.type} accepted epoch ${packet.acceptedEpoch}`
    case 'LEADERINFO':
      return `LEADERINFO epoch ${packet.epoch}`
    case 'ACKEPOCH':
      return `ACKEPOCH current epoch ${packet.currentEpoch} last ${formatZxid(packet.lastZxid)}`
    case 'REVALIDATE':
    case 'REVALIDATED':
    case 'REQUEST':
    case 'SNAPCHUNK':
    case 'SNAPACK':
    case 'UPTODATE':
    case 'SYNC':
    case 'SYNCED':
    case 'PING':
      return packet.type
    default:
      return `${packet.type} ${formatZxid(packet.zxid)}`
  }
}

/** One line for an event. */
export function formatEvent(event: ServerEvent): string {
  switch (event.type) {
    case 'looking':
      return `looking, round ${event.round}: ${event.reason}`
    case 'elected': {
      const { leader, zxid, peerEpoch } = event.vote
      const vote = `(${leader}, ${formatVoteZxid(zxid)}, epoch ${peerEpoch})`
      return `elected ${vote} in round ${event.round}, supported by ${event.supporters.join(', ')}`
    }
    case 'synchronised':
      return `synchronised by ${event.mode} from ${formatZxid(event.from)}`
    case 'rewinding':
      return `rewinding from ${formatZxid(event.applied)} to ${formatZxid(event.to)}`
    case 'serving':
      return `serving, ${event.role}, epoch ${event.epoch}`
    case 'read-only':
      return `read-only up to ${formatZxid(event.zxid)}`
    case 'reconfigured':
      return `reconfigured: ${event.text.replaceAll('\n', ' ')}`
    case 'audit':
      return `${event.operation} ${event.path ?? ''}: ${event.err}`
    case 'auth-failed':
      return `refused a client of ${event.scheme}: ${event.reason}`
    case 'expired':
      return 'expired a session'
    case 'session-refused':
      return `refused ${event.address} a session`
    case 'link-dropped':
      return `dropped the link to ${event.peer}: ${event.reason}`
    case 'client-failed':
      return `failed a client: ${String(event.error)}`
  }
}
