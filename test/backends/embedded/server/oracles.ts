/**
 * Invariants of an ensemble at every step, watched from outside: by an observer that sees every disk, message and
 * reply.
 *
 * P1 one leader per epoch, forever     P3 every server applies the same transactions in the same order
 * P2 epochs on a disk never fall       P4 a new leader has applied everything committed in earlier epochs
 * P5 an ACK promises what is durable   P6 one zxid stands for one transaction, wherever it is logged
 * P10 equal zxid, equal state          P11 a snapshot that is installed is one that somebody applied
 * C3 a session's zxids never fall      C4 a read after a sync sees every write acknowledged before
 * C5 an acknowledged write is logged with its zxid
 */
import { createHash } from 'node:crypto'
import { Err } from '../../../../src/backends/wire/codes.ts'
import type { PeerMessage } from '../../../../src/backends/wire/packets.ts'
import type { ServerMessage } from '../../../../src/backends/wire/records.ts'
import type { LogEntry, PersistOperation } from '../../../../src/backends/embedded/server/zab/journal.ts'
import type { ServerEvent } from '../../../../src/backends/embedded/server/ready.ts'
import { counterOf, epochOf, formatZxid } from '../../../../src/backends/embedded/server/zab/zxid.ts'
import type { Cluster } from './cluster.ts'
import type { TestConnection } from './test-connection.ts'

interface Epochs {
  acceptedEpoch: number
  currentEpoch: number
}

