/**
 * The parts of a snapshot file, and the writer.
 *
 * Format    `ZKSN`, int32 version 2, int64 -1; sessions; access control lists; nodes, parents first, then the path
 *           `/`; a seal; the digest of the tree, a seal. A seal is int64 Adler-32 of everything before it, and the
 *           string `/`. The root's path is the empty string.
 * Ours      session passwords (decision 0001) come last, after what ZooKeeper 3.9 adds: int64 zxid, a seal; the string
 *           `quorate`, int32 version 1, passwords, a seal. ZooKeeper stops reading before them, and finds the end of
 *           the file as it should be. Without passwords, a file is byte for byte what ZooKeeper 3.8 writes.
 * Source    FileSnap, SerializeUtils.serializeSnapshot, DataTree.serialize, SnapStream.sealStream of ZooKeeper 3.8.
 */
import { Writer, buffer, int32, int64, record } from '../jute.ts'
import type { Reader } from '../jute.ts'
import { AclList } from '../records.ts'
import type { Acl } from '../records.ts'
import { ADLER_START, adler32 } from './checksums.ts'
import { DIGEST_VERSION } from './log-entries.ts'
import type { LoggedDigest } from './log-entries.ts'
import type { PersistedStat } from './tree-digest.ts'

/** A session that is open. */
export interface SnapshotSession {
  readonly id: bigint
  readonly timeoutMs: number
}

/** An access control list and the number by which nodes refer to it. */
export interface SnapshotAcl {
  /** At least 1n. -1n stands for the list that lets anyone do anything, and is not in the table. */
  readonly key: bigint
  readonly acl: readonly Acl[]
}

/** A node. */
export interface SnapshotNode extends PersistedStat {
  /** The root's is `/`. */
  readonly path: string
  readonly data: Uint8Array | null
  readonly aclKey: bigint
}

/** The digest of the tree at a zxid that is at least that of the file's name. From there on, the file is not fuzzy. */
export interface SnapshotDigest extends LoggedDigest {
  /** 0n if there is none. */
  readonly zxid: bigint
}

/** The secret by which a client picks its session up again. */
export interface SessionSecret {
  readonly id: bigint
  readonly passwd: Uint8Array
}

/** The sections that follow the nodes. */
export interface SnapshotEnding {
  /** The tree's digest and the last transaction in it, when the last node has been written; null if it is not kept. */
  readonly digest: { readonly zxid: bigint; readonly value: bigint } | null
  /** The last transaction that is certainly in the file. */
  readonly lastZxid: bigint
  /** Null: the file ends with the digest, and its name alone says how far it goes. */
  readonly secrets: readonly SessionSecret[] | null
}

/** The source of a snapshot file. */
export interface SnapshotContent {
  readonly sessions: readonly SnapshotSession[]
  /** Every list that a node refers to. */
  readonly acls: readonly SnapshotAcl[]
  /** Parents before their children. Asked for one by one, as the file is written. */
  readonly nodes: Iterable<SnapshotNode>
  /** Called once, when the last node has been written. */
  readonly ending: () => SnapshotEnding
}

export const SNAPSHOT_VERSION = 2
export const SnapshotHeader = record({ magic: int32, version: int32, dbid: int64 })
/** `ZKSN`. */
export const SNAPSHOT_MAGIC = 0x5a_4b_53_4e
const DBID = -1n
/** The bytes that every file begins with. */
export function snapshotFileHeader(): Uint8Array {
  const writer = new Writer()
  SnapshotHeader.write(writer, { magic: SNAPSHOT_MAGIC, version: SNAPSHOT_VERSION, dbid: DBID })
  return writer.finish()
}

/** Ends the nodes, and each seal. */
export const TERMINATOR = '/'
export const OWN_SECTION = 'quorate'
export const OWN_SECTION_VERSION = 1

export const SessionRecord = record({ id: int64, timeoutMs: int32 })
const AclRecord = record({ key: int64, acl: AclList })
const CHUNK_BYTES = 0x1_0000
/** Longer data are not copied into a chunk: they are one. */
const COPIED_BYTES_MAX = 0x4000

/**
 * Writes a snapshot, chunk by chunk. A chunk has about 64 KiB, or is the data of one node, which must not be changed.
 * Pause between chunks as you like: a node is asked for only when its turn comes.
 */
