/**
 * A multi whose checks of a creation are made by the right to write (owned-nodes.ts).
 *
 * Model     a check that is followed by a set of the same node needs nothing of its own: the set is refused where the
 *           check would be. One that is followed by a deletion becomes a write of no data ahead of it.
 */
import type { Operation, OperationResult } from '../../core/backend.ts'

const NO_BYTES = new Uint8Array()
const ANY_VERSION = -1

type Check = Extract<Operation, { readonly type: 'check' }>
type CreationCheck = Check & { readonly czxid: bigint }

/** One operation that is sent. */
interface Part {
  readonly operation: Operation
  /** The index of the operation whose result it gives; null for none. */
  readonly index: number | null
  /** The index of the check that it makes; null for none. */
  readonly check: number | null
}

export class CheckedMulti {
  /** Nodes that have to be of this session, and the latest that it made there. */
  readonly checks: readonly CreationCheck[]
  readonly #asked: readonly Operation[]
  readonly #parts: readonly Part[]

  private constructor(operations: readonly Operation[], parts: readonly Part[]) {
    this.checks = operations.filter(isCreationCheck)
    this.#asked = operations
    this.#parts = parts
  }

  /** Null: one of the checks cannot be made in this way. */
  static of(operations: readonly Operation[]): CheckedMulti | null {
    const parts: Part[] = []
    const checkOf = new Map<number, number>()
    for (const [index, operation] of operations.entries()) {
      if (!isCreationCheck(operation)) {
        parts.push({ operation, index, check: checkOf.get(index) ?? null })
        continue
      }
      const { path, version } = operation
      const isLater = (later: Operation, at: number): boolean => at > index && later.path === path
      const next = operations.findIndex(isLater)
      const effect = operations[next]
      const isFirst = operations.findIndex((other) => other.path === path) === index
      if (!isFirst || version !== ANY_VERSION || effect === undefined) return null
      if (effect.type === 'set') checkOf.set(next, index)
      else if (effect.type !== 'delete' || effect.version !== ANY_VERSION) return null
      else parts.push({ operation: { type: 'set', path, data: NO_BYTES, version }, index: null, check: index })
    }
    return new CheckedMulti(operations, parts)
  }

  /** The operations to send in its place. */
  get operations(): readonly Operation[] {
    return this.#parts.map(({ operation }) => operation)
  }

  /** The results of the operations that were asked for, of those that were sent. */
  resultsOf(results: readonly OperationResult[]): OperationResult[] {
    const found = new Map(this.#parts.map(({ index }, at) => [index, results[at]]))
    return this.#asked.map((_, index) => found.get(index) ?? { type: 'check' })
  }

  /**
   * Which operation of those that were asked for was refused.
   *
   * @param at - which of those that were sent the servers refused
   * @param code - with which error
   * @returns null if the servers did not let us write a node that is to be checked: it is another's, if they keep lists
   */
  refusedBy(at: number, code: string): number | null {
    const part = this.#parts[at]
    if (part === undefined) return 0
    if (part.check !== null && code === 'NO_AUTH') return null
    return (code === 'NO_NODE' ? part.check ?? part.index : part.index ?? part.check) ?? 0
  }
}

function isCreationCheck(operation: Operation): operation is CreationCheck {
  return operation.type === 'check' && operation.czxid !== undefined
}
