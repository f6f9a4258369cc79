/**
 * A multi whose checks of a creation are made by the right to write (owned-nodes.ts).
 *
 * Model     a check that is followed by a set of the same node needs nothing of its own: the set is refused where the
 *           check would be. One that is followed by a deletion becomes a write of no data ahead of it.
 */
import type { Operation, OperationResult } from '../../core/backend.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'

const NO_BYTES = new Uint8Array()
const ANY_VERSION = -1

type SendMulti = (operations: readonly Operation[]) => Promise<OperationResult[]>
type Check = Extract<Operation, { readonly type: 'check' }>
type CreationCheck = Check & { readonly czxid: bigint }

/** One operation that is sent. */
interface Part {
  readonly operation: Operation
  /** Of the operation whose result it gives; null for none. */
  readonly index: number | null
  /** Of the check that it makes; null for none. */
  readonly check: number | null
}

/** See the head of this file. */
export class CheckedMulti {
  /** Nodes that have to be of this session, and the latest that it made there. */
  readonly checks: readonly CreationCheck[]
  readonly #operations: readonly Operation[]
  readonly #parts: readonly Part[]

  private constructor(operations: readonly Operation[], parts: readonly Part[]) {
    this.checks = operations.filter(isCreationCheck)
    this.#operations = operations
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

  /**
   * Does it.
   *
   * @param multi - sends a multi
   * @returns null if the servers did not let us write one of the nodes: nothing was done
   * @throws CoordinationError as a multi
   */
  async run(multi: SendMulti): Promise<OperationResult[] | null> {
    try {
      const results = await multi(this.#parts.map(({ operation }) => operation))
      const found = new Map(this.#parts.map(({ index }, at) => [index, results[at]]))
      return this.#operations.map((_, index) => found.get(index) ?? { type: 'check' })
    } catch (error) {
      const part = isCoordinationError(error) ? this.#parts[error.index ?? -1] : undefined
      if (part === undefined || !isCoordinationError(error)) throw error
      if (part.check !== null && error.code === 'NO_AUTH') return null
      const isOfCheck = part.check !== null && error.code === 'NO_NODE'
      const index = (isOfCheck ? part.check : part.index) ?? part.check ?? undefined
      const { code, message, outcome, path } = error
      throw new CoordinationError(code, message, {
        outcome,
        cause: error,
        ...(index === undefined ? {} : { index }),
        ...(path === undefined ? {} : { path }),
      })
    }
  }
}

function isCreationCheck(operation: Operation): operation is CreationCheck {
  return operation.type === 'check' && operation.czxid !== undefined
}
