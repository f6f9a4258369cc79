/**
 * The leftovers when everything has come to rest.
 *
 * R1   a client's process whose sessions were all closed has no timer set.
 * R3   the tables of a server that serves hold what the replay holds: its nodes and sessions, and no watch of a
 *      connection that is not there.
 */
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { hex } from '../ledger.ts'
import type { Ledger } from '../ledger.ts'
import type { SimNode } from '../../src/testing/simulation/sim-node.ts'
import type { RecordedSession } from '../recorded-session.ts'
import type { Tap, TapObserver } from '../tap.ts'
import type { CheckedWorld } from '../checked-world.ts'

export class LeftoversCheck implements Check, TapObserver {
  readonly name = 'leftovers'
  readonly covers = ['R1', 'R3']
  readonly #world: CheckedWorld
  readonly #ledger: Ledger
  /** By process, its latest session. */
  readonly #sessions = new Map<SimNode, RecordedSession>()

  /** Checks what a world leaves. */
  constructor(world: CheckedWorld, ledger: Ledger, tap: Tap) {
    this.#world = world
    this.#ledger = ledger
    tap.observe(this)
  }

  opened(session: RecordedSession): void {
    this.#sessions.set(session.node, session)
  }

  atEnd(): void {
    for (const [{ name, timerCount }, { isAlive, state }] of this.#sessions) {
      if (!isAlive || state.status !== 'closed' || timerCount === 0) continue
      this.#fail(`R1: ${name} has closed its session and left ${timerCount} timers`)
    }
    for (const server of this.#world.servers) {
      const status = server.host()?.status()
      const { model } = this.#ledger
      if (status?.serving !== true || status.zxid !== model.zxid) continue
      const { nodes, sessions, watches, connections } = status
      const where = `R3: server ${server.id} at ${hex(status.zxid)}`
      if (nodes !== model.nodeCount) this.#fail(`${where} has ${nodes} nodes, expected ${model.nodeCount}`)
      if (sessions !== model.sessionCount) {
        this.#fail(`${where} has ${sessions} sessions, expected ${model.sessionCount}`)
      }
      if (connections === 0 && watches > 0) this.#fail(`${where} has ${watches} watches of nobody`)
    }
  }

  #fail(message: string): never {
    throw new Violation(this.name, message)
  }
}
