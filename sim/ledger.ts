/**
 * The ledger: the durable contents of each disk, and the one order of transactions in which all servers apply them.
 *
 * Model     each disk's log is mirrored as it is written. Whatever a server has applied becomes part of the common
 *           history if it is the first to get there, and must agree with it otherwise.
 * Checks    P3 (the i-th applied transaction is the same everywhere), P5 (an applied one is durable there, and on a
 *           majority), P6 (a zxid stands for one transaction, in whichever log), P7 and P8 (counters contiguous, epochs
 *           never fall), P11 (a snapshot that is installed is of a state that was applied), P12 (files give back
 *           what they were given).
 * Cost      a look at one server per event; work in proportion to what is new.
 */
import { SERVER_DEFAULTS } from '../src/backends/embedded/server/config.ts'
import { OpCode } from '../src/backends/wire/codes.ts'
import { decodeTransaction } from '../src/backends/wire/transactions.ts'
import type { MemoryContents } from '../src/backends/embedded/host/storage/memory.ts'
import type { LogEntry, PersistOperation } from '../src/backends/embedded/server/zab/journal.ts'
import type { DiskOperation } from '../src/testing/simulation/disk.ts'
import type { Check } from './check.ts'
import { Violation } from './check.ts'
import { Configurations } from './configurations.ts'
import { Model } from './model.ts'
import type { Replayed } from './model.ts'
import type { CheckedServer, CheckedWorld } from './checked-world.ts'

/** The epoch of a zxid: its upper half. */
export function epochOf(zxid: bigint): number {
  return Number(zxid >> 32n)
}

/** A zxid as the tools of the field print it. */
export function hex(zxid: bigint): string {
  return `0x${zxid.toString(16)}`
}

/** The durable contents of the disk of one server. */
class DiskMirror {
  readonly server: number
  /** The snapshot that was installed before the entries; 0n if none was. */
  base = 0n
  entries: LogEntry[] = []
  acceptedEpoch = 0
  currentEpoch = 0

  constructor(server: number) {
    this.server = server
  }

  /** zxid of the last durable transaction. */
  get lastZxid(): bigint {
    return this.entries.at(-1)?.zxid ?? this.base
  }

  /** How many entries are not after a zxid. */
  countThrough(zxid: bigint): number {
    let low = 0
    let high = this.entries.length
    if (this.lastZxid <= zxid) return high
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.entries[middle]?.zxid ?? 0n) <= zxid) low = middle + 1
      else high = middle
    }
    return low
  }

  /** Whether this transaction is durable here, as an entry or in the snapshot before them. */
  holds(zxid: bigint): boolean {
    return zxid <= this.base || this.entries[this.countThrough(zxid) - 1]?.zxid === zxid
  }
}

/** Told of each transaction when the first server has applied it, and of each state that a server stored. */
export interface LedgerListener {
  /** Called before the model replays it. */
  committing?(entry: LogEntry): void
  committed?(replayed: Replayed): void
  /** An epoch has become a server's current one, durably. */
  entered?(server: number, epoch: number): void
  /** A server has stored, or installed, this state. */
  stored?(server: number, zxid: bigint, state: Uint8Array): void
}

interface Place {
  /** The host of one life of the server. */
  host: object | null
  zxid: bigint
}

/** The ledger of one world. */
export class Ledger implements Check {
  readonly name = 'ledger'
  readonly covers = ['P3', 'P5', 'P6', 'P7', 'P8', 'P11', 'P12']
  readonly model: Model
  readonly mirrors: readonly DiskMirror[]
  readonly #world: CheckedWorld
  readonly #configurations: Configurations
  readonly #counterMax: number
  readonly #listeners: LedgerListener[] = []
  readonly #serverOf: ReadonlyMap<object, CheckedServer>
  /** Every transaction that ever stood in a log. */
  readonly #transactions = new Map<bigint, Uint8Array>()
  /** By zxid, the servers that have ever had it durable, one bit each. */
  readonly #durableOn = new Map<bigint, number>()
  readonly #installed: bigint[]
  /** Everything that any server has applied, in order, and where each zxid stands in it. */
  readonly #committed: LogEntry[] = []
  readonly #indexes = new Map<bigint, number>([[0n, -1]])
  /** The epoch in which the first server that applied it was. */
  readonly #epochsOf: number[] = []
  readonly #places: Place[]

