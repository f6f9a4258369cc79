/**
 * The names of the files in `version-2`.
 *
 * Names     `log.` and `snapshot.`, then a zxid as hexadecimal digits of its 64 bits: of the first record, or of the
 *           last transaction that is certainly in the snapshot. `.gz` and `.snappy` say how a snapshot is compressed;
 *           `.tmp` is a snapshot that was not finished.
 * Source    Util.makeLogName, Util.getZxidFromName, SnapStream.StreamMode of ZooKeeper 3.8.
 */

/** The way in which a snapshot is compressed, which its name says. */
export type Compression = 'none' | 'gz' | 'snappy'

/** A log or a snapshot. */
export interface DataFileName {
  readonly kind: 'log' | 'snapshot'
  /** Signed; -1n is the snapshot of a server that had no data and was not to begin without. */
  readonly zxid: bigint
  readonly compression: Compression
  /** Whether it was not finished. */
  readonly isTemporary: boolean
}

const PATTERN = /^(?:(log)|(snapshot))\.([0-9a-f]{1,16})(?:\.(gz|snappy))?(\.tmp)?$/

/** The name of a log. */
export function logFileName(firstZxid: bigint): string {
  return `log.${digits(firstZxid)}`
}

/** The name of a snapshot. */
export function snapshotFileName(zxid: bigint, compression: Compression = 'none'): string {
  const name = `snapshot.${digits(zxid)}`
  return compression === 'none' ? name : `${name}.${compression}`
}

/** Reads a file's name; null if it is neither a log nor a snapshot. */
export function parseDataFileName(name: string): DataFileName | null {
  const found = PATTERN.exec(name)
  if (found === null) return null
  const [, log, , hex = '', compression, temporary] = found
  const isTemporary = temporary !== undefined
  if (log !== undefined && (compression !== undefined || isTemporary)) return null
  return {
    kind: log === undefined ? 'snapshot' : 'log',
    zxid: BigInt.asIntN(64, BigInt(`0x${hex}`)),
    compression: compression === 'gz' || compression === 'snappy' ? compression : 'none',
    isTemporary,
  }
}

function digits(zxid: bigint): string {
  return BigInt.asUintN(64, zxid).toString(16)
}
