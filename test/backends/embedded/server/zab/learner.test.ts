/** A learner of a leader of ZooKeeper: what it takes from one, and when it is silent. */
import { describe, expect, it } from 'vitest'
import type { Packet } from '../../../../../src/backends/wire/packets.ts'
import { SERVER_DEFAULTS } from '../../../../../src/backends/embedded/server/config.ts'
import { Journal, NOTHING_RECOVERED } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import type { Recovered } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import { Learner } from '../../../../../src/backends/embedded/server/zab/learner.ts'
import type { LearnerHost, LearnerStart } from '../../../../../src/backends/embedded/server/zab/learner.ts'
import { Outbox } from '../../../../../src/backends/embedded/server/zab/outbox.ts'
import { zxidOf } from '../../../../../src/backends/embedded/server/zab/zxid.ts'

const [LEARNER, LEADER, LINK] = [3, 2, 1]
const NO_BYTES = new Uint8Array()
const HOST: LearnerHost = {
  receiveSnapshot: () => ({ write: () => undefined, finish: () => null }),
  appliedZxid: () => 0n,
  confirmedZxid: () => 0n,
  takeTouched: () => [],
}
const START: LearnerStart = { leader: LEADER, votes: true, committedZxid: 0n, uncountedTicks: 0, needsState: false }
const INFO: Packet = { type: 'LEADERINFO', epoch: 1, dialect: 'zookeeper' }

/** A learner that has heard these packets, and what it has sent. */
function learnerThatHeard(
  packets: readonly Packet[],
  recovered: Partial<Recovered> = {},
  start: Partial<LearnerStart> = {},
  host = HOST,
): { readonly learner: Learner; readonly sent: () => Packet[] } {
  const outbox = new Outbox()
  const config = { ...SERVER_DEFAULTS, myid: LEARNER, voters: [1, 2, 3], bootstrap: true }
  const journal = new Journal({ ...NOTHING_RECOVERED, ...recovered })
  const learner = new Learner(config, journal, outbox, host, { ...START, ...start })
  learner.linkOpened(LEADER, LINK)
  for (const packet of packets) learner.receivePacket(LEADER, LINK, packet)
  const sent = (): Packet[] => outbox.sendAfterPersist.flatMap(({ message }) => {
    return message.type === 'PACKET' ? [message.packet] : []
  })
  return { learner, sent }
}

function proposal(counter: number): Packet {
  return { type: 'PROPOSAL', zxid: zxidOf(1, counter), txn: NO_BYTES }
}