  /** Begins to look at the disks of a world that has not run yet. */
  constructor(world: CheckedWorld) {
    this.#world = world
    this.model = new Model(world.options.server?.localSessions)
    this.#configurations = new Configurations(world)
    this.#counterMax = world.options.server?.epochCounterMax ?? SERVER_DEFAULTS.epochCounterMax
    this.mirrors = world.servers.map(({ id }) => new DiskMirror(id))
    this.#installed = world.servers.map(() => 0n)
    this.#places = world.servers.map(() => ({ host: null, zxid: 0n }))
    this.#serverOf = new Map(world.servers.map((server) => [server.node, server]))
    for (const { id, disk } of world.servers) {
      disk.observer = {
        persisted: (operation) => {
          this.#guard(() => this.persisted(id, operation))
        },
        wiped: () => {
          Object.assign(this.mirror(id), { base: 0n, entries: [], acceptedEpoch: 0, currentEpoch: 0 })
        },
        contradicted: (what) => {
          this.#guard(() => this.#fail(`P12: the files of server ${id} do not give back what it was told: ${what}`))
        },
      }
      this.#carryOver(id, disk.contents)
    }
  }

  /** The disks of an ensemble that is not new hold something before it begins. */
  #carryOver(server: number, { entries, ...promises }: MemoryContents): void {
    if (entries.length === 0) return
    this.persisted(server, { type: 'append', entries })
    this.persisted(server, { type: 'epochs', ...promises })
  }

  /** The disk of a server. */
  mirror(server: number): DiskMirror {
    const mirror = this.mirrors[server - 1]
    if (mirror === undefined) throw new RangeError(`there is no server ${server}`)
    return mirror
  }

  /** The common history. */
  get committed(): readonly LogEntry[] {
    return this.#committed
  }

  /** Whether a transaction is in the common history. */
  isCommitted(zxid: bigint): boolean {
    return this.#indexes.has(zxid)
  }

  /**
   * The last transaction that was committed in an earlier epoch; 0n if there is none. One that a later leader committed
   * does not count, even if it was proposed earlier: a leader of this epoch that is established late need not have it.
   */
  lastCommittedBefore(epoch: number): bigint {
    for (let i = this.#committed.length - 1; i >= 0; i--) {
      if ((this.#epochsOf[i] ?? 0) < epoch) return this.#committed[i]?.zxid ?? 0n
    }
    return 0n
  }

  /** The servers that have, or had, this transaction durable. */
  holdersOf(zxid: bigint): readonly number[] {
    const bits = this.#durableOn.get(zxid) ?? 0
    const holders = this.#world.servers.filter(({ id }) => {
      return (bits & (1 << id)) !== 0 || (this.#installed[id - 1] ?? 0n) >= zxid
    })
    return holders.map(({ id }) => id)
  }

  /** Who votes by the common history. */
  get voters(): readonly number[] {
    return this.#configurations.voters
  }

  /**
   * The voters of whom too few have a transaction of a server's log on their disks for it to be committed.
   *
   * @returns null if there are none
   */
  lacking(server: number, zxid: bigint): readonly number[] | null {
    const last = this.#committed.at(-1)?.zxid ?? 0n
    // A server may say that an entry is committed which its own disk has not got: another one's log has it then.
    const logs = [server, ...this.holdersOf(zxid)].map((id) => this.mirror(id).entries)
    const log = logs.find((entries) => entries.some((entry) => entry.zxid === zxid))
    if (log === undefined) return this.voters
    const open = log.filter((entry) => entry.zxid > last && entry.zxid <= zxid)
    return this.#configurations.lacking(open, (id) => this.holdersOf(id))
  }

  /** The last transaction that is on the disks of a majority; nobody may have applied it yet. */
  get durableZxid(): bigint {
    return this.#unapplied().reduce((last, { zxid }) => max(last, zxid), this.#committed.at(-1)?.zxid ?? 0n)
  }

  /** Whether the end of a session is on the disks of a majority, and nobody has applied it yet. */
  isEnding(sessionId: bigint): boolean {
    return this.#unapplied().some(({ txn }) => {
      const { header } = decodeTransaction(txn)
      return header.type === OpCode.closeSession && header.clientId === sessionId
    })
  }

  /** The transactions that are on the disks of a majority, and that nobody has applied. */
  #unapplied(): readonly LogEntry[] {
    const last = this.#committed.at(-1)?.zxid ?? 0n
    return this.mirrors.flatMap((mirror) => {
      const later = mirror.entries.slice(mirror.countThrough(last))
      return later.filter(({ zxid }) => this.lacking(mirror.server, zxid) === null)
    })
  }

  /** Tells someone of what happens from now on. */
  listen(listener: LedgerListener): void {
    this.#listeners.push(listener)
  }

  /** To be called for each operation that a disk made durable. */
  persisted(server: number, operation: DiskOperation): void {
    const mirror = this.mirror(server)
    switch (operation.type) {
      case 'append':
        for (const entry of operation.entries) this.#append(mirror, entry)
        break
      case 'truncate':
        mirror.entries = mirror.entries.slice(0, mirror.countThrough(operation.zxid))
        break
      case 'install':
        if (!this.#mayInstall(operation.zxid)) {
          this.#fail(`P11: server ${server} installed a state at ${hex(operation.zxid)}, which nobody has applied`)
        }
        mirror.base = operation.zxid
        mirror.entries = []
        this.#installed[server - 1] = max(this.#installed[server - 1] ?? 0n, operation.zxid)
        if (this.isCommitted(operation.zxid)) this.#stored(server, operation.zxid, operation.chunks)
        break
      case 'snapshot':
        this.#stored(server, operation.zxid, operation.chunks)
        break
      case 'epochs':
        this.#epochs(mirror, operation)
        break
    }
  }

  afterEvent(): void {
    const { latest } = this.#world.kernel
    const server = latest === null ? undefined : this.#serverOf.get(latest)
    if (server !== undefined) this.#look(server)
  }

  atEnd(): void {
    for (const server of this.#world.servers) this.#look(server)
  }

  #look(server: CheckedServer): void {
    const host = server.host()
    const place = this.#places[server.id - 1]
    if (host === null || place === undefined) return
    const { zxid, loggedZxid, serving } = host.status()
    if (zxid > loggedZxid) {
      // Whoever keeps the snapshot of a synchronisation that was interrupted is here.
      const end = `the end of its log, ${hex(loggedZxid)}`
      this.#fail(`P11: server ${server.id} applied ${hex(zxid)}, which is behind ${end}`)
    }
    if (place.host === host && place.zxid === zxid) return
    if (this.#isCarriedOver && zxid > (host.inspect?.().confirmedZxid ?? 0n)) return
    if (place.host !== host) {
      place.host = host
      place.zxid = 0n
    }
    const mirror = this.mirror(server.id)
    if (!mirror.holds(zxid)) {
      // A snapshot that was just installed is in memory before it is on the disk; nobody is served from it until it is.
      if (serving) this.#fail(`P5: server ${server.id} applied ${hex(zxid)}, its disk ends at ${hex(mirror.lastZxid)}`)
      return
    }
    if (zxid < place.zxid) this.#fail(`P3: server ${server.id} went from ${hex(place.zxid)} back to ${hex(zxid)}`)
    this.#applied(mirror, place.zxid, zxid)
    place.zxid = zxid
  }

  /** A leader of servers that began on the files of ZooKeepers may have read more than is committed. */
  #mayInstall(zxid: bigint): boolean {
    return this.isCommitted(zxid) || (this.#isCarriedOver && this.#transactions.has(zxid))
  }

  get #isCarriedOver(): boolean {
    return this.#world.options.carriedOver !== undefined
  }

  /** A server has applied what its log holds after `from` up to `zxid`. */
  #applied(mirror: DiskMirror, from: bigint, zxid: bigint): void {
    if (this.#isCarriedOver && !this.isCommitted(mirror.base)) this.#confirmed(mirror)
    const baseIndex = this.#indexes.get(mirror.base)
    if (baseIndex === undefined) {
      this.#fail(`P11: the base ${hex(mirror.base)} of server ${mirror.server} is no common zxid`)
    }
    const end = mirror.countThrough(zxid)
    for (let i = mirror.countThrough(from); i < end; i++) {
      const entry = mirror.entries[i]
      if (entry === undefined) break
      const expected = this.#committed[baseIndex + 1 + i]
      if (expected === undefined) this.#commit(entry, mirror.currentEpoch)
      else if (expected.zxid !== entry.zxid) {
        const before = `where ${hex(expected.zxid)} was applied before`
        this.#fail(`P3: server ${mirror.server} applied ${hex(entry.zxid)} ${before}`)
      }
    }
  }

  /** The state that a server was sent is confirmed by itself first; another one has the log that it stands for. */
  #confirmed({ base }: DiskMirror): void {
    const log = this.mirrors.find((mirror) => mirror.base < base && mirror.holds(base))
    if (log !== undefined) this.#applied(log, 0n, base)
  }

  #commit(entry: LogEntry, epoch: number): void {
    const { zxid } = entry
    const lacking = this.#configurations.lacking([entry], (id) => this.holdersOf(id))
    if (lacking !== null) {
      const holders = `servers ${this.holdersOf(zxid).join(' ')} only, voters are ${lacking.join(' ')}`
      this.#fail(`P5: ${hex(zxid)} was applied when it was durable on ${holders}`)
    }
    this.#configurations.committed(entry)
    this.#indexes.set(zxid, this.#committed.length)
    this.#committed.push(entry)
    this.#epochsOf.push(epoch)
    for (const listener of this.#listeners) listener.committing?.(entry)
    const replayed = this.model.replay(zxid, entry.txn)
    for (const listener of this.#listeners) listener.committed?.(replayed)
  }

  #append(mirror: DiskMirror, entry: LogEntry): void {
    const { zxid, txn } = entry
    const last = mirror.lastZxid
    const isNext = epochOf(zxid) === epochOf(last) ? zxid === last + 1n : epochOf(zxid) > epochOf(last)
    if (!isNext) this.#fail(`P7: server ${mirror.server} logged ${hex(zxid)} behind ${hex(last)}`)
    if (epochOf(zxid) !== epochOf(last) && (zxid & 0xffffffffn) !== 1n) {
      this.#fail(`P7: server ${mirror.server} logged ${hex(zxid)} as the first of its epoch`)
    }
    if ((zxid & 0xffffffffn) > this.#counterMax) {
      this.#fail(`P6: server ${mirror.server} logged ${hex(zxid)}, which the counter of an epoch never reaches`)
    }
    const known = this.#transactions.get(zxid)
    if (known === undefined) this.#transactions.set(zxid, txn)
    else if (known !== txn && !sameBytes(known, txn)) this.#fail(`P6: ${hex(zxid)} stands for two transactions`)
    mirror.entries.push(entry)
    this.#durableOn.set(zxid, (this.#durableOn.get(zxid) ?? 0) | (1 << mirror.server))
  }

  #epochs(mirror: DiskMirror, { acceptedEpoch, currentEpoch }: Extract<PersistOperation, { type: 'epochs' }>): void {
    const falls = acceptedEpoch < mirror.acceptedEpoch || currentEpoch < mirror.currentEpoch
    if (falls || currentEpoch > acceptedEpoch) {
      const before = `accepted ${mirror.acceptedEpoch} and current ${mirror.currentEpoch}`
      const after = `${acceptedEpoch} and ${currentEpoch}`
      throw new Violation('epochs', `P2: server ${mirror.server} went from epochs ${before} to ${after}`)
    }
    const isEntered = currentEpoch > mirror.currentEpoch
    mirror.acceptedEpoch = acceptedEpoch
    mirror.currentEpoch = currentEpoch
    if (isEntered) for (const listener of this.#listeners) listener.entered?.(mirror.server, currentEpoch)
  }

  #stored(server: number, zxid: bigint, chunks: readonly Uint8Array[]): void {
    const state = new Uint8Array(Buffer.concat(chunks))
    for (const listener of this.#listeners) listener.stored?.(server, zxid, state)
  }

  /** A disk works inside its server, which would take a violation for an error of its own. */
  #guard(step: () => void): void {
    try {
      step()
    } catch (error) {
      this.#world.kernel.fail(error)
    }
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}

/** Whether two arrays hold the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || (a.length === b.length && a.every((byte, i) => byte === b[i]))
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
