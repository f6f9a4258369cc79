/**
 * The first bytes on a connection to an election port: the server that opened it says who it is. There is no answer.
 *
 * Shape     long protocol, long sid, int length, then text of that length: the address of the sender's own election
 *           port. Protocol -65536: one address, `ip:port`; -65535: several, joined by `|`. An IPv6 address stands in
 *           brackets. Before ZooKeeper 3.5 only a long sid, which is not negative.
 * Nobody    an observer without an id names 2^63 - 1.
 * Safety    malformed bytes raise CoordinationError `PROTOCOL_VIOLATION` and nothing else; each field is judged as soon
 *           as it is there.
 * Source    QuorumCnxManager.InitialMessage, QuorumCnxManager.startConnection.
 */
import { violation, written } from './jute.ts'

/** One address; every ZooKeeper since 3.5 reads it. */
const ONE_ADDRESS = -65_536n
/** Several addresses: since 3.6, where multiAddress.enabled is set. */
const SEVERAL_ADDRESSES = -65_535n
/** Longest text with addresses, in bytes. */
const ADDRESSES_BYTES_MAX = 2_048
const LONG_BYTES = 8
const SID_END = 16
const HEAD_BYTES = 20

/** Longest initiation, in bytes. */
export const INITIATION_BYTES_MAX = HEAD_BYTES + ADDRESSES_BYTES_MAX
const PORT_MAX = 65_535

/** An address of an election port. */
export interface ElectionAddress {
  /** IP address or name, without brackets. */
  readonly host: string
  readonly port: number
}

/** The sender of an initiation. */
export interface Initiation {
  readonly sid: bigint
  /** Where its election port is, as it says; empty before ZooKeeper 3.5. */
  readonly addresses: readonly ElectionAddress[]
  /** Its length in bytes; frames follow it. */
  readonly bytes: number
}

/** The initiation of a server, in the form that every ZooKeeper since 3.5 reads. */
export function encodeInitiation(sid: number, address: ElectionAddress): Uint8Array {
  return written((writer) => {
    writer.int64(ONE_ADDRESS)
    writer.int64(BigInt(sid))
    writer.text(addressText(address))
  })
}

/**
 * Reads an initiation.
 *
 * @param bytes - the bytes of the connection so far
 * @returns null while it has not arrived as a whole
 * @throws CoordinationError `PROTOCOL_VIOLATION` if it is malformed
 */
export function readInitiation(bytes: Uint8Array): Initiation | null {
  if (bytes.length < LONG_BYTES) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const protocol = view.getBigInt64(0)
  if (protocol >= 0n) return { sid: protocol, addresses: [], bytes: LONG_BYTES }
  if (protocol !== ONE_ADDRESS && protocol !== SEVERAL_ADDRESSES) {
    throw violation(`protocol ${protocol} on an election port`)
  }
  if (bytes.length < HEAD_BYTES) return null
  const length = view.getInt32(SID_END)
  if (length <= 0 || length > ADDRESSES_BYTES_MAX) throw violation(`${length} bytes of addresses of an election port`)
  const end = HEAD_BYTES + length
  if (bytes.length < end) return null
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + HEAD_BYTES, length).toString('utf8')
  const addresses = (protocol === ONE_ADDRESS ? [text] : text.split('|')).map(parseAddress)
  return { sid: view.getBigInt64(LONG_BYTES), addresses, bytes: end }
}

/** `host:port`, with brackets around an IPv6 address. */
export function addressText({ host, port }: ElectionAddress): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}

function parseAddress(text: string): ElectionAddress {
  const found = /^(?:\[([^[\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const port = Number(found?.[3] ?? 0)
  if (found === null || port === 0 || port > PORT_MAX) {
    throw violation(`the address ${JSON.stringify(text)} of an election port`)
  }
  return { host: found[1] ?? found[2] ?? '', port }
}
