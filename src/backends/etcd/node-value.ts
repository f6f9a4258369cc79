/**
 * The value of a node's key: one line of text with facts that etcd does not keep, and the node's data after it.
 *
 * Line      `quorate1 <kind> <version> <ctime> <mtime> <czxid>`: kind is `persistent` or `ephemeral`, times are in
 *           milliseconds since 1970. The czxid is 0 where it is the key's create_revision, as nearly always; 1 where it
 *           is the mod_revision of this value (a transaction deleted the node and made it again, which etcd only lets
 *           it write as a change); and the revision itself in later changes of such a node.
 * Owner     the owner of an ephemeral node is the lease on its key.
 */
import type { Stat } from '../../core/backend.ts'
import { CoordinationError } from '../../core/errors.ts'

/** The fields of the line. */
export interface NodeHeader {
  readonly isEphemeral: boolean
  readonly version: number
  readonly ctimeMs: number
  readonly mtimeMs: number
  /** As in the line: 0 where it is the create_revision of the key. */
  readonly czxid: bigint
}

/** A node as its key has it. */
export interface NodeState extends NodeHeader {
  /** The key's create_revision: it tells a node from another one that was made in its place. */
  readonly created: bigint
  readonly modified: bigint
  readonly lease: bigint
  readonly dataLength: number
}

/** A value in its two parts. */
interface DecodedNode {
  readonly header: NodeHeader
  readonly data: Uint8Array
}

/** The counts of a node's children, which are in other keys. */
export interface ChildCounts {
  /** How many children were ever created, an int32 that wraps. */
  readonly creates: number
  /** Revision of the last create or delete of a child; 0 for a node that can have none. */
  readonly pzxid: bigint
  readonly numChildren: number
}

/** `czxid` of a node that is younger than its key. */
export const BORN_WITH_THIS_VALUE = 1n

const MAGIC = 'quorate1'
const LINE_BYTES_MAX = 160
const NEWLINE = 0x0a
/** How much of a key is told. */
const KEY_CHARS_MAX = 200
const LINE = new RegExp(`^${MAGIC} (persistent|ephemeral) (-?\\d{1,10}) (\\d{1,15}) (\\d{1,15}) (\\d{1,18})$`)
const INT32_MAX = 2 ** 31 - 1

/** The value of a node's key. */
export function encodeNode(header: NodeHeader, data: Uint8Array): Uint8Array {
  const { isEphemeral, version, ctimeMs, mtimeMs, czxid } = header
  const kind = isEphemeral ? 'ephemeral' : 'persistent'
  return Buffer.concat([Buffer.from(`${MAGIC} ${kind} ${version} ${ctimeMs} ${mtimeMs} ${czxid}\n`), data])
}

/**
 * Reads the value of a node's key.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` with outcome `corrupt` if it is not one of ours
 */
export function decodeNode(value: Uint8Array, path: string): DecodedNode {
  const end = value.subarray(0, LINE_BYTES_MAX).indexOf(NEWLINE)
  const match = end < 0 ? null : LINE.exec(new TextDecoder().decode(value.subarray(0, end)))
  if (match === null) throw notANode(path)
  const [, kind, version, ctimeMs, mtimeMs, czxid = '0'] = match
  if (Number(version) > INT32_MAX || Number(version) < -INT32_MAX - 1) throw notANode(path)
  return {
    header: {
      isEphemeral: kind === 'ephemeral',
      version: Number(version),
      ctimeMs: Number(ctimeMs),
      mtimeMs: Number(mtimeMs),
      czxid: BigInt(czxid),
    },
    data: new Uint8Array(value.subarray(end + 1)),
  }
}

/** The error for a key of a node that somebody else has written. */
export function notANode(path: string): CoordinationError {
  const message = `what etcd holds for ${path} is not a node: somebody else has written it`
  return new CoordinationError('PROTOCOL_VIOLATION', message, { outcome: 'corrupt', path })
}

/** The error for another key that somebody else has written, or removed. */
export function foreign(key: string, path: string): CoordinationError {
  const what = 'does not hold what Quorate keeps there: somebody else has written it'
  const message = `the key ${JSON.stringify(key.slice(0, KEY_CHARS_MAX))} of etcd ${what}`
  return new CoordinationError('PROTOCOL_VIOLATION', message, { outcome: 'corrupt', path })
}

/** When a node was made: the revision that stands for ZooKeeper's czxid. */
export function czxidOf({ czxid, created, modified }: NodeState): bigint {
  if (czxid === 0n) return created
  return czxid === BORN_WITH_THIS_VALUE ? modified : czxid
}

/**
 * The stat of a node.
 *
 * Every child that was ever created is either there or was removed, by a delete or by the end of its session; so the
 * two counts give the number of changes, although etcd removes the nodes of a session without a word to their parents.
 */
export function statOf(node: NodeState, counts: ChildCounts): Stat {
  const czxid = czxidOf(node)
  return Object.freeze({
    czxid,
    mzxid: node.modified,
    pzxid: counts.pzxid > czxid ? counts.pzxid : czxid,
    ctime: node.ctimeMs,
    mtime: node.mtimeMs,
    version: node.version,
    cversion: (2 * counts.creates - counts.numChildren) | 0,
    aversion: 0,
    ephemeralOwner: node.isEphemeral ? node.lease : 0n,
    dataLength: node.dataLength,
    numChildren: counts.numChildren,
  })
}