/** Watches one cluster from its beginning. */
export class Oracles {
  readonly #cluster: Cluster
  /** Everything that any server has applied, in order. */
  readonly #applied: bigint[] = []
  readonly #digests = new Map<bigint, string>([])
  readonly #transactions = new Map<bigint, string>()
  /** Each server's log, or in the snapshot before it. */
  readonly #logs = new Map<number, bigint[]>()
  readonly #places = new Map<number, bigint>()
  readonly #leaders = new Map<number, number>()
  readonly #epochs = new Map<number, Epochs>()
  readonly #sessionZxids = new Map<bigint, bigint>()
  /** The highest zxid that was acknowledged when a sync was asked for, by its xid. */
  readonly #syncs = new Map<number, bigint>()
  #acknowledged = 0n

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    cluster.observer = {
      onEvent: (server, event) => this.#onEvent(server, event),
      onPersist: (server, operations) => this.#onPersist(server, operations),
      onSend: (from, to, message) => this.#onSend(from, to, message),
      onReply: (connection, message) => this.#onReply(connection, message),
    }
  }

  /** How many transactions have been applied by at least one server. */
  get appliedCount(): number {
    return this.#applied.length
  }

  /** How many epochs had a leader. */
  get epochCount(): number {
    return this.#leaders.size
  }

  /** The highest zxid of a write that a client knows to be done. */
  get acknowledgedZxid(): bigint {
    return this.#acknowledged
  }

  /** A client sends a sync. */
  syncAsked(xid: number): void {
    this.#syncs.set(xid, this.#acknowledged)
  }

  /** A server has lost everything: its past binds it no more. */
  wiped(server: number): void {
    this.#epochs.delete(server)
    this.#logs.delete(server)
    this.#places.delete(server)
  }

  /** A server's process ended: its state begins again at what its disk holds. */
  crashed(server: number): void {
    this.#places.delete(server)
  }

  /** To be called after each step. */
  check(): void {
    for (const [id, { server }] of this.#cluster.members) {
      const { zxid, serving } = server.status()
      const place = this.#places.get(id) ?? -1n
      // A snapshot that was just installed is not durable before the server is told to serve.
      if (zxid === place || !serving) continue
      demand(zxid > place, () => `P3: server ${id} went back from ${formatZxid(place)} to ${formatZxid(zxid)}`)
      this.#checkApplied(id, zxid, place)
      this.#places.set(id, zxid)
    }
  }

  /** P3, P10: everything up to here on this server's disk is the common history; the state is what others had there. */
  #checkApplied(id: number, zxid: bigint, place: bigint): void {
    const log = this.#logs.get(id) ?? []
    for (let index = log.indexOf(place) + 1; index < log.length; index++) {
      const next = log[index] ?? 0n
      if (next > zxid) break
      const expected = this.#applied[index]
      if (expected === undefined) this.#applied.push(next)
      else demand(expected === next, () => `P3: server ${id} applied ${formatZxid(next)}, not ${formatZxid(expected)}`)
    }
    const isDurable = zxid === 0n || log.includes(zxid)
    demand(isDurable, () => `P5: server ${id} applied ${formatZxid(zxid)}, which is not durable`)
    const digest = digestOf(this.#cluster.server(id).snapshot())
    const known = this.#digests.get(zxid) ?? digest
    demand(known === digest, () => `P10: server ${id} has another state at ${formatZxid(zxid)} than one before it`)
    this.#digests.set(zxid, digest)
  }

  #onEvent(id: number, event: ServerEvent): void {
    if (event.type !== 'serving' || event.role !== 'LEADING') return
    const earlier = this.#leaders.get(event.epoch)
    demand(earlier === undefined, () => `P1: servers ${earlier ?? 0} and ${id} lead epoch ${event.epoch}`)
    this.#leaders.set(event.epoch, id)
    const { zxid } = this.#cluster.server(id).status()
    const missing = this.#applied.find((applied) => epochOf(applied) < event.epoch && applied > zxid)
    const isComplete = missing === undefined
    demand(isComplete, () => `P4: server ${id} leads epoch ${event.epoch} without ${formatZxid(missing ?? 0n)}`)
  }

  #onPersist(id: number, operations: readonly PersistOperation[]): void {
    for (const operation of operations) {
      if (operation.type === 'epochs') this.#checkEpochs(id, operation)
      else if (operation.type === 'append') this.#append(id, operation.entries)
      else if (operation.type === 'truncate') this.#logs.set(id, this.#log(id).filter((zxid) => zxid <= operation.zxid))
      else if (operation.type === 'install') {
        const known = this.#applied.includes(operation.zxid)
        demand(known, () => `P11: a snapshot at ${formatZxid(operation.zxid)}, which nobody applied`)
        this.#logs.set(id, this.#applied.filter((zxid) => zxid <= operation.zxid))
      }
    }
  }

  #append(id: number, entries: readonly LogEntry[]): void {
    const log = this.#log(id)
    for (const { zxid, txn } of entries) {
      const bytes = Buffer.from(txn).toString('latin1')
      const known = this.#transactions.get(zxid) ?? bytes
      demand(known === bytes, () => `P6: ${formatZxid(zxid)} stands for two transactions`)
      this.#transactions.set(zxid, bytes)
      log.push(zxid)
    }
    this.#logs.set(id, log)
  }

  #log(id: number): bigint[] {
    return this.#logs.get(id) ?? []
  }

  #checkEpochs(id: number, { acceptedEpoch, currentEpoch }: Epochs): void {
    const earlier = this.#epochs.get(id) ?? { acceptedEpoch: 0, currentEpoch: 0 }
    const falls = acceptedEpoch < earlier.acceptedEpoch || currentEpoch < earlier.currentEpoch
    const isRight = !falls && currentEpoch <= acceptedEpoch
    demand(isRight, () => `P2: server ${id} has accepted epoch ${acceptedEpoch}, is in ${currentEpoch}`)
    this.#epochs.set(id, { acceptedEpoch, currentEpoch })
  }

  #onSend(from: number, _to: number, message: PeerMessage): void {
    if (message.type !== 'PACKET') return
    const { packet } = message
    const disk = this.#cluster.disk(from)
    const durable = disk.entries.at(-1)?.zxid ?? disk.snapshot?.zxid ?? 0n
    if (packet.type === 'ACK') {
      const holds = counterOf(packet.zxid) === 0 || durable >= packet.zxid
      demand(holds && disk.currentEpoch >= epochOf(packet.zxid), () => {
        const found = `${formatZxid(durable)} and epoch ${disk.currentEpoch}`
        return `P5: server ${from} acknowledged ${formatZxid(packet.zxid)}, durable are ${found}`
      })
    } else if (packet.type === 'LEADERINFO') {
      demand(disk.acceptedEpoch >= packet.epoch, () => `P2: server ${from} proposed epoch ${packet.epoch} too early`)
    }
  }

  #onReply(connection: TestConnection, message: ServerMessage): void {
    if (message.kind !== 'reply') return
    const { xid, zxid, err, body } = message.reply
    const { sessionId, server } = connection
    const earlier = this.#sessionZxids.get(sessionId) ?? 0n
    demand(zxid >= earlier, () => `C3: a session was at ${formatZxid(earlier)}, now at ${formatZxid(zxid)}`)
    this.#sessionZxids.set(sessionId, zxid)
    const required = this.#syncs.get(xid)
    if (required !== undefined) {
      const applied = this.#cluster.server(server).status().zxid
      demand(applied >= required, () => `C4: a sync at ${formatZxid(applied)}, ${formatZxid(required)} was known`)
      this.#syncs.delete(xid)
    }
    const isWrite = err === Err.ok && body !== null && 'path' in body && 'stat' in body
    if (!isWrite) return
    demand(this.#transactions.has(zxid), () => `C5: a reply for ${formatZxid(zxid)}, which nobody has logged`)
    if (zxid > this.#acknowledged) this.#acknowledged = zxid
  }
}


function demand(holds: boolean, broken: () => string): void {
  if (!holds) throw new Error(broken())
}

function digestOf(bytes: Uint8Array): string {
  return createHash('sha1').update(bytes).digest('hex')
}
