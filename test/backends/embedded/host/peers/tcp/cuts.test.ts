/** Streams that are cut anywhere, without a network. */
import { Socket } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ElectionConnection } from '../../../../../../src/backends/embedded/host/peers/tcp/election-connection.ts'
import { QuorumConnection } from '../../../../../../src/backends/embedded/host/peers/tcp/quorum-connection.ts'
import { Strangers } from '../../../../../../src/backends/embedded/host/peers/tcp/strangers.ts'
import {
  INITIATION_BYTES_MAX,
  encodeInitiation,
  readInitiation,
} from '../../../../../../src/backends/wire/initiation.ts'
import {
  LEARNER_GREETING_BYTES_MAX,
  readLearnerGreeting,
} from '../../../../../../src/backends/wire/learner-greeting.ts'
import { encodeNotification } from '../../../../../../src/backends/wire/notifications.ts'
import type { Packet } from '../../../../../../src/backends/wire/packets.ts'
import { PeerLink } from '../../../../../../src/backends/wire/peer-link.ts'
import { fromLearner } from '../../../../wire/peer-messages.ts'
import { Link, vote } from './tcp-rig.ts'

const SERVER = 1
const IDENTIFY_MS = 10_000
const cuts = fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 60 })

/** Lets a socket without a network bring bytes in pieces of these lengths, and the rest at once. */
function bring(socket: Socket, bytes: Uint8Array, lengths: readonly number[]): void {
  let at = 0
  for (const length of [...lengths, bytes.length]) {
    const chunk = Buffer.from(bytes.subarray(at, at + length))
    if (chunk.length > 0) socket.emit('data', chunk)
    at += length
  }
}

function frameOf(round: number, configuration: string): Uint8Array {
  const bytes = encodeNotification(vote(round), configuration)
  const head = Buffer.alloc(4)
  head.writeInt32BE(bytes.length)
  return Buffer.concat([head, bytes])
}

describe('a stream that is cut anywhere', () => {
  it('brings the same votes', () => {
    fc.assert(fc.property(fc.array(fc.string({ maxLength: 30 }), { maxLength: 5 }), cuts, (configurations, lengths) => {
      const rounds: number[] = []
      const strangers = new Strangers({
        bytesMax: INITIATION_BYTES_MAX,
        read: readInitiation,
        onKnown: (socket, known, bytes) => {
          const connection = new ElectionConnection(socket, {
            onVote: ({ electionEpoch }) => rounds.push(electionEpoch),
            onMalformed: (reason) => expect.fail(reason),
            onClear: () => undefined,
            onClose: () => undefined,
          })
          connection.receiveBytes(bytes.subarray(known.bytes))
        },
        onDropped: (_address, reason) => expect.fail(reason),
      }, IDENTIFY_MS)
      const socket = new Socket()
      strangers.add(socket)
      bring(socket, Buffer.concat([
        encodeInitiation(SERVER, { host: '127.0.0.1', port: 3_888 }),
        ...configurations.map((configuration, index) => frameOf(index, configuration)),
      ]), lengths)
      strangers.close()
      expect(rounds).toEqual(configurations.map((_, index) => index))
    }))
  })

  it('brings the same packets', () => {
    fc.assert(fc.property(fc.array(fromLearner, { maxLength: 8 }), cuts, (packets, lengths) => {
      const links: Link[] = []
      const strangers = new Strangers({
        bytesMax: LEARNER_GREETING_BYTES_MAX,
        read: readLearnerGreeting,
        onKnown: (socket, _info, bytes) => {
          const owner = { isBehind: () => false, onGone: () => undefined }
          const connection = new QuorumConnection(socket, new PeerLink({ role: 'leader', sid: 2 }), owner)
          const link = new Link(SERVER, connection)
          links.push(link)
          connection.listen(link)
          connection.receiveBytes(bytes)
        },
        onDropped: (_address, reason) => expect.fail(reason),
      }, IDENTIFY_MS)
      const sent: Packet[] = [{ type: 'FOLLOWERINFO', acceptedEpoch: 3 }, ...packets]
      const learner = new PeerLink({ role: 'learner', sid: SERVER })
      const bytes = Buffer.concat(sent.flatMap((packet) => [...learner.encode(packet)]))
      const whole: Packet[] = []
      new PeerLink({ role: 'leader', sid: 2 }).receiveBytes(Uint8Array.from(bytes), (packet) => whole.push(packet))
      const socket = new Socket()
      strangers.add(socket)
      bring(socket, bytes, lengths)
      strangers.close()
      expect(links.map(({ reason }) => reason)).toEqual([undefined])
      expect(links[0]?.packets).toEqual(whole)
      expect(whole.length).toBe(sent.length)
    }))
  })
})
