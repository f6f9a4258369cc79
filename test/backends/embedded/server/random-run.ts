/**
 * One random life of an ensemble, drawn from a seed: first anything may happen, then everything is repaired and the
 * ensemble has to recover. The same seed gives the same life.
 */
import { CreateFlag, Err, OpCode } from '../../../../src/backends/wire/codes.ts'
import type { ServerConfig } from '../../../../src/backends/embedded/server/config.ts'
import { Cluster } from './cluster.ts'
import { replyOf } from './test-connection.ts'
import type { TestConnection } from './test-connection.ts'
import { Oracles } from './oracles.ts'

const STEPS = 1_500
const RECOVERY_TICKS_MAX = 400
/** After so many, nobody believes in a leader that has lost its majority. */
const STEPDOWN_TICKS = 20
const CONNECTS_MAX = 4
const SHARED_PATHS = 4
/** How many inputs a server gets at most before its output is taken, in lives in which it gets several. */
const TURN_INPUTS_MAX = 5
/** How often all clients ask for something when all is repaired. */
const LAST_ROUNDS = 12
/** How many operations that wait for a disk survive a crash at most. */
const SURVIVORS_MAX = 12
const DELIVERIES_MAX = 20_000

/** How often each thing is done, relative to the others. */
interface Weights {
  deliver: number
  tick: number
  client: number
  flush: number
  hold: number
  release: number
  crash: number
  /** Every server crashes. */
  blackout: number
  restart: number
  partition: number
  heal: number
  breakLink: number
  wipe: number
  /** A server is told that it is about to end; it ends some time later. */
  leave: number
}

/** The figures of a run, so that a test can see that something happened in it. */
export interface RunSummary {
  readonly applied: number
  readonly epochs: number
  readonly acknowledged: number
  readonly counts: Readonly<Record<string, number>>
}

/** Draws a whole number below a limit. */
export type Draw = (limit: number) => number

/** A small generator of chance (mulberry32). */
export function drawFrom(seed: number): Draw {
  let state = seed >>> 0
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}

/** A client of a random life. */
interface Client {
  connection: TestConnection | null
  lastZxid: bigint
  /** How many of the connection's messages have been looked at. */
  seen: number
}

/** One life. */
export class RandomRun {
  readonly cluster: Cluster
  readonly #draw: Draw
  readonly #oracles: Oracles
  readonly #servers: readonly number[]
  readonly #voters: readonly number[]
  readonly #weights: Weights
  readonly #beginsTogether: boolean
  readonly #clients: Client[]
  readonly #creates = new Map<number, string>()
  /** Requests that are not known to be answered, by xid. */
  readonly #asked = new Map<number, { readonly connection: TestConnection; readonly what: string }>()
  readonly #kept: string[] = []
  readonly #counts = new Map<string, number>()
  readonly #leaving = new Set<number>()
  #forgetful: number | null = null
  #partitioned = false
  #lastPath = 0

  constructor(seed: number) {
    this.#draw = drawFrom(seed)
    const { voters, observers, config } = this.#drawShape()
    this.#voters = voters
    this.#servers = [...voters, ...observers]
    this.#beginsTogether = config.beginsTogether === true
    this.cluster = new Cluster(voters, config)
    this.cluster.isTracing = false
    const turnInputsMax = this.#pick([1, TURN_INPUTS_MAX])
    this.cluster.turnInputs = () => 1 + this.#draw(turnInputsMax)
    this.#oracles = new Oracles(this.cluster)
    this.#weights = this.#drawWeights()
    this.#clients = Array.from({ length: 2 + this.#draw(4) }, () => ({ connection: null, lastZxid: 0n, seen: 0 }))
  }

