/**
 * The configuration of an ensemble that can be changed at run time: its servers, and a version, which is the zxid of
 * the transaction that has made it.
 *
 * Text      one line per server, ascending by id, then `version=` and hexadecimal digits, without an end of line: the
 *           data of /zookeeper/config, of the transaction, and what notifications and NEWLEADER carry.
 * Quorum    a majority of the participants. Groups and weights are not there.
 * Source    QuorumMaj.java, QuorumPeer.QuorumServer, QuorumPeerConfig.parseDynamicConfig of ZooKeeper 3.8.
 */
import { OpCode } from './codes.ts'
import { violation } from './jute.ts'
import { parseServerLine, serverLineText } from './server-line.ts'
import type { ServerLine } from './server-line.ts'
import { decodeTransaction } from './transactions.ts'

/** The highest id of a server: a session id has one byte for it. */
const SERVER_ID_MAX = 254
const SERVER_KEY = /^server\.(\d{1,3})$/
const VERSION_LINE = /^version=([\da-f]{1,16})$/m
/** The end of a transaction's type, which is the last field of its header. */
const TYPE_END = 32

/** A configuration as consensus needs it. */
export interface Configuration {
  /** Where it came into the order; 0n of one that nobody has changed. */
  readonly version: bigint
  /** Ids of the servers that vote, ascending. */
  readonly voters: readonly number[]
  /** Ids of the others, ascending. */
  readonly observers: readonly number[]
  /** The whole of it, as all servers tell it. */
  readonly text: string
}

/** Makes a configuration of its servers. */
export function configurationOf(servers: ReadonlyMap<number, ServerLine>, version: bigint): Configuration {
  const sorted = [...servers].sort(([a], [b]) => a - b)
  const ids = (votes: boolean): number[] => sorted.filter(([, line]) => line.votes === votes).map(([id]) => id)
  const lines = sorted.map(([id, line]) => serverLineText(id, line))
  const text = [...lines, `version=${version.toString(16)}`].join('\n')
  return { version, voters: ids(true), observers: ids(false), text }
}

/**
 * Reads the servers of a configuration, or of a part of one.
 *
 * @param lines - such as `server.1=host:2888:3888:participant;2181`; a version among them is passed over
 * @throws TypeError that names what is wrong
 */
export function readServers(lines: readonly string[]): Map<number, ServerLine> {
  const servers = new Map<number, ServerLine>()
  for (const line of lines.map((text) => text.trim()).filter((text) => text !== '')) {
    const equals = line.indexOf('=')
    const key = line.slice(0, Math.max(0, equals)).trim()
    if (key === 'version') continue
    const id = Number(SERVER_KEY.exec(key)?.[1] ?? 0)
    if (id < 1 || id > SERVER_ID_MAX) throw new TypeError(`${JSON.stringify(line)} is no server.N=...`)
    servers.set(id, parseServerLine(line.slice(equals + 1).trim(), key))
  }
  return servers
}

/**
 * Reads a configuration.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` if it is malformed
 */
export function readConfiguration(text: string): Configuration {
  try {
    return configurationOf(readServers(text.split('\n')), versionOf(text))
  } catch (error) {
    throw violation(`a configuration that cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

/** The version that a text names; 0n if it names none. */
export function versionOf(text: string): bigint {
  const digits = VERSION_LINE.exec(text)?.[1]
  return digits === undefined ? 0n : BigInt(`0x${digits}`)
}

/** The configuration that a transaction makes; null if it makes none. */
export function reconfigurationIn(txn: Uint8Array): Configuration | null {
  // The last byte of the type tells, for every transaction that there is.
  if (txn[TYPE_END - 1] !== OpCode.reconfig) return null
  const { txn: decoded } = decodeTransaction(txn)
  if (decoded.type !== OpCode.reconfig) return null
  return readConfiguration(Buffer.from(decoded.body.data ?? []).toString('utf8'))
}