describe('a learner of a leader of ZooKeeper', () => {
  const newLeader: Packet = { type: 'NEWLEADER', zxid: zxidOf(1, 0) }
  const begun: Packet[] = [INFO, { type: 'DIFF', zxid: 0n }]
  it.each<[string, readonly Packet[]]>([
    ['in the history', [...begun, proposal(1), proposal(3)]],
    ['in the stream', [...begun, newLeader, proposal(1), proposal(3)]],
    ['before a commit', [...begun, newLeader, proposal(1), { type: 'COMMIT', zxid: zxidOf(1, 2) }]],
    ['before a cut', [INFO, { type: 'TRUNC', zxid: 5n }, newLeader]],
  ])('gives up at a gap %s, and wants a state; with a leader of ours it would stop the server', (_, packets) => {
    const { learner } = learnerThatHeard(packets)
    expect([learner.failure, learner.needsState]).toEqual([expect.stringContaining('is asked for its state'), true])
    expect(() => learnerThatHeard([{ type: 'LEADERINFO', epoch: 1 }, ...packets.slice(1)])).toThrow()
  })

  /** A learner that has applied this much as it read its files, and knows this much to be committed. */
  function hostAt(applied: number, confirmed: number): LearnerHost {
    return { ...HOST, appliedZxid: () => zxidOf(1, applied), confirmedZxid: () => zxidOf(1, confirmed) }
  }

  const from = (base: number): Partial<Recovered> => ({ acceptedEpoch: 1, currentEpoch: 1, base: zxidOf(1, base) })
  const cut = (base: number): Packet[] => [{ type: 'TRUNC', zxid: zxidOf(1, base) }, proposal(base + 1)]
  const second: Packet[] = [{ ...INFO, epoch: 2 }]
  const leads: Packet = { type: 'NEWLEADER', zxid: zxidOf(2, 0) }

  it.each([true, false])('undoes what it read from its files and nobody confirmed; its votes count: %s', (votes) => {
    for (const info of [second, [{ type: 'LEADERINFO', epoch: 2 } as const]]) {
      const early = learnerThatHeard([...info, ...cut(3)], from(5), { votes }, hostAt(5, 0)).learner
      expect([early.failure, early.rewindTo]).toEqual([null, null])
      const { learner } = learnerThatHeard([...info, ...cut(3), leads], from(5), { votes }, hostAt(5, 3))
      expect([learner.rewindTo, learner.needsState]).toEqual([zxidOf(1, 3), false])
      expect(learner.failure).toMatch(/^TRUNC to .*read from the files/)
    }
  })

  it('undoes nothing that it knows to be committed, nor replaces it by a state from before', () => {
    const state: Packet[] = [{ type: 'SNAP', zxid: zxidOf(1, 3) }, { type: 'SNAPCHUNK', bytes: NO_BYTES, isLast: true }]
    for (const packets of [cut(3), state]) {
      const { learner } = learnerThatHeard([...second, ...packets, leads], from(5), {}, hostAt(5, 4))
      expect([learner.rewindTo, learner.needsState]).toEqual([null, true])
      const ours: Packet[] = [{ type: 'LEADERINFO', epoch: 2 }, ...packets, leads]
      expect(() => learnerThatHeard(ours, from(5), {}, hostAt(5, 4))).toThrow(/is applied/)
    }
  })

  it('takes a state from before what it has read from its files, and knows no more to be committed', () => {
    const state: Packet[] = [{ type: 'SNAP', zxid: zxidOf(1, 3) }, { type: 'SNAPCHUNK', bytes: NO_BYTES, isLast: true }]
    const packets = [...second, ...state, proposal(4), leads]
    const { learner } = learnerThatHeard(packets, from(5), { committedZxid: zxidOf(1, 5) }, hostAt(5, 0))
    expect([learner.failure, learner.committedZxid]).toEqual([null, zxidOf(1, 3)])
    expect(learner.synchronisation).toEqual({ mode: 'SNAP', from: zxidOf(1, 3) })
  })

  it('begins again where it said that its log ends, if its leader has no state either', () => {
    const packets: Packet[] = [INFO, { type: 'DIFF', zxid: 0n }, newLeader]
    const host = { ...hostAt(2, 0), confirmedZxid: () => 0n }
    const { learner } = learnerThatHeard(packets, from(2), { needsState: true }, host)
    expect([learner.rewindTo, learner.failure]).toEqual([0n, expect.stringContaining('read from the files')])
  })

  it('gets a state by saying that it has nothing, which it says in no election', () => {
    const entries = [{ zxid: zxidOf(1, 1), txn: NO_BYTES }]
    const saidBy = (acceptedEpoch: number): unknown => {
      return learnerThatHeard([INFO], { acceptedEpoch, entries }, { needsState: true }).sent().at(-1)
    }
    expect(saidBy(1)).toEqual({ type: 'ACKEPOCH', currentEpoch: -1, lastZxid: 0n })
    expect(saidBy(0)).toEqual({ type: 'ACKEPOCH', currentEpoch: 0, lastZxid: zxidOf(1, 1) })
  })

  it('is silent, if it has no vote, until nobody can count a promise that it has forgotten', () => {
    const { learner, sent } = learnerThatHeard([INFO], {}, { votes: false, uncountedTicks: 3 })
    const types = [1, 2, 3].map(() => {
      learner.tick()
      return sent().at(-1)?.type
    })
    expect(types).toEqual(['OBSERVERINFO', 'OBSERVERINFO', 'ACKEPOCH'])
  })
})
