/**
 * Replicas: equal histories make equal states, in memory and on disks.
 *
 * P10   states at one zxid are the same bytes on every server: each that is stored or installed during the run, and
 *       each that is in memory at its end.
 * P11   a server holds the result of a replay of the common history: its nodes, stats, data and sessions.
 * P12   a disk gives the same twice, and gives back the log that was written to it.
 */
import { State } from '../../src/backends/embedded/server/state/state.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex, sameBytes } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'
import { sameStat } from '../stats.ts'
import type { CheckedServer, CheckedWorld } from '../checked-world.ts'

/** States that are kept to compare later ones of the same zxid with. */
const STATES_KEPT = 64
/** A replay is compared with every so manieth state that is stored, and with all at the end. */
const REPLAYS_EVERY = 8

export class ReplicasCheck implements Check, LedgerListener {
  readonly name = 'replicas'
  readonly covers = ['P10', 'P11', 'P12']
  readonly #world: CheckedWorld
  readonly #ledger: Ledger
  readonly #states = new Map<bigint, Uint8Array>()
  #stored = 0

  /** Checks the states of a world. */
  constructor(world: CheckedWorld, ledger: Ledger) {
    this.#world = world
    this.#ledger = ledger
    ledger.listen(this)
  }

  stored(server: number, zxid: bigint, state: Uint8Array): void {
    this.#compare(server, zxid, state)
    this.#stored += 1
    if (this.#stored % REPLAYS_EVERY === 1) this.#compareWithReplay(server, zxid, state)
  }

  atEnd(): void {
    for (const server of this.#world.servers) {
      this.#checkRecovery(server)
      const host = server.host()
      if (host === null) continue
      const { zxid } = host.status()
      // Until it has a leader, a server that began on the files of a ZooKeeper shows what was never committed, too.
      if (this.#world.options.carriedOver !== undefined && !this.#ledger.isCommitted(zxid)) continue
      const state = host.snapshot()
      this.#compare(server.id, zxid, state)
      this.#compareWithReplay(server.id, zxid, state)
    }
  }

  #compare(server: number, zxid: bigint, state: Uint8Array): void {
    const known = this.#states.get(zxid)
    if (known === undefined) this.#states.set(zxid, state)
    else if (!sameBytes(known, state)) this.#fail(`P10: server ${server} has another state at ${hex(zxid)} than others`)
    const oldest = this.#states.keys().next()
    if (this.#states.size > STATES_KEPT && oldest.done !== true) this.#states.delete(oldest.value)
  }

  #compareWithReplay(server: number, zxid: bigint, state: Uint8Array): void {
    const { model } = this.#ledger
    const { tree, sessions, lastZxid } = State.restore(state)
    const where = `server ${server} at ${hex(zxid)}`
    if (lastZxid !== zxid) this.#fail(`P11: the state of ${where} says ${hex(lastZxid)}`)
    let count = 0
    for (const path of model.pathsEver()) {
      const expected = model.node(path, zxid)
      const found = tree.data(path)
      if (expected === null && found === null) continue
      count += 1
      if (expected === null || found === null) this.#fail(`P11: ${where} is wrong about whether ${path} is there`)
      if (!sameStat(found.stat, model.stat(path, zxid))) this.#fail(`P11: ${where} has another stat of ${path}`)
      const isSameData = sameBytes(found.data ?? new Uint8Array(), expected.data)
      if (!isSameData) this.#fail(`P11: ${where} has other data of ${path}`)
    }
    if (tree.nodeCount !== count) this.#fail(`P11: ${where} has ${tree.nodeCount} nodes, expected ${count}`)
    for (const [id, { openedZxid, closedZxid, timeoutMs }] of model.sessions) {
      const isOpen = openedZxid <= zxid && (closedZxid === null || closedZxid > zxid)
      const found = sessions.get(id)
      if (isOpen !== (found !== undefined)) this.#fail(`P11: ${where} is wrong about whether session ${id} is open`)
      if (found !== undefined && found.timeoutMs !== timeoutMs) {
        this.#fail(`P11: ${where} has another time-out of session ${id}`)
      }
    }
  }

  #checkRecovery({ id, disk }: CheckedServer): void {
    const mirror = this.#ledger.mirror(id)
    const first = disk.contents
    const second = disk.contents
    const from = first.snapshot?.zxid ?? 0n
    const expected = mirror.entries.slice(mirror.countThrough(from))
    const isSame = [first, second].every(({ entries, snapshot, acceptedEpoch, currentEpoch }) => {
      const isSameLog = entries.length === expected.length && entries.every(({ zxid }, i) => zxid === expected[i]?.zxid)
      const isSameEpochs = acceptedEpoch === mirror.acceptedEpoch && currentEpoch === mirror.currentEpoch
      return isSameLog && isSameEpochs && (snapshot?.zxid ?? 0n) === from
    })
    if (!isSame) this.#fail(`P12: the disk of server ${id} does not give back what was written to it`)
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
