/**
 * The commands of the AdminServer: the answers of the four-letter words, as JSON.
 *
 * Shape     as in the reference: `command` and `error` (null if all went well), then the answer's members. Errors of
 *           commands have the status 200 there, and so here.
 * Missing   facts that this server does not have: system properties, snapshots, details of observers.
 * Source    Commands.java, ServerCnxn.getConnectionInfo, ServerStats.java of ZooKeeper 3.8.
 */
import { DIGEST_VERSION } from '../../../wire/disk/log-entries.ts'
import type { ServerInspection } from '../../server/inspection.ts'
import { counterOf, epochOf } from '../../server/zab/zxid.ts'
import type { ClientSocket } from '../clients/tcp-socket.ts'
import { HostTimes } from '../host-times.ts'
import { sizesOf } from '../storage/directory-size.ts'
import { environmentEntries } from './environment.ts'
import { Members } from './json-text.ts'
import type { JsonValue } from './json-text.ts'
import { nodeCount, numbersOf, rounded4 } from './metrics.ts'
import { peerState } from './monitor.ts'
import { NOT_SERVING, VERSION, addressOf, configurationLines, connectionCount, hex, isShown } from './server-view.ts'
import { modeOf, monitored, operationName, resetNumbers, servedZxid } from './server-view.ts'
import type { InspectedHost, ServerView } from './server-view.ts'

/** A line of the membership, such as `server.1=127.0.0.1:2888:3888:participant;0.0.0.0:2181`. */
const MEMBER = /^(?:membership: )?server\.(\d+)=(.+?):(participant|observer)(?:;(.+))?$/

type Answer = Readonly<Record<string, JsonValue>>

interface Command {
  /** The first is the one under which it is listed. */
  readonly names: readonly string[]
  readonly answer: (view: ServerView, host: InspectedHost, query: URLSearchParams) => Answer | Members
  /** Whether it can be answered while clients are not served. */
  readonly isAlways?: true
}

const COMMANDS: readonly Command[] = [
  { names: ['configuration', 'conf', 'config'], answer: configuration },
  { names: ['connection_stat_reset', 'crst'], answer: resetConnections },
  { names: ['connections', 'cons'], answer: (view) => connectionsOf(view, false) },
  { names: ['dirs'], answer: directories },
  { names: ['dump'], answer: dump },
  { names: ['environment', 'env', 'envi'], answer: () => new Members(environmentEntries(VERSION)), isAlways: true },
  { names: ['get_trace_mask', 'gtmk'], answer: (view) => ({ tracemask: view.traceMask.value }), isAlways: true },
  { names: ['hash'], answer: digests },
  { names: ['initial_configuration', 'icfg'], answer: (view) => ({ initial_configuration: configurationLines(view) }) },
  { names: ['is_read_only', 'isro'], answer: (_, host) => ({ read_only: host.status().readOnly }) },
  { names: ['leader', 'lead'], answer: leader },
  { names: ['monitor', 'mntr'], answer: monitor },
  { names: ['ruok'], answer: () => ({}) },
  { names: ['server_stats', 'srvr'], answer: serverStats },
  { names: ['set_trace_mask', 'stmk'], answer: setTraceMask, isAlways: true },
  { names: ['stat_reset', 'srst'], answer: resetServer },
  { names: ['stats', 'stat'], answer: (view, host) => ({ ...serverStats(view, host), ...connectionsOf(view, true) }) },
  { names: ['watch_summary', 'wchs'], answer: watchSummary },
  { names: ['voting_view'], answer: votingView },
  { names: ['watches', 'wchc'], answer: watches },
  { names: ['watches_by_path', 'wchp'], answer: watchesByPath },
  { names: ['zabstate'], answer: zabState },
]

const BY_NAME: ReadonlyMap<string, Command> = new Map(COMMANDS.flatMap((command) => {
  return command.names.map((name): [string, Command] => [name, command])
}))

/** The names under which the commands are listed. */
export const COMMAND_NAMES: readonly string[] = COMMANDS.flatMap(({ names }) => names.slice(0, 1))

/**
 * The answer to a command.
 *
 * @param query - its arguments
 */
