/**
 * A learner is brought to the leader's history from wherever it was, also when that is interrupted at any packet.
 */
import { describe, expect, it } from 'vitest'
import { Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import type { Packet } from '../../../../../src/backends/wire/packets.ts'
import { SERVER_DEFAULTS } from '../../../../../src/backends/embedded/server/config.ts'
import type { ServerConfig } from '../../../../../src/backends/embedded/server/config.ts'
import { Journal, NOTHING_RECOVERED } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import { Learner } from '../../../../../src/backends/embedded/server/zab/learner.ts'
import type { LearnerHost } from '../../../../../src/backends/embedded/server/zab/learner.ts'
import { Outbox } from '../../../../../src/backends/embedded/server/zab/outbox.ts'
import { zxidOf } from '../../../../../src/backends/embedded/server/zab/zxid.ts'
import { Cluster } from '../cluster.ts'
import { replyOf } from '../test-connection.ts'
import { Oracles } from '../oracles.ts'

const VOTERS = [1, 2, 3]
/** The learner that all of this is about; it led before. */
const LEARNER = 3
const OTHERS = [1, 2]
const TICKS_MAX = 400
/** More than what waits for a learner's disk when it has been synchronised. */
const OPERATIONS_MAX = 12

/**
 * How far a learner's log is from the leader's, how that comes about, and how it is brought back if nothing happens.
 */
interface LagClass {
  readonly name: string
  readonly mode: 'DIFF' | 'TRUNC' | 'SNAP'
  readonly config?: Partial<ServerConfig>
  readonly prepare: (world: World) => void
}

/** Forgets old entries soon, so that a learner needs a snapshot. */
const SHORT_MEMORY = { commitLogCount: 2, snapCount: 4 }

const LAG_CLASSES: readonly LagClass[] = [
  { name: 'lacks nothing', mode: 'DIFF', prepare: (world) => world.lose() },
  {
    name: 'lacks a little',
    mode: 'DIFF',
    prepare: (world) => {
      world.lose()
      world.write(3)
    },
  },
  {
    name: 'lacks more than the leader remembers',
    mode: 'SNAP',
    config: SHORT_MEMORY,
    prepare: (world) => {
      world.lose()
      world.write(20)
    },
  },
  { name: 'has what nobody else has', mode: 'TRUNC', prepare: (world) => world.diverge() },
  {
    name: 'has what nobody else has, and lacks a little',
    mode: 'TRUNC',
    prepare: (world) => {
      world.diverge()
      world.write(3)
    },
  },
  {
    name: 'has what nobody else has, and lacks more than the leader remembers',
    mode: 'SNAP',
    config: SHORT_MEMORY,
    prepare: (world) => {
      world.diverge()
      world.write(20)
    },
  },
  {
    name: 'has lost its storage',
    mode: 'DIFF',
    prepare: (world) => {
      world.lose()
      world.write(2)
      world.wipe()
    },
  },
  {
    name: 'has lost its storage, and the leader does not remember the beginning',
    mode: 'SNAP',
    config: SHORT_MEMORY,
    prepare: (world) => {
      world.lose()
      world.write(20)
      world.wipe()
    },
  },
]

/** Three servers with a few writes behind them, and a client who remembers what was acknowledged. */
class World {
  readonly cluster: Cluster
  readonly #oracles: Oracles
  readonly #acknowledged: string[] = []
  #lastPath = 0

  constructor(config: Partial<ServerConfig> = {}) {
    this.cluster = new Cluster(VOTERS, config)
    this.cluster.isTracing = false
    this.#oracles = new Oracles(this.cluster)
    this.cluster.startAll(VOTERS)
    this.write(3)
  }

  get leader(): number {
    return this.cluster.leader() ?? 0
  }

  /** Creates nodes through the leader, each acknowledged before the next. */
  write(count: number): void {
    const { cluster } = this
    const client = cluster.client(this.leader)
    for (let i = 0; i < count; i++) {
      this.#lastPath += 1
      const path = `/n${this.#lastPath}`
      const xid = cluster.create(client, path)
      cluster.run()
      expect(replyOf(client, xid)?.err).toBe(Err.ok)
      this.#acknowledged.push(path)
    }
    this.#oracles.check()
  }

  /** Lets the oracles see where the servers are. */
  look(): void {
    this.#oracles.check()
  }

  /** The learner goes down, and the others elect another leader. */
  lose(): void {
    this.cluster.crash(LEARNER)
    this.#oracles.crashed(LEARNER)
    this.#untilOthersServe()
  }

  #untilOthersServe(): void {
    this.cluster.tickUntil(() => this.leader !== 0 && OTHERS.every((id) => this.cluster.server(id).status().serving))
  }

  /** While it still leads, the learner logs writes that reach nobody; then it goes down. */
  diverge(): void {
    const { cluster } = this
    const client = cluster.client(LEARNER)
    cluster.network.partition([OTHERS, [LEARNER]])
    for (const path of ['/lost-1', '/lost-2']) cluster.create(client, path)
    cluster.run()
    expect(cluster.server(LEARNER).status().loggedZxid).toBe(cluster.server(LEARNER).status().zxid + 2n)
    cluster.tickUntil(() => cluster.server(LEARNER).status().role === 'LOOKING')
    cluster.crash(LEARNER)
    this.#oracles.crashed(LEARNER)
    cluster.network.heal()
    this.#untilOthersServe()
  }

  wipe(): void {
    this.cluster.wipe(LEARNER)
    this.#oracles.wiped(LEARNER)
  }

  /**
   * Starts the learner and lets it synchronise until it has received so many packets of the leader; then something
   * happens.
   *
   * @returns false if it was up to date before
   */
  interrupt(packets: number, interruption: 'link' | 'crash'): boolean {
    const { cluster } = this
    let received = 0
    cluster.intercept = (from, to, message) => {
      if (message.type === 'PACKET' && from === this.leader && to === LEARNER) received += 1
      return true
    }
    cluster.start(LEARNER)
    for (let ticks = 0; received < packets; ) {
      if (cluster.server(LEARNER).status().serving || ticks > TICKS_MAX) return false
      if (cluster.deliverOne()) continue
      for (const id of VOTERS) cluster.tickOne(id)
      ticks += 1
    }
    if (interruption === 'link') cluster.breakLink(this.leader, LEARNER)
    else {
      cluster.crash(LEARNER)
      this.#oracles.crashed(LEARNER)
    }
    return true
  }

  /** The learner accepts the leader's epoch and gets its history, and nothing of that history is durable yet. */
  synchroniseInMemory(): void {
    const { cluster } = this
    cluster.start(LEARNER)
    while (cluster.server(LEARNER).status().role === 'LOOKING') {
      if (!cluster.deliverOne()) for (const id of VOTERS) cluster.tickOne(id)
    }
    cluster.holdDisk(LEARNER)
    // Its FOLLOWERINFO waits for the disk, and so does its promise of the epoch.
    for (let wait = 0; wait < 2; wait++) {
      cluster.run()
      cluster.flushDisk(LEARNER)
    }
    cluster.run()
    expect(this.modes()).toHaveLength(1)
  }

  /** The learner goes down when so many operations that waited for its disk are durable. */
  crashAfter(operations: number): void {
    this.cluster.crash(LEARNER, operations)
    this.#oracles.crashed(LEARNER)
  }

  /** Lets everything recover, and looks whether every server holds the same, and everything that was acknowledged. */
  expectWhole(): void {
    const { cluster } = this
    if (!cluster.members.has(LEARNER)) cluster.start(LEARNER)
    cluster.run()
    cluster.tickUntil(() => VOTERS.every((id) => cluster.server(id).status().serving))
    this.write(1)
    expect(new Set(VOTERS.map((id) => Buffer.from(cluster.server(id).snapshot()).toString('hex'))).size).toBe(1)
    const reader = cluster.client(LEARNER)
    for (const path of ['/lost-1', '/lost-2', ...this.#acknowledged]) {
      const xid = cluster.request(reader, { op: OpCode.exists, body: { path, watch: false } })
      expect([path, replyOf(reader, xid)?.err]).toEqual([path, path.startsWith('/lost') ? Err.noNode : Err.ok])
    }
  }

  modes(): readonly string[] {
    const { events } = this.cluster
    const own = events.filter(({ server }) => server === LEARNER)
    return own.flatMap(({ event }) => (event.type === 'synchronised' ? [event.mode] : []))
  }
}

/** A learner alone, that has accepted this epoch. */
function newLearner(acceptedEpoch: number, outbox: Outbox): Learner {
  const config = { ...SERVER_DEFAULTS, myid: LEARNER, voters: VOTERS, bootstrap: true }
  const host: LearnerHost = {
    receiveSnapshot: () => ({ write: () => undefined, finish: () => null }),
    appliedZxid: () => 0n,
    confirmedZxid: () => 0n,
    takeTouched: () => [],
  }
  const journal = new Journal({ ...NOTHING_RECOVERED, acceptedEpoch })
  const start = { leader: 2, votes: true, committedZxid: 0n, uncountedTicks: 0, needsState: false }
  return new Learner(config, journal, outbox, host, start)
}

/** A learner alone, that has accepted this epoch and heard these packets. */
function learnerThatHeard(acceptedEpoch: number, packets: readonly Packet[]): Learner {
  const learner = newLearner(acceptedEpoch, new Outbox())
  learner.linkOpened(2, 1)
  for (const packet of packets) learner.receivePacket(2, 1, packet)
  return learner
}

describe('a learner that hears what it should not', () => {
  const discovered: Packet[] = [{ type: 'LEADERINFO', epoch: 1 }]
  const begun: Packet[] = [...discovered, { type: 'DIFF', zxid: 0n }]
  const synchronised: Packet[] = [...begun, { type: 'NEWLEADER', zxid: zxidOf(1, 0) }]
  const unexpected: readonly (readonly [string, readonly Packet[]])[] = [
    ['a proposal before the epoch', [{ type: 'PROPOSAL', zxid: 1n, txn: new Uint8Array() }]],
    ['NEWLEADER before the epoch', [{ type: 'NEWLEADER', zxid: zxidOf(1, 0) }]],
    ['UPTODATE before NEWLEADER', [...discovered, { type: 'UPTODATE' }]],
    ['a commit before the synchronisation', [...discovered, { type: 'COMMIT', zxid: 0n }]],
    ['NEWLEADER before the synchronisation', [...discovered, { type: 'NEWLEADER', zxid: zxidOf(1, 0) }]],
    ['NEWLEADER of another epoch', [...begun, { type: 'NEWLEADER', zxid: zxidOf(2, 0) }]],
    ['two synchronisations', [...begun, { type: 'TRUNC', zxid: 0n }]],
    ['a synchronisation after NEWLEADER', [...synchronised, { type: 'DIFF', zxid: 0n }]],
    ['an epoch after NEWLEADER', [...synchronised, { type: 'LEADERINFO', epoch: 2 }]],
  ]
  for (const [name, packets] of unexpected) {
    it(`gives up: ${name}`, () => {
      expect(learnerThatHeard(0, packets.slice(0, -1)).failure).toBeNull()
      expect(learnerThatHeard(0, packets).failure).not.toBeNull()
    })
  }

  it('follows no leader of an epoch before the one that it has accepted', () => {
    expect(learnerThatHeard(7, [{ type: 'LEADERINFO', epoch: 6 }]).failure).toContain('epoch 7 is accepted')
    expect(learnerThatHeard(7, [{ type: 'LEADERINFO', epoch: 7 }]).failure).toBeNull()
  })

  it('dials its leader, and introduces itself on the first link to it that is there', () => {
    const outbox = new Outbox()
    const learner = newLearner(0, outbox)
    expect([outbox.dials, outbox.sendAfterPersist]).toEqual([[2], []])
    learner.linkOpened(1, 6)
    learner.linkOpened(2, 7)
    learner.linkOpened(2, 8)
    const message = { type: 'PACKET', link: 7, packet: { type: 'FOLLOWERINFO', acceptedEpoch: 0 } }
    expect(outbox.sendAfterPersist).toEqual([{ to: 2, message }])
    // The others were dialled in earlier attempts.
    expect(outbox.closeLinks).toEqual([{ peer: 1, link: 6 }, { peer: 2, link: 8 }])
    learner.unreachable(2)
    expect(learner.failure).toBe(null)
  })

  it('gives up if its leader cannot be reached', () => {
    const outbox = new Outbox()
    const learner = newLearner(0, outbox)
    learner.unreachable(1)
    expect(learner.failure).toBe(null)
    learner.unreachable(2)
    expect(learner.failure).toBe('server 2 cannot be reached')
    learner.close()
    expect(outbox.closeLinks).toEqual([])
  })

  it('does not listen to another link', () => {
    const learner = learnerThatHeard(0, discovered)
    learner.receivePacket(2, 99, { type: 'UPTODATE' })
    learner.receivePacket(1, 1, { type: 'UPTODATE' })
    learner.linkClosed(2, 99)
    expect([learner.failure, learner.isUpToDate]).toEqual([null, false])
    learner.linkClosed(2, 1)
    expect(learner.failure).toBe('server 2 closed the link')
  })
})

describe('a leader', () => {
  it('stays in office when a server comes that has logged more than was ever committed', () => {
    const world = new World()
    world.diverge()
    const { leader } = world
    const { epoch } = world.cluster.server(leader).status()
    world.expectWhole()
    expect([world.leader, world.cluster.server(leader).status().epoch]).toEqual([leader, epoch])
  })

  it('that is not established gives up when a follower has seen more, rather than cut it off', () => {
    const cluster = new Cluster(VOTERS)
    cluster.fillLog(3, 5)
    for (const id of OTHERS) cluster.start(id)
    const isElected = (): boolean => OTHERS.every((id) => cluster.server(id).status().role !== 'LOOKING')
    while (!isElected()) if (!cluster.deliverOne()) for (const id of OTHERS) cluster.tickOne(id)
    expect(cluster.server(2).status()).toMatchObject({ role: 'LEADING', serving: false })
    expect(cluster.disk(2).acceptedEpoch, 'an epoch is chosen with a majority').toBe(0)
    cluster.start(3)
    // The packets of server 1 come last.
    for (let pair = first(); pair !== undefined; pair = first()) cluster.deliver(pair.from, pair.to)
    function first(): { from: number; to: number } | undefined {
      return cluster.pairs().find(({ from, to }) => from !== 1 || to !== 2)
    }
    expect(cluster.trace).toContain('2: looking, round 2: server 3 has seen more: epoch 0, zxid 0x5')
    cluster.run()
    cluster.tickUntil(() => VOTERS.every((id) => cluster.server(id).status().serving))
    expect(cluster.leader()).toBe(3)
    for (const id of VOTERS) expect(cluster.server(id).status().zxid).toBe(5n)
  })
})

describe('a learner', () => {
  for (const { name, mode, config, prepare } of LAG_CLASSES) {
    it(`that ${name} is synchronised by ${mode}`, () => {
      const world = new World(config)
      prepare(world)
      world.expectWhole()
      expect(world.modes()[0]).toBe(mode)
    })

    for (const interruption of ['link', 'crash'] as const) {
      const event = interruption === 'link' ? 'its link breaks' : 'it crashes'
      it(`that ${name} catches up if ${event} after any packet of the synchronisation`, () => {
        let packets = 1
        for (let more = true; more; packets++) {
          const world = new World(config)
          prepare(world)
          more = world.interrupt(packets, interruption)
          world.expectWhole()
        }
        expect(packets).toBeGreaterThan(4)
      })
    }
  }

  for (const { name, config, prepare } of LAG_CLASSES) {
    it(`that ${name} has the leader's epoch durable only after the leader's history, wherever it stops`, () => {
      const logged = new Set<boolean>()
      for (let operations = 0; operations <= OPERATIONS_MAX; operations++) {
        const world = new World(config)
        prepare(world)
        const { cluster, leader } = world
        const { epoch, zxid } = cluster.server(leader).status()
        const before = cluster.disk(LEARNER).currentEpoch
        world.synchroniseInMemory()
        world.crashAfter(operations)
        const disk = cluster.disk(LEARNER)
        expect([before, epoch]).toContain(disk.currentEpoch)
        const last = disk.entries.at(-1)?.zxid ?? disk.snapshot?.zxid ?? 0n
        if (disk.currentEpoch === epoch) expect(last).toBeGreaterThanOrEqual(zxid)
        logged.add(disk.currentEpoch === epoch)
        world.expectWhole()
      }
      expect(logged.size, 'its disk stops before and after the epoch').toBe(2)
    })
  }

  it('that joins while proposals are on their way gets each of them once, and what was committed before', () => {
    const world = new World()
    world.lose()
    const { cluster } = world
    const client = cluster.client(world.leader)
    cluster.start(LEARNER)
    for (let i = 0; !cluster.server(LEARNER).status().serving; i++) {
      cluster.create(client, `/during-${i}`)
      if (!cluster.deliverOne()) cluster.tick()
    }
    world.expectWhole()
    expect(cluster.server(LEARNER).status().zxid).toBe(cluster.server(world.leader).status().zxid)
  })

  it('may take longer for a state than a silent one may for everything', () => {
    const world = new World(SHORT_MEMORY)
    world.lose()
    const { cluster, leader } = world
    world.write(20)
    cluster.start(LEARNER)
    const isOnItsWay = ({ from, to }: { from: number; to: number }): boolean => from === leader && to === LEARNER
    for (let i = 0; !cluster.server(LEARNER).status().serving; i++) {
      expect(i).toBeLessThan(1_000)
      cluster.deliver(leader, LEARNER)
      for (let tick = 0; tick < 0.4 * SERVER_DEFAULTS.initLimitTicks; tick++) {
        cluster.tickOne(leader)
        for (let pair = cluster.pairs().find((other) => !isOnItsWay(other)); pair !== undefined;) {
          cluster.deliver(pair.from, pair.to)
          pair = cluster.pairs().find((other) => !isOnItsWay(other))
        }
        world.look()
      }
    }
    expect(world.modes().at(-1)).toBe('SNAP')
    expect(world.modes().length).toBe(1)
    world.expectWhole()
  })

  it('keeps nothing of a snapshot whose synchronisation was interrupted', () => {
    const world = new World(SHORT_MEMORY)
    world.lose()
    const { cluster } = world
    const before = cluster.disk(LEARNER)
    world.write(20)
    for (let packets = 1; ; packets++) {
      expect(world.interrupt(packets, 'crash')).toBe(true)
      // LEADERINFO may have been accepted; SNAP and what follows leave no trace before NEWLEADER.
      const { snapshot, entries, currentEpoch } = cluster.disk(LEARNER)
      if (currentEpoch > before.currentEpoch) break
      expect({ snapshot, entries }).toEqual({ snapshot: before.snapshot, entries: before.entries })
      expect(packets).toBeLessThan(10)
    }
    world.expectWhole()
  })
})