export function* writeSnapshotFile(
  { sessions, acls, nodes, ending }: SnapshotContent,
  chunkBytes: number = CHUNK_BYTES,
): Generator<Uint8Array, void> {
  const out = new SealedWriter(chunkBytes)
  const { writer } = out
  writer.bytes(snapshotFileHeader())
  writer.int32(sessions.length)
  for (const session of sessions) {
    SessionRecord.write(writer, session)
    if (out.isFull) yield out.take()
  }
  writer.int32(acls.length)
  for (const acl of acls) {
    AclRecord.write(writer, acl)
    if (out.isFull) yield out.take()
  }
  for (const node of nodes) {
    const { path, data } = node
    writer.text(path === '/' ? '' : path)
    if (data !== null && data.length > COPIED_BYTES_MAX) {
      writer.int32(data.length)
      yield out.take()
      yield out.pass(data)
    } else {
      buffer.write(writer, data)
    }
    writeStat(writer, node)
    if (out.isFull) yield out.take()
  }
  writer.text(TERMINATOR)
  out.seal()
  yield* writeEnding(out, ending())
}

function* writeEnding(out: SealedWriter, { digest, lastZxid, secrets }: SnapshotEnding): Generator<Uint8Array, void> {
  const { writer } = out
  if (digest !== null) {
    writer.int64(digest.zxid)
    writer.int32(DIGEST_VERSION)
    writer.int64(digest.value)
    out.seal()
  }
  if (secrets !== null) {
    writer.int64(lastZxid)
    out.seal()
    writer.text(OWN_SECTION)
    writer.int32(OWN_SECTION_VERSION)
    writer.int32(secrets.length)
    for (const { id, passwd } of secrets) {
      writer.int64(id)
      buffer.write(writer, passwd)
      if (out.isFull) yield out.take()
    }
    out.seal()
  }
  yield out.take()
}

/** Writes what follows a node's path and data. Field by field: there are millions of nodes. */
function writeStat(writer: Writer, node: SnapshotNode): void {
  writer.int64(node.aclKey)
  writer.int64(node.czxid)
  writer.int64(node.mzxid)
  writer.safeInt64(node.ctime)
  writer.safeInt64(node.mtime)
  writer.int32(node.version)
  writer.int32(node.cversion)
  writer.int32(node.aversion)
  writer.int64(node.ephemeralOwner)
  writer.int64(node.pzxid)
}

/** Reads what follows a node's path and data; see {@link writeSnapshotFile}. */
export function readStat(reader: Reader, path: string, data: Uint8Array | null): SnapshotNode {
  return {
    path,
    data,
    aclKey: reader.int64(),
    czxid: reader.int64(),
    mzxid: reader.int64(),
    ctime: reader.safeInt64(),
    mtime: reader.safeInt64(),
    version: reader.int32(),
    cversion: reader.int32(),
    aversion: reader.int32(),
    ephemeralOwner: reader.int64(),
    pzxid: reader.int64(),
  }
}

/** Collects bytes, and sums up all that ever passed. */
class SealedWriter {
  readonly writer: Writer
  readonly #chunkBytes: number
  #sum = ADLER_START
  /** How many of the bytes in the writer are in the sum. */
  #summed = 0

  constructor(chunkBytes: number) {
    this.writer = new Writer(chunkBytes + COPIED_BYTES_MAX + 0x1000)
    this.#chunkBytes = chunkBytes
  }

  get isFull(): boolean {
    return this.writer.length >= this.#chunkBytes
  }

  /** Ends a part of the file with the checksum of everything before. */
  seal(): void {
    this.#sumUp()
    this.writer.int64(BigInt(this.#sum))
    this.writer.text(TERMINATOR)
  }

  /** The bytes that were collected. */
  take(): Uint8Array {
    this.#sumUp()
    const chunk = this.writer.finish()
    this.writer.truncate(0)
    this.#summed = 0
    return chunk
  }

  /** Bytes that follow those that were taken, as they are. */
  pass(bytes: Uint8Array): Uint8Array {
    this.#sum = adler32(bytes, this.#sum)
    return bytes
  }

  #sumUp(): void {
    this.#sum = adler32(this.writer.written().subarray(this.#summed), this.#sum)
    this.#summed = this.writer.length
  }
}