export function answerCommand(name: string, view: ServerView, query: URLSearchParams): JsonValue {
  const command = BY_NAME.get(name)
  if (command === undefined) return { command: name, error: `Unknown command: ${name}` }
  const [primary = name] = command.names
  const host = view.host()
  const isAnswered = command.isAlways ?? (host !== null && isShown(host.status()))
  if (!isAnswered) return { command: primary, error: NOT_SERVING }
  const answer = command.answer(view, host ?? NO_HOST, query)
  const entries = answer instanceof Members ? answer.entries : Object.entries(answer)
  return new Members(followed([['command', primary], ['error', null]], entries))
}

/** For commands that ask nothing of a server. */
const NO_HOST: InspectedHost = {
  status: () => {
    throw new TypeError('there is no server to ask')
  },
  inspect: () => {
    throw new TypeError('there is no server to ask')
  },
  times: new HostTimes(),
  syncTimes: null,
}

function* followed<T>(first: Iterable<T>, then: Iterable<T>): Generator<T> {
  yield* first
  yield* then
}

/** Lines of `key=value` as members; any other line belongs to the value before it, and is left out. */
function configuration(view: ServerView): Answer {
  const values: Record<string, string | number> = {}
  for (const line of configurationLines(view).split('\n')) {
    const [, key, value = ''] = /^(\w+)=(.*)$/.exec(line) ?? []
    if (key !== undefined) values[snakeCase(key)] = /^-?\d+$/.test(value) ? Number(value) : value
  }
  return values
}

/** As the reference's Jackson names the members: `maxClientCnxns` becomes `max_client_cnxns`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

function resetConnections(view: ServerView): Answer {
  for (const { traffic } of view.connections()) traffic.reset()
  return {}
}

function resetServer(view: ServerView): Answer {
  resetNumbers(view)
  return {}
}

function setTraceMask({ traceMask }: ServerView, _host: InspectedHost, query: URLSearchParams): Answer {
  const text = query.get('traceMask')
  if (text !== null && traceMask.setText(text)) return { tracemask: traceMask.value }
  return { error: `setTraceMask requires long traceMask argument${text === null ? '' : `, got ${text}`}` }
}

function connectionsOf(view: ServerView, isBrief: boolean): Answer {
  const infos = (isSecure: boolean): Iterable<Answer> => {
    const all = [...view.connections()].filter((client) => client.isSecure === isSecure)
    return mapped(all, (client) => connectionInfo(client, isBrief))
  }
  return { connections: infos(false), secure_connections: infos(true) }
}

function digests(_view: ServerView, host: InspectedHost): Answer {
  const all = host.inspect().digests
  return { digests: all.map(({ zxid, digest }) => ({ zxid, digest_version: DIGEST_VERSION, digest })) }
}

function* mapped<T, R>(all: Iterable<T>, convert: (one: T) => R): Generator<R> {
  for (const one of all) yield convert(one)
}

function connectionInfo(client: ClientSocket, isBrief: boolean): Answer {
  const { traffic, outstanding, sessionId, sessionTimeoutMs, establishedMs } = client
  const brief = {
    remote_socket_address: addressOf(client),
    interest_ops: client.isReading ? 1 : 0,
    outstanding_requests: outstanding,
    packets_received: traffic.received,
    packets_sent: traffic.sent,
  }
  if (isBrief) return brief
  return {
    ...brief,
    session_id: sessionId,
    last_operation: operationName(traffic.lastOp),
    established: establishedMs,
    session_timeout: sessionTimeoutMs,
    last_cxid: traffic.lastXid,
    last_zxid: traffic.lastZxid,
    last_response_time: Math.trunc(traffic.lastResponseAtMs),
    last_latency: traffic.lastLatencyMs,
    min_latency: traffic.latency.min,
    avg_latency: Math.trunc(traffic.latency.average),
    max_latency: traffic.latency.max,
  }
}

function directories(view: ServerView): Answer {
  const { data, log } = sizesOf(view.directories())
  return { datadir_size: data, logdir_size: log }
}

function dump(_view: ServerView, host: InspectedHost): Answer {
  const { sessions, localSessions, ephemeralsBySession, leading } = host.inspect()
  const nowMs = Date.now()
  const byTime = new Map<string, bigint[]>()
  // A server that does not lead lists none, not even those that it alone knows, as ZooKeeper's.
  for (const { id, expiresInMs } of leading === null ? [] : [...localSessions ?? [], ...sessions]) {
    if (expiresInMs === null) continue
    const time = String(Math.trunc(nowMs + expiresInMs))
    const ids = byTime.get(time)
    if (ids === undefined) byTime.set(time, [idOf(id)])
    else ids.push(idOf(id))
  }
  return {
    expiry_time_to_session_ids: new Members(byTime),
    session_id_to_ephemeral_paths: bySession(ephemeralsBySession),
  }
}

function bySession(listing: ServerInspection['watchesBySession']): Members {
  return new Members(mapped(listing, ([id, paths]) => [idOf(id).toString(), paths]))
}

/** The reference's ids are Java's longs. */
function idOf(id: string): bigint {
  return BigInt.asIntN(64, BigInt(id))
}

