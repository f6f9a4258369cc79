/**
 * Where one server stands, from its four-letter words `srvr` and `mntr`, ours or ZooKeeper's. All but the numbers is a
 * text of that server.
 */

/** The state that a server reports; null for a field that it does not. */
export interface ServerRow {
  readonly server: string
  /** `leader`, `follower`, `observer` or `standalone`; null if it does not serve. */
  readonly role: string | null
  /**
   * The epoch of its zxid. On a server of ours, on a leader and on one that is alone that is the epoch in which it
   * serves. A ZooKeeper that follows does not report that one: it shows an earlier one until the first write.
   */
  readonly epoch: number | null
  /** `0x` and hexadecimal digits. */
  readonly zxid: string | null
  /** How many writes of this epoch it has not applied that another one has; null if its epoch is an older one. */
  readonly lag: number | null
  readonly sessions: number | null
  readonly connections: number | null
  readonly latencyMs: { readonly min: number; readonly avg: number; readonly max: number } | null
  readonly nodes: number | null
  readonly version: string | null
  /** Why nothing is known of it; null if something is. */
  readonly error: string | null
}

const EPOCH_BITS = 32n
const SHOWN_MAX = 60

const SERVER_LINE = /^([A-Za-z /]+): (.*)$/
const LATENCY = /^(\d+)\/(\d+(?:\.\d+)?)\/(\d+)$/

/** A row for a server that says nothing of use. */
export function failedRow(server: string, error: string): ServerRow {
  const unknown = { role: null, epoch: null, zxid: null, lag: null, sessions: null, connections: null }
  return { server, ...unknown, latencyMs: null, nodes: null, version: null, error }
}

/**
 * A row, from the answers.
 *
 * @param monitor - the answer to `mntr`; it may be anything
 */
export function rowOf(server: string, srvr: string, monitor: string): ServerRow {
  const said = new Map(srvr.split('\n').flatMap((line) => {
    const [, name = '', value = ''] = SERVER_LINE.exec(line) ?? []
    return name === '' ? [] : [[name, value] as const]
  }))
  const role = said.get('Mode')
  const zxid = /^0x[\da-f]{1,16}$/.exec(said.get('Zxid') ?? '')?.[0]
  if (role === undefined || zxid === undefined) {
    const [line = ''] = srvr.trim().split('\n')
    const error = line === '' ? 'it closed the connection without an answer' : line.slice(0, SHOWN_MAX)
    return failedRow(server, error)
  }
  const [, min, avg, max] = LATENCY.exec(said.get('Latency min/avg/max') ?? '') ?? []
  return {
    server,
    role,
    epoch: Number(BigInt(zxid) >> EPOCH_BITS),
    zxid,
    lag: null,
    sessions: numberOf(/^zk_global_sessions\t(\d+)$/m.exec(monitor)?.[1]),
    connections: numberOf(said.get('Connections')),
    latencyMs: max === undefined ? null : { min: Number(min), avg: Number(avg), max: Number(max) },
    nodes: numberOf(said.get('Node count')),
    version: said.get('Zookeeper version')?.split(',')[0] ?? null,
    error: null,
  }
}

/** The rows, each with its distance to the last write among them. */
export function withLags<R extends ServerRow>(rows: readonly R[]): readonly R[] {
  const lagOf = lagsBehind(rows.flatMap(({ zxid }) => (zxid === null ? [] : [BigInt(zxid)])))
  return rows.map((row) => (row.zxid === null ? row : { ...row, lag: lagOf(BigInt(row.zxid)) }))
}

/**
 * How many writes a server has not applied.
 *
 * @param zxids - up to which servers have applied; the last write among them is the one that counts
 * @returns a function of a server's own: null if it is of an older epoch
 */
export function lagsBehind(zxids: readonly bigint[]): (zxid: bigint) => number | null {
  const last = zxids.reduce((most, zxid) => (isWrite(zxid) && zxid > most ? zxid : most), 0n)
  return (zxid) => {
    if (zxid > last) return 0
    return zxid >> EPOCH_BITS === last >> EPOCH_BITS ? Number(last - zxid) : null
  }
}

/** The first zxid of an epoch stands for its beginning: nothing is written by it. */
function isWrite(zxid: bigint): boolean {
  return BigInt.asUintN(Number(EPOCH_BITS), zxid) !== 0n
}

function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : null
}
