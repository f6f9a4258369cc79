/**
 * The one multi of a transaction: comparisons of all that was read, and then its writes.
 *
 * Data      a check of the version, and of the creation where the engine compares it.
 * Absence   no engine checks it. A create of the highest missing node, deleted by the next operation, is refused if
 *           the node is there. Under an ephemeral node there is never a child: that one is checked instead.
 * Lists     a sequential create gets the count of children ever created. So with the delete of the very name that it
 *           has if none was created since the list was read, it is refused if one was. A check of each
 *           child that was listed is refused if one was deleted.
 * Order     the counts come first, since every other create would move them; the writes come last. Nodes that a multi
 *           makes and deletes are never seen, but watches on the parent's children may fire.
 */
import { assert } from '../../core/assert.ts'
import type { Capabilities, Operation, Stat } from '../../core/backend.ts'
import { joinPath, parentOf, sequenceSuffix } from '../../core/path.ts'
import type { NodeRead, TransactionReads } from './transaction-view.ts'

const ANY_VERSION = -1
const NO_BYTES = new Uint8Array()
/** Of the nodes that are made and deleted within one multi. */
const GUARD = 'quorate-guard-'

type Check = Extract<Operation, { readonly type: 'check' }>

/** Makes the operations; none if nothing was read or written. */
export function commitOf(reads: TransactionReads, { comparesCreations }: Capabilities): Operation[] {
  const counts: Operation[] = []
  const absences = new Map<string, readonly Operation[]>()
  const checks: Check[] = []
  const check = (path: string, version: number, compared?: Stat): void => {
    const identity = comparesCreations && compared !== undefined ? { czxid: compared.czxid } : {}
    checks.push({ type: 'check', path, version, ...identity })
  }
  for (const [path, list] of reads.lists) {
    // A node that is deleted has to be empty, which the servers compare.
    if (reads.writes.get(path) === null) continue
    check(path, ANY_VERSION, list.stat)
    if (list.stat.ephemeralOwner === 0n) counts.push(...countGuard(path, list.stat))
    for (const name of list.names) check(joinPath(path, name), ANY_VERSION)
  }
  for (const [path, read] of reads.nodes) {
    const { found, missing } = read
    if (found !== null) {
      const isCompared = read.isDataUsed || reads.writes.has(path)
      check(path, isCompared ? found.stat.version : ANY_VERSION, isCompared ? found.stat : undefined)
    } else if (missing !== null && isUnderEphemeral(missing)) {
      check(parentOf(missing.path), ANY_VERSION, missing.parent?.stat)
    } else if (missing !== null && !isMade(reads, missing.path)) {
      absences.set(missing.path, absenceGuard(missing.path))
    }
  }
  return [...counts, ...[...absences.values()].flat(), ...needed(checks), ...writesOf(reads)]
}

/** Leaves out checks of mere existence where another check of the node is made, and duplicates. */
function needed(checks: readonly Check[]): Check[] {
  const compared = new Set(checks.filter(isComparison).map(({ path }) => path))
  const existing = new Set(checks.filter(({ path }) => !compared.has(path)).map(({ path }) => path))
  const plain = [...existing].map((path): Check => ({ type: 'check', path, version: ANY_VERSION }))
  return [...plain, ...checks.filter(isComparison)]
}

function isComparison({ version, czxid }: Check): boolean {
  return version !== ANY_VERSION || czxid !== undefined
}

function isUnderEphemeral({ parent }: NonNullable<NodeRead['missing']>): boolean {
  return parent !== null && parent.stat.ephemeralOwner !== 0n
}

/** Whether a write makes this node: then that compares. */
function isMade(reads: TransactionReads, path: string): boolean {
  return (reads.writes.get(path) ?? null) !== null && reads.nodes.get(path)?.found === null
}

/** `cversion` is creates plus deletes: with the children that are left it is twice the creates. */
function countGuard(path: string, { cversion, numChildren }: Stat): Operation[] {
  const prefix = joinPath(path, GUARD)
  const name = prefix + sequenceSuffix((cversion + numChildren) >>> 1)
  return [
    { type: 'create', path: prefix, data: NO_BYTES, mode: 'persistent-sequential' },
    { type: 'delete', path: name, version: ANY_VERSION },
  ]
}

function absenceGuard(path: string): Operation[] {
  return [
    { type: 'create', path, data: NO_BYTES, mode: 'persistent' },
    { type: 'delete', path, version: ANY_VERSION },
  ]
}

/** Deletes of children come before those of their parents, creates of parents before those of their children. */
function writesOf({ nodes, writes }: TransactionReads): Operation[] {
  const deletes: Operation[] = []
  const makes: Operation[] = []
  for (const path of [...writes.keys()].sort()) {
    const data = writes.get(path) ?? null
    const found = readOf(nodes, path).found
    if (data === null && found !== null) deletes.unshift({ type: 'delete', path, version: found.stat.version })
    if (data !== null && found !== null) makes.push({ type: 'set', path, data, version: found.stat.version })
    if (data !== null && found === null) makes.push({ type: 'create', path, data, mode: 'persistent' })
  }
  return [...deletes, ...makes]
}

function readOf(nodes: TransactionReads['nodes'], path: string): NodeRead {
  const read = nodes.get(path)
  assert(read !== undefined, () => `${path} was read before it was written`)
  return read
}