function leader({ company }: ServerView, host: InspectedHost): Answer {
  const { role, leader: leaderId } = host.status()
  if (company.isStandalone) return { error: 'server is not initialized' }
  return { is_leader: role === 'LEADING', leader_id: leaderId }
}

function monitor(view: ServerView, host: InspectedHost): Answer {
  const numbers = monitored(view, host)
  const values: Record<string, JsonValue> = { version: VERSION, server_state: modeOf(view, host) }
  if (!view.company.isStandalone) values['peer_state'] = peerState(numbers)
  for (const { name, value } of numbersOf(numbers)) if (value !== null) values[name] = rounded4(value)
  return values
}

function serverStats(view: ServerView, host: InspectedHost): Answer {
  const { latency, received, sent, responseSizes } = view.traffic
  const status = host.status()
  const { leading } = host.inspect()
  return {
    version: VERSION,
    read_only: status.readOnly,
    server_stats: {
      packets_sent: sent,
      packets_received: received,
      server_state: modeOf(view, host),
      last_processed_zxid: servedZxid(status),
      outstanding_requests: view.outstanding(),
      avg_latency: rounded4(latency.average),
      max_latency: latency.max,
      min_latency: latency.min,
      num_alive_client_connections: connectionCount(view),
      uptime: Math.trunc(performance.now() - view.startedMs),
    },
    client_response: sizes(responseSizes),
    ...(leading === null || view.company.isStandalone ? {} : { proposal_stats: sizes(leading.proposalSizes) }),
    node_count: nodeCount(status),
  }
}

function sizes({ last, min, max }: { readonly last: number; readonly min: number; readonly max: number }): Answer {
  return { last_buffer_size: last, min_buffer_size: min, max_buffer_size: max }
}

function watchSummary(_view: ServerView, host: InspectedHost): Answer {
  const { count, paths, connections } = host.inspect().nodeWatches
  return { num_connections: connections, num_paths: paths, num_total_watches: count }
}

function watches(_view: ServerView, host: InspectedHost): Answer {
  return { session_id_to_watched_paths: bySession(host.inspect().watchesBySession) }
}

function watchesByPath(_view: ServerView, host: InspectedHost): Answer {
  const listing = host.inspect().watchesByPath
  return { path_to_session_ids: new Members(mapped(listing, ([path, ids]) => [path, mapped(ids, idOf)])) }
}

/** The servers that have a vote, from the lines of the configuration. */
function votingView(view: ServerView): Answer {
  const members: Record<string, JsonValue> = {}
  for (const line of view.configuration().split('\n')) {
    const [, id, address = '', type, client = ''] = MEMBER.exec(line) ?? []
    if (id === undefined || type !== 'participant') continue
    const [, host = '', peerPort = '', electionPort = ''] = /^(.+):(\d+):(\d+)$/.exec(address) ?? []
    members[id] = {
      server_addresses: [`${host}:${peerPort}`],
      election_addresses: [`${host}:${electionPort}`],
      client_address: client,
      learner_type: type,
    }
  }
  return { current_config: members }
}

function zabState(view: ServerView, host: InspectedHost): Answer {
  if (view.company.isStandalone) return { voting: false, zabstate: '' }
  const status = host.status()
  const { myid, role } = status
  const zxid = servedZxid(status)
  return {
    myid,
    is_leader: role === 'LEADING',
    voting: role === 'LEADING' || role === 'FOLLOWING',
    last_zxid: `0x${hex(zxid)}`,
    zab_epoch: epochOf(zxid),
    zab_counter: counterOf(zxid),
    // Clients that write are served in this phase only.
    zabstate: status.readOnly ? 'election' : 'broadcast',
  }
}
