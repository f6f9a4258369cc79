/** The probes that the lives and the packets of the servers tell of. */
import { epochOf } from '../src/backends/embedded/server/zab/zxid.ts'
import type { ServerEvent } from '../src/backends/embedded/server/ready.ts'
import type { Packet } from '../src/backends/wire/packets.ts'
import type { ProbeName, Probes } from '../src/testing/simulation/probes.ts'
import type { SimServer, World, WorldEvent } from '../src/testing/simulation/world.ts'

/** How far a learner's synchronisation has come. */
interface Synchronisation {
  readonly leader: number
  readonly mode: 'diff' | 'trunc' | 'snap'
  step: 'interrupted' | 'unacknowledged' | 'never-up-to-date'
  newLeaderZxid: bigint
}

const ABDICATIONS: readonly (readonly [pattern: RegExp, probe: ProbeName])[] = [
  [/has accepted epoch/, 'abdicated-to-higher-epoch'],
  [/has seen more/, 'abdicated-to-longer-history'],
  [/is synchronised any more/, 'abdicated-without-majority'],
  [/was synchronised in time/, 'abdicated-unestablished'],
  [/is used up/, 'abdicated-counter-used-up'],
  [/votes again/, 'amnesiac-votes-again'],
]

/** Watches the servers of one world. */
export class ServerProbes {
  readonly #world: World
  readonly #probes: Probes
  readonly #synchronisations = new Map<number, Synchronisation>()
  readonly #acceptedEpochs = new Set<number>()
  readonly #establishedEpochs = new Map<number, number>()
  /** Servers for whose next turn more than one input waits. */
  readonly #batching = new Set<SimServer>()
  #lastEstablished = 0
  #wereAllDown = false

  constructor(world: World, probes: Probes) {
    this.#world = world
    this.#probes = probes
  }

  /** How many leaders were established. */
  get elections(): number {
    return this.#establishedEpochs.size
  }

  /** To be called for each event of a server, as it happens. */
  notice({ server, event }: WorldEvent): void {
    switch (event.type) {
      case 'crashed': return this.#crashed(server)
      case 'disk-error': return this.#diskError(server)
      case 'started': return this.#gaveUp(server)
      case 'looking': return this.#looking(server, event.reason)
      case 'synchronised': return this.#synchronised(server, event)
      case 'rewinding': return this.#probes.hit('rewound')
      case 'serving': return this.#serving(server, event)
      case 'expired': return this.#probes.hit('session-expired')
      case 'audit':
      case 'elected':
      case 'link-dropped':
      case 'client-failed':
      case 'auth-failed':
      case 'session-refused':
      case 'disk-torn':
      case 'read-only':
      case 'reconfigured': return
      case 'damaged': return this.#probes.hit('damage-passed-over')
      case 'torn-tail': return this.#probes.hit('torn-tail-cut')
      case 'set-aside': return this.#probes.hit('files-set-aside')
      case 'disk-full': return this.#probes.hit('disk-was-full')
      case 'disk-has-room': return this.#probes.hit('disk-had-room-again')
      case 'snapshot-skipped': return this.#probes.hit('snapshot-skipped')
    }
  }

  /** To be called for each packet that arrives. */
  packet(from: number, to: number, packet: Packet): void {
    switch (packet.type) {
      case 'LEADERINFO':
        this.#acceptedEpochs.add(packet.epoch)
        break
      case 'DIFF':
      case 'TRUNC':
      case 'SNAP': {
        const mode = packet.type.toLowerCase() as Synchronisation['mode']
        this.#synchronisations.set(to, { leader: from, mode, step: 'interrupted', newLeaderZxid: 0n })
        break
      }
      case 'NEWLEADER':
        this.#newLeader(from, to, packet.zxid)
        break
      case 'ACK': {
        const acked = this.#synchronisations.get(from)
        if (acked !== undefined && packet.zxid === acked.newLeaderZxid) acked.step = 'never-up-to-date'
        break
      }
      case 'COMMIT': {
        const step = this.#synchronisations.get(to)?.step
        if (step !== undefined && step !== 'interrupted') this.#probes.hit('commit-before-up-to-date')
        break
      }
      case 'UPTODATE':
        this.#synchronisations.delete(to)
        break
      case 'REQUEST':
        this.#probes.hit('write-forwarded')
        break
      case 'REVALIDATED':
        this.#probes.hit(packet.valid ? 'session-moved' : 'session-refused')
        break
      default:
    }
  }

