/**
 * Mutants of the transport between servers: the connection rule of the election port, and the frames on it.
 */
import type { Mutant } from './mutant.ts'

const ELECTION_PORT = 'backends/embedded/host/peers/tcp/election-port.ts'
const FRAMING = 'backends/wire/framing.ts'

/** Mutants of connections between servers. */
export const PEER_MUTANTS: readonly Mutant[] = [
  {
    name: 'cut-frame-taken-whole',
    breaks: 'The part of a frame that one read brings counts as the whole of it.',
    kin: 'readers of every age that take one read of a socket for one message',
    edits: [{
      file: FRAMING,
      from: 'start + this.#lengthAt(chunk, offset)',
      to: 'Math.min(chunk.length, start + this.#lengthAt(chunk, offset))',
    }],
    profile: 'sockets',
    expected: { seeds: 20, seedsWithoutAssertions: 20, likely: 1 },
  },
  {
    name: 'smaller-server-not-dialled-back',
    breaks: 'The greater server closes the connection of the smaller one, and does not dial it.',
    kin: 'QuorumCnxManager.handleConnection, its second half left out',
    edits: [{ file: ELECTION_PORT, from: 'peer.dialBack()', to: 'void 0' }],
    profile: 'sockets',
    expected: { seeds: 40, seedsWithoutAssertions: 40, likely: 5 },
  },
  {
    name: 'any-connection-kept',
    breaks: 'A server keeps the connection that a smaller one has opened, which that one has ended.',
    kin: 'the rule of QuorumCnxManager honoured at one end only',
    edits: [{ file: ELECTION_PORT, from: 'if (sid > this.#options.myid)', to: 'if (true)' }],
    profile: 'sockets',
    expected: { seeds: 80, seedsWithoutAssertions: 80, likely: 17 },
  },
]
