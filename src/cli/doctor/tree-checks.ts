/**
 * The checks of the tree: nodes and lists that become too large, sequence numbers that run out, and nodes that somebody
 * has left behind.
 *
 * Cost      one list of names for each node, some at a time; `nodesMax` nodes at most, breadth first,
 *           and the first 1,000 children of each.
 * Source    ZooKeeper's jute.maxbuffer, which both data and lists of children have to fit into.
 */
import type { Stat } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { nameOf } from '../../core/path.ts'
import { walkTree } from '../../core/walk-tree.ts'
import { contenderOf } from '../../recipes/locks/contender-names.ts'
import { visibleLine } from '../visible.ts'
import { checked, countOf } from './finding.ts'
import type { Checked, Finding } from './finding.ts'

/** The client, and the part of the tree to look at. */
export interface TreeContext {
  readonly client: Client
  readonly signal: AbortSignal
  /** The most nodes to look at. */
  readonly nodesMax: number
  /** Below which nodes locks are. */
  readonly lockRoots: readonly string[]
  /** Now, by the clock of the servers. */
  readonly nowMs: number
}

/** A node that was looked at. */
interface Seen {
  readonly path: string
  readonly stat: Stat
  /** The bytes of a list of its children. */
  readonly listBytes: number
}

/** The node below which ZooKeeper keeps its own nodes. */
const RESERVED = '/zookeeper'
/** jute.maxbuffer, unless somebody has set it. */
const LIST_BYTES_MAX = 1_048_575
const NAME_EXTRA_BYTES = 4
const CHILDREN_MAX = 10_000
const SEQUENCE_MAX = 2_000_000_000
/** The servers remove an empty container sooner. */
const LEFT_MS = 3_600_000
const EXAMPLES = 3
/** How many children of one node are looked at, so that a long list does not hide the rest of the tree. */
const LOOKED_AT_MAX = 1_000

/** Makes them. */
export async function checkTree(context: TreeContext): Promise<Checked[]> {
  const { seen, unread, isCut } = await walk(context)
  const bytes = seen.reduce((sum, { stat }) => sum + stat.dataLength, 0)
  const cut = isCut ? ', and no more' : ''
  const says = `${countOf(seen.length, 'node')}${cut}, ${countOf(bytes, 'byte')} of data`
  const hidden: Finding[] = unread === 0 ? [] : [{
    level: 'note',
    what: `${countOf(unread, 'node')} cannot be read`,
    why: 'what is there, and below, was not looked at',
    todo: 'connect as who may read it (--user)',
  }]
  const sizes = checked('sizes', says, [...sizeFindings(context.client, seen), ...hidden])
  const orphans = orphanFindings(context, seen)
  const found = orphans.length === 0 ? 'nothing was left behind' : 'something was left behind'
  return [sizes, checked('orphans', `${found} in ${countOf(seen.length, 'node')}${cut}`, orphans)]
}

async function walk({ client, signal, nodesMax }: TreeContext): Promise<{
  readonly seen: readonly Seen[]
  readonly unread: number
  readonly isCut: boolean
}> {
  let unread = 0
  const { met, stoppedBy } = await walkTree(client, ['/'], signal, {
    nodesMax,
    levelsMax: Infinity,
    childrenMax: LOOKED_AT_MAX,
    descends: ({ path }) => path !== RESERVED,
    leavesOut: (error) => {
      if (!isCoordinationError(error, 'NO_AUTH')) return false
      unread += 1
      return true
    },
  })
  const seen = met.filter(({ path }) => path !== RESERVED).map(({ path, names, stat }) => {
    return { path, stat, listBytes: names.reduce((sum, name) => sum + Buffer.byteLength(name) + NAME_EXTRA_BYTES, 0) }
  })
  return { seen, unread, isCut: stoppedBy !== null || met.some(({ names }) => names.length > LOOKED_AT_MAX) }
}

function sizeFindings({ capabilities }: Client, seen: readonly Seen[]): Finding[] {
  const large = seen.filter(({ stat }) => stat.dataLength > capabilities.dataBytesMax / 2)
  const wide = seen.filter(({ stat, listBytes }) => stat.numChildren > CHILDREN_MAX || listBytes > LIST_BYTES_MAX / 2)
  const worn = seen.filter(({ stat }) => stat.cversion > SEQUENCE_MAX)
  const tooWide = wide.some(({ listBytes }) => listBytes > LIST_BYTES_MAX)
  return [
    ...findingOn(large, {
      level: 'warn',
      what: `hold more than half of the ${countOf(capabilities.dataBytesMax, 'byte')} that a node can hold`,
      why: 'each read carries all of it, every server has it in memory, and a write that is longer is refused',
      todo: 'keep large values elsewhere, and what refers to them here',
    }),
    ...findingOn(wide, {
      level: tooWide ? 'bad' : 'warn',
      what: tooWide ? `have lists of children of more than ${countOf(LIST_BYTES_MAX, 'byte')}` : 'have many children',
      why: tooWide
        ? 'a ZooKeeper client refuses such a list, so nobody can see or remove them'
        : 'each list of them is long, and a change of it wakes all who watch',
      todo: 'spread them over several parents; quorate deleteall removes what nobody needs',
    }),
    ...findingOn(worn, {
      level: 'warn',
      what: 'have given nearly all of their sequence numbers',
      why: 'after 2,147,483,647 they begin again below 0, which Curator and kazoo put in the wrong order',
      todo: 'make the node again, while nobody is at it',
    }),
  ]
}

function orphanFindings({ lockRoots, nowMs }: TreeContext, seen: readonly Seen[]): Finding[] {
  const ownerless = seen.filter(({ path, stat }) => path !== '/' && stat.ephemeralOwner === 0n && isContender(path))
  const isBelowLocks = ({ path }: Seen): boolean => lockRoots.some((root) => path.startsWith(`${root}/`))
  const left = seen.filter((one) => {
    const { dataLength, numChildren, cversion, ephemeralOwner, ctime } = one.stat
    const isEmpty = dataLength === 0 && numChildren === 0 && ephemeralOwner === 0n
    return isEmpty && cversion > 0 && nowMs - ctime > LEFT_MS && isBelowLocks(one)
  })
  return [
    ...findingOn(ownerless, {
      level: 'bad',
      what: 'stand in the queue of a lock or an election, and belong to no session',
      why: 'nothing ever ends them, so whoever comes after them waits forever',
      todo: 'delete them (quorate delete), and find out who creates persistent nodes there, such as an import',
    }),
    ...findingOn(left, {
      level: 'note',
      what: 'are locks that nobody has used for an hour and that the servers do not remove',
      why: 'they are no containers, so each lock that is used once stays',
      todo: 'delete them; locks of this package make containers where the engine has them',
    }),
  ]
}

function isContender(path: string): boolean {
  return contenderOf(nameOf(path)) !== null
}

/** A finding on some nodes, with examples; nothing if there are none. */
function findingOn(nodes: readonly Seen[], finding: Finding): Finding[] {
  if (nodes.length === 0) return []
  const shown = nodes.slice(0, EXAMPLES).map(({ path }) => visibleLine(path)).join(', ')
  const more = nodes.length > EXAMPLES ? ', ...' : ''
  return [{ ...finding, what: `${countOf(nodes.length, 'node')} (${shown}${more}) ${finding.what}` }]
}