  /** To be called after every event. */
  afterEvent(): void {
    const { latest } = this.#world.kernel
    const server = this.#world.servers.find(({ node }) => node === latest)
    if (server === undefined) return
    if ((server.host()?.waitingInputs ?? 0) < 2) this.#batching.delete(server)
    else if (!this.#batching.has(server)) {
      this.#batching.add(server)
      this.#probes.hit('inputs-in-one-turn')
    }
  }

  /** At the end of the run: counts what did not happen. */
  atEnd(): void {
    for (const epoch of this.#acceptedEpochs) {
      if (!this.#establishedEpochs.has(epoch)) this.#probes.hit('epoch-never-established')
    }
  }

  #newLeader(leader: number, learner: number, zxid: bigint): void {
    const sync = this.#synchronisations.get(learner)
    if (sync === undefined) return
    sync.step = 'unacknowledged'
    sync.newLeaderZxid = zxid
    const status = this.#world.server(leader).status()
    const hasProposals = status !== null && status.serving && status.loggedZxid > status.zxid
    if (hasProposals) this.#probes.hit('joiner-with-proposals-in-flight')
  }

  #crashed(id: number): void {
    const server = this.#world.server(id)
    const status = server.status()
    if (status === null) {
      this.#probes.hit('crashed-in-recovery')
      return
    }
    if (status.role === 'LOOKING') this.#probes.hit('crashed-while-looking')
    else if (status.role !== 'LEADING') this.#probes.hit('follower-crashed')
    else this.#leaderCrashed(id, status.loggedZxid > status.zxid)
    const pending = new Set(server.disk.pending.map(({ type }) => type))
    for (const type of pending) this.#probes.hit(`crashed-in-${type}`)
    this.#gaveUp(id)
    if (this.#world.servers.every((other) => other.id === id || other.host() === null)) {
      this.#wereAllDown = true
      this.#probes.hit('all-down')
    }
  }

  #leaderCrashed(id: number, hadProposals: boolean): void {
    this.#probes.hit('leader-crashed')
    if (hadProposals) this.#probes.hit('leader-crashed-with-proposals')
    const synchronising = [...this.#synchronisations.values()].some(({ leader }) => leader === id)
    if (synchronising) this.#probes.hit('leader-crashed-while-learner-synchronised')
  }

  #diskError(id: number): void {
    const isLeader = this.#world.server(id).status()?.role === 'LEADING'
    this.#probes.hit(isLeader ? 'disk-error-of-leader' : 'disk-error-of-follower')
    this.#gaveUp(id)
  }

  #looking(id: number, reason: string): void {
    const probe = ABDICATIONS.find(([pattern]) => pattern.test(reason))?.[1]
    if (probe !== undefined) this.#probes.hit(probe)
    else if (reason !== 'start') this.#probes.hit('learner-lost-leader')
    this.#gaveUp(id)
  }

  #gaveUp(id: number): void {
    const sync = this.#synchronisations.get(id)
    if (sync === undefined) return
    this.#synchronisations.delete(id)
    this.#probes.hit(`${sync.mode}-${sync.step}`)
  }

  #synchronised(id: number, { mode }: Extract<ServerEvent, { type: 'synchronised' }>): void {
    this.#probes.hit(mode === 'DIFF' ? 'sync-diff' : mode === 'TRUNC' ? 'sync-trunc' : 'sync-snap')
    if (mode === 'SNAP' && id > this.#world.voters.length) this.#probes.hit('observer-caught-up-by-snap')
  }

  #serving(id: number, { role, epoch }: Extract<ServerEvent, { type: 'serving' }>): void {
    if (role === 'OBSERVING') this.#probes.hit('observer-synchronised')
    if (role !== 'LEADING') return
    this.#probes.hit('leader-established')
    if (this.#lastEstablished === id) this.#probes.hit('established-again')
    this.#lastEstablished = id
    this.#establishedEpochs.set(epoch, id)
    if (this.#wereAllDown) this.#probes.hit('all-down-and-back')
    this.#wereAllDown = false
    const voters = this.#world.voters.length
    if (voters === 1) this.#probes.hit('single-server')
    if (voters === 7) this.#probes.hit('seven-servers')
    this.#lookForEarlierLeaders(id, epoch)
  }

  #lookForEarlierLeaders(id: number, epoch: number): void {
    for (const other of this.#world.servers) {
      const status = other.status()
      if (other.id === id || status?.role !== 'LEADING' || !status.serving || epochOf(status.zxid) >= epoch) continue
      this.#probes.hit('two-leaders')
      if (other.node.pausedUntilMs > this.#world.kernel.nowMs) this.#probes.hit('leader-paused-and-replaced')
    }
  }
}
