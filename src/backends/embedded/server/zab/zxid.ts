/**
 * Zxids: the number of a transaction, 64 bits. The high half is the epoch of the leader that proposed it, the low half
 * counts the transactions of that epoch.
 *
 * Source    Junqueira, Reed, Serafini: "Zab: High-performance broadcast for primary-backup systems" (DSN 2011), 3.1;
 *           ZxidUtils.java.
 */
const COUNTER_BITS = 32n
const COUNTER_MASK = 0xffffffffn

/** The zxid of the n-th transaction of an epoch; n = 0 stands for the epoch's beginning. */
export function zxidOf(epoch: number, counter: number): bigint {
  return (BigInt(epoch) << COUNTER_BITS) | BigInt(counter)
}

/** The epoch in which a transaction was proposed. */
export function epochOf(zxid: bigint): number {
  return Number(zxid >> COUNTER_BITS)
}

/** Which transaction of its epoch it is, counted from 1. */
export function counterOf(zxid: bigint): number {
  return Number(zxid & COUNTER_MASK)
}

/** The later one of two zxids. */
export function laterOf(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}

/** A zxid as ZooKeeper's tools print it: `0x` and hexadecimal digits. */
export function formatZxid(zxid: bigint): string {
  return `0x${zxid.toString(16)}`
}