  /**
   * Lives it to its end.
   *
   * @throws Error as soon as something is not as it must be
   */
  run(): RunSummary {
    for (const id of this.#servers) this.cluster.start(id)
    for (let step = 0; step < STEPS; step++) this.#step()
    this.#recover()
    return {
      applied: this.#oracles.appliedCount,
      epochs: this.#oracles.epochCount,
      acknowledged: this.#kept.length,
      counts: Object.fromEntries(this.#counts),
    }
  }

  #drawShape(): { voters: number[]; observers: number[]; config: Partial<ServerConfig> } {
    const voterCount = this.#pick([1, 3, 3, 5])
    const voters = Array.from({ length: voterCount }, (_, index) => index + 1)
    const observers = this.#draw(2) === 0 ? [] : [voterCount + 1]
    const config = {
      initLimitTicks: 20,
      syncLimitTicks: 8,
      pingTicks: 2,
      notificationTicksMax: 8,
      commitLogCount: this.#pick([1, 3, 500]),
      commitLogBytes: this.#pick([100, 1_000, 0x100_0000]),
      snapCount: this.#pick([3, 20, 100_000]),
      snapLogBytes: this.#pick([300, 0x400_0000]),
      beginsTogether: voterCount > 1 && this.#draw(2) === 0,
      epochCounterMax: this.#pick([12, 0xffff_ffff, 0xffff_ffff]),
    }
    return { voters, observers, config }
  }

  /** Each kind of trouble is there or not, and then much or little of it. */
  #drawWeights(): Weights {
    const heat = this.#pick([1, 1, 4])
    const some = (often: number): number => this.#pick([0, often / 4, often]) * heat
    const hold = some(12)
    const crash = some(6)
    const partition = some(4)
    return {
      deliver: 600,
      tick: this.#pick([60, 120]),
      client: this.#pick([40, 120]),
      flush: 60,
      hold,
      release: hold,
      crash,
      blackout: crash / 8,
      restart: 8 * heat,
      partition,
      heal: partition,
      breakLink: some(8),
      wipe: some(1),
      leave: some(6),
    }
  }

