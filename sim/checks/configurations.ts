/**
 * Configurations: the one that is in force at a server is committed, and none is followed by an older one there.
 *
 * P13  a server has a configuration in force only if the transaction that makes it is in the common history, and a
 *      server that has applied that transaction has that configuration in force, or a later one.
 */
import { reconfigurationIn } from '../../src/backends/wire/configuration.ts'
import type { LogEntry } from '../../src/backends/embedded/server/zab/journal.ts'
import type { WorldEvent } from '../../src/testing/simulation/world.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import type { CheckedWorld } from '../checked-world.ts'
import { hex } from '../ledger.ts'
import type { Ledger, LedgerListener } from '../ledger.ts'

/** The check of P13. */
export class ConfigurationsCheck implements Check, LedgerListener {
  readonly name = 'configurations'
  readonly covers = ['P13']
  readonly #world: CheckedWorld
  readonly #ledger: Ledger
  /** Versions that servers have said to be in force since the last event. */
  #said: { readonly server: number; readonly version: bigint }[] = []
  /** By server, the version that is in force in its present life. */
  readonly #inForce = new Map<number, bigint>()
  /** Versions of the common history, ascending. */
  readonly #versions: bigint[] = []

  /** Checks the servers of a world, which tells it of its events by {@link notice}. */
  constructor(world: CheckedWorld, ledger: Ledger) {
    this.#world = world
    this.#ledger = ledger
    ledger.listen(this)
    world.watchers.push((happened) => {
      this.#notice(happened)
    })
  }

  committing(entry: LogEntry): void {
    const configuration = reconfigurationIn(entry.txn)
    if (configuration === null) return
    const { version } = configuration
    if (version !== entry.zxid) this.#fail(`${hex(entry.zxid)} makes version ${hex(version)}`)
    this.#versions.push(version)
  }

  afterEvent(): void {
    const said = this.#said
    if (said.length === 0) return
    this.#said = []
    for (const { server, version } of said) {
      if (!this.#ledger.isCommitted(version)) this.#fail(`server ${server} has ${hex(version)} in force, not committed`)
    }
  }

  atEnd(): void {
    for (const server of this.#world.servers) {
      const zxid = server.host()?.status().zxid ?? 0n
      const applied = this.#versions.findLast((version) => version <= zxid) ?? 0n
      const inForce = this.#inForce.get(server.id) ?? 0n
      if (inForce < applied) this.#fail(`server ${server.id} applied ${hex(applied)}, in force is ${hex(inForce)}`)
    }
  }

  #notice({ server, event }: WorldEvent): void {
    if (event.type === 'crashed' || event.type === 'disk-error') this.#inForce.delete(server)
    if (event.type !== 'reconfigured') return
    const { version } = event
    const before = this.#inForce.get(server) ?? 0n
    if (version <= before) this.#fail(`server ${server} has ${hex(version)} in force after ${hex(before)}`)
    this.#inForce.set(server, version)
    this.#said.push({ server, version })
  }

  #fail(message: string): never {
    throw new Violation(this.name, `P13: ${message}`)
  }
}
