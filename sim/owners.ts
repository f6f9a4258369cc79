/**
 * Whose sessions they are: the processes that opened them, and whether that was an operator's.
 *
 * Use       a node of a recipe is changed and deleted by the process that made it, by an operator, or at the end of its
 *           session. Checks of recipes hold every transaction to that.
 */
import type { SimNode } from '../src/testing/simulation/sim-node.ts'
import type { RecordedSession } from './recorded-session.ts'
import type { TapObserver } from './tap.ts'

/** One process of one machine. */
interface Process {
  readonly node: SimNode
  readonly incarnation: number
}

/** Knows the process of every session. */
export class Owners implements TapObserver {
  readonly #processes = new Map<bigint, Process>()
  readonly #operators = new Set<SimNode>()

  /** Names a machine of an operator. */
  addOperator(node: SimNode): void {
    this.#operators.add(node)
  }

  opened(session: Pick<RecordedSession, 'id' | 'node'>): void {
    this.#processes.set(session.id, { node: session.node, incarnation: session.node.incarnation })
  }

  /** Whether a session is an operator's. */
  isOperator(sessionId: bigint): boolean {
    const process = this.#processes.get(sessionId)
    return process !== undefined && this.#operators.has(process.node)
  }

  /** The machine of the process that opened a session; null if it never heard that it did, or has ended. */
  nodeOf(sessionId: bigint): SimNode | null {
    const process = this.#processes.get(sessionId)
    return process?.node.isUp === true && process.node.incarnation === process.incarnation ? process.node : null
  }

  /** Whether a session was opened by a process: by a machine, in one of its lives. */
  isOf(sessionId: bigint, { node, incarnation }: Process): boolean {
    const process = this.#processes.get(sessionId)
    return process?.node === node && process.incarnation === incarnation
  }

  /** Whether two sessions were opened by one process. */
  isSameProcess(one: bigint, other: bigint): boolean {
    if (one === other) return true
    const [a, b] = [this.#processes.get(one), this.#processes.get(other)]
    return a !== undefined && a.node === b?.node && a.incarnation === b.incarnation
  }
}
