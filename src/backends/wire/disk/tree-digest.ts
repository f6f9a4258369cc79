/**
 * The digest by which servers and files check that two trees are equal.
 *
 * Model     the sum, modulo 2^64, of a number per node: the CRC-32 of its path, data and stat. The ACL is not in it,
 *           nor are the nodes below /zookeeper. A change subtracts the number of before and adds that of after; a
 *           create or a delete changes the parent too.
 * Cost      of a change that leaves the data alone: 60 bytes, if the node's content digest was kept.
 * Source    DigestCalculator (version 2), AdHash of ZooKeeper 3.8.
 */
import { crc32 } from './checksums.ts'

/** The stat of a node as it stands in files. */
export interface PersistedStat {
  readonly czxid: bigint
  readonly mzxid: bigint
  readonly ctime: number
  readonly mtime: number
  readonly version: number
  /** The count of child creates, not what clients see. */
  readonly cversion: number
  readonly aversion: number
  /** The session, 0n, or the mark of a container or a time to live. */
  readonly ephemeralOwner: bigint
  readonly pzxid: bigint
}

const STAT_BYTES = 60
const stat = new DataView(new ArrayBuffer(STAT_BYTES))
const statBytes = new Uint8Array(stat.buffer)
/** Most paths fit, so that no memory is taken for them. */
const pathBytes = Buffer.alloc(0x400)
const TWO_TO_32 = 2 ** 32
const HALF_BITS = 32n
const SYSTEM = '/zookeeper/'

/** Whether a node counts. Those below /zookeeper differ between servers. */
export function isDigested(path: string): boolean {
  return !path.startsWith(SYSTEM)
}

/** The part of a node's number that path and data decide. It can be kept for as long as neither changes. */
export function contentDigest(path: string, data: Uint8Array | null): number {
  const sum = path === '/' ? 0 : pathDigest(path)
  return data === null ? sum : crc32(data, sum)
}

function pathDigest(path: string): number {
  // As UTF-8, a character of a string has three bytes at most.
  if (path.length > pathBytes.length / 3) return crc32(Buffer.from(path))
  return crc32(pathBytes, 0, pathBytes.write(path))
}

/**
 * A node's number.
 *
 * @param content - see {@link contentDigest}
 */
export function nodeDigest(content: number, node: PersistedStat): number {
  stat.setBigInt64(0, node.czxid)
  stat.setBigInt64(8, node.mzxid)
  stat.setBigInt64(16, node.pzxid)
  setSafeInt64(24, node.ctime)
  setSafeInt64(32, node.mtime)
  stat.setInt32(40, node.version)
  stat.setInt32(44, node.cversion)
  stat.setInt32(48, node.aversion)
  stat.setBigInt64(52, node.ephemeralOwner)
  return crc32(statBytes, content)
}

function setSafeInt64(at: number, value: number): void {
  const high = Math.floor(value / TWO_TO_32)
  stat.setInt32(at, high)
  stat.setUint32(at + 4, value - high * TWO_TO_32)
}

/** The digest of a tree, kept up to date node by node. */
export class TreeDigest {
  /** Two unsigned halves: sums of numbers are faster than those of bigints. */
  #high = 0
  #low = 0

  /** Begins with a digest, that of no nodes by default. */
  constructor(value = 0n) {
    this.reset(value)
  }

  /** A signed 64-bit number, as files have it. */
  get value(): bigint {
    return BigInt.asIntN(64, (BigInt(this.#high) << HALF_BITS) | BigInt(this.#low))
  }

  /** Adds a node's number. */
  add(digest: number): void {
    this.#low += digest
    if (this.#low < TWO_TO_32) return
    this.#low -= TWO_TO_32
    this.#high = (this.#high + 1) >>> 0
  }

  /** Takes a node's number away. */
  remove(digest: number): void {
    this.#low -= digest
    if (this.#low >= 0) return
    this.#low += TWO_TO_32
    this.#high = (this.#high - 1) >>> 0
  }

  /** Goes on from another digest. */
  reset(value: bigint): void {
    this.#high = Number(BigInt.asUintN(64, value) >> HALF_BITS)
    this.#low = Number(BigInt.asUintN(32, value))
  }
}