  #step(): void {
    const entries = Object.entries(this.#weights) as [keyof Weights, number][]
    const total = entries.reduce((sum, [, weight]) => sum + weight, 0)
    let drawn = (this.#draw(1_000_000) / 1_000_000) * total
    const [action] = entries.find(([, weight]) => (drawn -= weight) < 0) ?? entries[0] ?? ['tick']
    if (this.#act(action)) this.#counts.set(action, (this.#counts.get(action) ?? 0) + 1)
    this.#afterStep()
  }

  #afterStep(): void {
    this.#oracles.check()
    for (const client of this.#clients) this.#read(client)
    const { members } = this.cluster
    const forgetful = this.#forgetful === null ? undefined : members.get(this.#forgetful)?.server.status()
    if (forgetful?.serving === true && forgetful.role !== 'OBSERVING') this.#forgetful = null
  }

  /** @returns whether anything happened */
  #act(action: keyof Weights): boolean {
    const { cluster } = this
    const up = [...cluster.members.keys()].sort((a, b) => a - b)
    const down = this.#servers.filter((id) => !cluster.members.has(id))
    switch (action) {
      case 'deliver': {
        const pairs = cluster.pairs()
        const pair = pairs[this.#draw(pairs.length)]
        return pair !== undefined && cluster.deliver(pair.from, pair.to)
      }
      case 'client':
        return this.#useClient(this.#pick(this.#clients), up)
      case 'partition':
        return this.#partition()
      case 'heal':
        if (this.#partitioned) cluster.network.heal()
        this.#partitioned = false
        return true
      case 'restart':
        return this.#with(down, (id) => cluster.start(id))
      case 'tick':
        return this.#with(up, (id) => cluster.tickOne(id))
      case 'flush':
        return this.#with(up, (id) => cluster.flushDisk(id, 1 + this.#draw(3)))
      case 'hold':
        return this.#with(up, (id) => cluster.holdDisk(id))
      case 'release':
        return this.#with(up, (id) => cluster.releaseDisk(id))
      case 'crash':
        return this.#with(up, (id) => this.#crash(id, this.#draw(2) * this.#draw(SURVIVORS_MAX)))
      case 'blackout':
        for (const id of up) this.#crash(id, this.#draw(2) * this.#draw(SURVIVORS_MAX))
        return true
      case 'breakLink':
        // Messages that a partition holds back cannot be lost as well.
        return !this.#partitioned && this.#with(up, (id) => cluster.breakLink(id, this.#pick(this.#servers)))
      case 'wipe':
        return this.#forgetful === null && this.#with(up.filter((id) => this.#isWipeable(id)), (id) => this.#wipe(id))
      case 'leave':
        return this.#with(up, (id) => this.#leave(id))
      default:
        return false
    }
  }

  #with(ids: readonly number[], action: (id: number) => void): boolean {
    const id = ids[this.#draw(ids.length)]
    if (id !== undefined) action(id)
    return id !== undefined
  }

  /** Tells a server that it is about to end; one that was told before ends, whether it has left or not. */
  #leave(id: number): void {
    if (this.#leaving.has(id)) this.#crash(id, this.#draw(2) * this.#draw(SURVIVORS_MAX))
    else {
      this.cluster.leave(id)
      this.#leaving.add(id)
    }
  }

  #crash(id: number, survivors: number): void {
    this.#leaving.delete(id)
    this.cluster.crash(id, survivors)
    this.#oracles.crashed(id)
  }

  /**
   * Until the first epoch there is nothing to forget but votes, and a bootstrap is trusted not to be interrupted by a
   * wipe; of servers that begin together the others have to remember that they may vote. Nobody could give a single
   * voter back what it lost.
   */
  #isWipeable(id: number): boolean {
    const isOnlyVoter = this.#voters.length === 1 && this.#voters.includes(id)
    if (isOnlyVoter) return false
    if (!this.#beginsTogether) return this.cluster.disk(id).currentEpoch > 0
    return this.#voters.every((voter) => voter === id || this.cluster.disk(voter).votes)
  }

  #wipe(id: number): void {
    this.#crash(id, 0)
    this.cluster.wipe(id)
    this.#oracles.wiped(id)
    if (this.#voters.includes(id)) this.#forgetful = id
  }

  #partition(): boolean {
    const groups: number[][] = [[], []]
    for (const id of this.#servers) groups[this.#draw(2)]?.push(id)
    this.cluster.network.partition(groups)
    this.#partitioned = true
    return true
  }

  // Clients

  #useClient(client: Client, up: readonly number[]): boolean {
    const { cluster } = this
    const { connection } = client
    if (connection === null || connection.closed) {
      const resumes = connection !== null && connection.sessionId !== 0n && this.#draw(4) > 0
      return this.#with(up, (id) => {
        client.connection = resumes ? cluster.connect(id, connection, client.lastZxid) : cluster.connect(id)
        if (!resumes) client.lastZxid = 0n
        client.seen = 0
      })
    }
    if (connection.sessionId === 0n || !connection.received.some(({ kind }) => kind === 'connect')) {
      if (this.#draw(20) === 0) cluster.hangUp(connection)
      return true
    }
    this.#request(connection)
    return true
  }

  #request(connection: TestConnection): void {
    const { cluster } = this
    const shared = `/shared-${this.#draw(SHARED_PATHS)}`
    switch (this.#draw(12)) {
      case 0:
      case 1:
        this.#oracles.syncAsked(this.#ask(connection, { op: OpCode.sync, body: { path: '/' } }))
        break
      case 2:
        this.#ask(connection, { op: OpCode.getData, body: { path: shared, watch: true } })
        break
      case 3:
        this.#ask(connection, { op: OpCode.getChildren2, body: { path: '/', watch: true } })
        break
      case 4:
        if (this.#draw(4) === 0) this.#ask(connection, { op: OpCode.closeSession, body: null })
        else if (this.#draw(2) === 0) cluster.hangUp(connection)
        break
      case 5:
      case 6:
        this.#askToCreate(connection, shared, CreateFlag.ephemeral)
        break
      case 7:
        this.#ask(connection, { op: OpCode.delete, body: { path: shared, version: -1 } })
        break
      default: {
        this.#lastPath += 1
        const path = `/kept-${this.#lastPath}`
        this.#creates.set(this.#askToCreate(connection, path, CreateFlag.persistent), path)
      }
    }
  }

  #ask(connection: TestConnection, request: Parameters<Cluster['request']>[1]): number {
    const xid = this.cluster.request(connection, request)
    this.#asked.set(xid, { connection, what: `op ${request.op} at server ${connection.server}` })
    return xid
  }

