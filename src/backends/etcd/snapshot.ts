/**
 * The facts about nodes that are known when a write is prepared: read for it, or left over from earlier answers.
 *
 * Hints     facts that are left over may be out of date. They only save a read: every write is a transaction that
 *           compares, and no refusal is told from hints alone.
 */
import type { Operation } from '../../core/backend.ts'
import { parentOf } from '../../core/path.ts'
import type { Keys } from './keys.ts'
import type { RequestOp } from './messages.ts'
import type { NodeState } from './node-value.ts'
import { ReadPlan } from './read-plan.ts'
import type { Answer, CountRead } from './read-plan.ts'

/** The facts that are known of one node; an undefined field is not known. */
export interface Known {
  readonly node?: NodeState | null
  readonly count?: CountRead
  readonly numChildren?: number
}

/** The facts that are known, by path. */
export type Snapshot = ReadonlyMap<string, Known>

/** The facts that must be known, by path. */
export type Needs = ReadonlyMap<string, ReadonlySet<keyof Known>>

/** How many nodes are remembered. */
const HINTS_MAX = 4_096

/** The facts that decide on operations; the names of sequential nodes are not known before. */
export function needsOf(operations: readonly Operation[]): Needs {
  const needs = new Map<string, Set<keyof Known>>()
  const need = (path: string, ...parts: (keyof Known)[]): void => {
    const known = needs.get(path) ?? new Set()
    for (const part of parts) known.add(part)
    needs.set(path, known)
  }
  for (const operation of operations) {
    switch (operation.type) {
      case 'create':
        need(parentOf(operation.path), 'node', 'count')
        if (!operation.mode.endsWith('-sequential')) need(operation.path, 'node')
        break
      case 'delete':
        need(operation.path, 'node', 'count', 'numChildren')
        break
      case 'set':
      case 'check':
        need(operation.path, 'node')
    }
  }
  return needs
}

/**
 * The known facts, completed by an assumption: a node that is to be created and was never seen is not there. The
 * transaction compares that, and finds the node otherwise.
 */
export function assumingNew(operations: readonly Operation[], snapshot: Snapshot): Snapshot {
  const assumed = new Map(snapshot)
  for (const operation of operations) {
    if (operation.type !== 'create' || operation.mode.endsWith('-sequential')) continue
    const { path } = operation
    if (assumed.get(path)?.node === undefined) assumed.set(path, { ...assumed.get(path), node: null })
  }
  return assumed
}

/** Whether everything that is needed is known. */
export function covers(snapshot: Snapshot, needs: Needs): boolean {
  return [...needs].every(([path, parts]) => {
    const known = snapshot.get(path)
    return known !== undefined && [...parts].every((part) => known[part] !== undefined)
  })
}

/** How needs are read in one transaction. */
export interface NeedsPlan {
  readonly ops: readonly RequestOp[]
  readonly snapshot: Answer<Snapshot>
}

/**
 * Plans to read what is needed.
 *
 * @param offset - how many operations stand before in the transaction
 */
export function planOf(needs: Needs, keys: Keys, offset: number): NeedsPlan {
  const plan = new ReadPlan(keys, offset)
  const reads = [...needs].map(([path, parts]) => {
    const node = parts.has('node') ? plan.node(path) : null
    const count = parts.has('count') ? plan.count(path) : null
    const numChildren = parts.has('numChildren') ? plan.numChildren(path) : null
    const known: Answer<Known> = (answers) => ({
      ...(node === null ? {} : { node: node(answers)?.state ?? null }),
      ...(count === null ? {} : { count: count(answers) }),
      ...(numChildren === null ? {} : { numChildren: numChildren(answers) }),
    })
    return [path, known] as const
  })
  return { ops: plan.ops, snapshot: (answers) => new Map(reads.map(([path, known]) => [path, known(answers)])) }
}

/** The latest facts about the nodes seen last; shared by the sessions of a backend. */
export class Hints {
  readonly #known = new Map<string, { readonly revision: bigint; readonly known: Known }>()

  /** The facts that are remembered of these paths; they may be out of date. */
  about(needs: Needs): Snapshot {
    return new Map([...needs.keys()].flatMap((path) => {
      const hint = this.#known.get(path)
      return hint === undefined ? [] : [[path, hint.known] as const]
    }))
  }

  /** Takes note of what was read, or written, at a revision; answers come in any order. */
  note(path: string, revision: bigint, known: Known): void {
    const before = this.#known.get(path)
    if (before !== undefined && before.revision > revision) return
    const isSame = known.node === undefined || before?.known.node?.created === known.node?.created
    this.#known.delete(path)
    this.#known.set(path, { revision, known: isSame ? { ...before?.known, ...known } : known })
    if (this.#known.size <= HINTS_MAX) return
    const [oldest] = this.#known.keys()
    if (oldest !== undefined) this.#known.delete(oldest)
  }
}