  #askToCreate(connection: TestConnection, path: string, flags: number): number {
    const xid = this.cluster.create(connection, path, flags)
    this.#asked.set(xid, { connection, what: `create ${path} at server ${connection.server}` })
    return xid
  }

  #read(client: Client): void {
    const { connection } = client
    if (connection === null) return
    for (; client.seen < connection.received.length; client.seen++) {
      const message = connection.received[client.seen]
      if (message?.kind !== 'reply') continue
      const { xid, err, zxid } = message.reply
      client.lastZxid = zxid
      const path = this.#creates.get(xid)
      if (path !== undefined && err === Err.ok) this.#kept.push(path)
    }
  }

  // The end

  /** With everything repaired, all servers must serve again, and hold the same: everything that was acknowledged. */
  #recover(): void {
    const { cluster } = this
    if (this.#partitioned) cluster.network.heal()
    for (const id of [...cluster.members.keys()]) cluster.releaseDisk(id)
    // Who is about to end votes for nobody; so it ends.
    for (const id of this.#servers) if (this.#leaving.has(id)) this.#crash(id, 0)
    for (const id of this.#servers) if (!cluster.members.has(id)) cluster.start(id)
    for (let ticks = 0; ticks < STEPDOWN_TICKS; ticks++) this.#tickAll()
    this.#untilAllServe()
    this.#checkAnswers()
    for (let round = 0; round < LAST_ROUNDS; round++) this.#goRound()
    this.#request(this.#connect(this.#pick(this.#servers)))
    this.#deliverAll()
    for (const id of this.#servers) this.#checkKept(id)
    this.#untilAllServe()
    const [first, ...others] = this.#servers.map((id) => Buffer.from(cluster.server(id).snapshot()))
    const isEqual = first !== undefined && others.every((other) => other.equals(first))
    if (!isEqual) throw new Error('P10: the states differ at the end')
  }

  /** Each client asks for something about the time of a tick: nothing waits for the next one. */
  #goRound(): void {
    for (const client of this.#clients) {
      this.#useClient(client, this.#servers)
      if (this.#draw(2) === 0) this.cluster.tickOne(this.#pick(this.#servers))
    }
    this.#deliverAll()
    this.#checkAnswers()
  }

  #checkAnswers(): void {
    for (const [xid, { connection, what }] of this.#asked) {
      if (!connection.closed && replyOf(connection, xid) === undefined) throw new Error(`V1: ${what} is not answered`)
    }
    this.#asked.clear()
  }

  /** Connects, where every server serves; once more if an epoch's counter was used up just then. */
  #connect(id: number): TestConnection {
    for (let attempt = 0; attempt < CONNECTS_MAX; attempt++) {
      this.#untilAllServe()
      const connection = this.cluster.connect(id)
      this.#deliverAll()
      if (!connection.closed && connection.sessionId !== 0n) return connection
    }
    throw new Error(`V1: server ${id} serves, and connects nobody`)
  }

  #untilAllServe(): void {
    const { cluster } = this
    this.#deliverAll()
    for (let count = 0; !this.#servers.every((id) => cluster.server(id).status().serving); count++) {
      if (count > RECOVERY_TICKS_MAX) throw new Error(`V1: not all serve:\n${cluster.status().join('\n')}`)
      this.#tickAll()
    }
  }

  #tickAll(): void {
    for (const id of this.#servers) this.cluster.tickOne(id)
    this.#deliverAll()
  }

  #deliverAll(): void {
    for (let count = 0; this.cluster.deliverOne(); count++) {
      this.#afterStep()
      if (count > DELIVERIES_MAX) throw new Error(`no rest after ${DELIVERIES_MAX} messages`)
    }
  }

  #checkKept(id: number): void {
    const reader = this.#connect(id)
    const paths = new Map(this.#kept.map((path) => {
      return [this.cluster.request(reader, { op: OpCode.exists, body: { path, watch: false } }), path]
    }))
    this.#deliverAll()
    for (const message of reader.received) {
      if (message.kind === 'reply' && message.reply.err === Err.ok) paths.delete(message.reply.xid)
    }
    if (paths.size > 0) throw new Error(`acknowledged, and not at server ${id}: ${[...paths.values()].join(', ')}`)
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#draw(items.length)] as T
  }
}
