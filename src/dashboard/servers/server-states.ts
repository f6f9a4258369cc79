/** Where servers stand, in one form for those of this process and those that are asked by four-letter words. */
import { textOf } from '../../backends/client/server-address.ts'
import type { ServerAddress } from '../../backends/client/server-address.ts'
import type { EnsembleServerStatus } from '../../backends/embedded/index.ts'
import type { Role, Server } from '../api.ts'
import { askWord } from './ask-word.ts'
import type { LocalServers } from './local-servers.ts'
import { failedRow, lagsBehind, rowOf } from './server-row.ts'
import type { ServerRow } from './server-row.ts'

/** A server now; its lane is kept elsewhere. */
export interface ServerState extends Omit<Server, 'lane'> {
  /** Of the whole ensemble, as far as this server knows. */
  readonly sessions: number | null
  readonly nodes: number | null
}

const WORD_MS_MAX = 2_000

const ROLES: Readonly<Record<string, Role>> = {
  leader: 'LEADING',
  follower: 'FOLLOWING',
  observer: 'OBSERVING',
  standalone: 'STANDALONE',
}

/** Servers of this process. */
export function localStates(servers: Pick<LocalServers, 'status'>): ServerState[] {
  const status = servers.status()
  const all = Array.isArray(status) ? (status as readonly EnsembleServerStatus[]) : [status as EnsembleServerStatus]
  return withLags(all.map((one) => {
    const isDown = one.role === 'DOWN'
    const role = one.role === 'DOWN' ? null : one.serving ? one.role : 'LOOKING'
    return {
      id: String(one.myid),
      role: role === 'LEADING' && all.length === 1 ? 'STANDALONE' : role,
      epoch: isDown ? null : one.epoch,
      applied: isDown ? null : hex(one.zxid),
      behind: null,
      clients: isDown ? null : one.connections,
      watches: isDown ? null : one.watches,
      latencyMs: null,
      why: isDown ? 'it is down' : null,
      sessions: isDown ? null : one.sessions,
      nodes: isDown ? null : one.nodes,
    }
  }))
}

/** Servers elsewhere: `srvr` is answered by default, `mntr` where it is enabled. */
export async function askedStates(addresses: readonly ServerAddress[], signal: AbortSignal): Promise<ServerState[]> {
  return withLags((await Promise.all(addresses.map((address) => ask(address, signal)))).map(stateOf))
}

async function ask(address: ServerAddress, signal: AbortSignal): Promise<ServerRow> {
  const server = textOf(address)
  const monitor = askWord(address, 'mntr', WORD_MS_MAX, signal).catch(() => '')
  try {
    return rowOf(server, await askWord(address, 'srvr', WORD_MS_MAX, signal), await monitor)
  } catch (error) {
    return failedRow(server, error instanceof Error ? error.message : String(error))
  }
}

function stateOf(row: ServerRow): ServerState {
  const { server, role, epoch, zxid, connections, latencyMs, sessions, nodes, error } = row
  const told = role === null ? null : (ROLES[role] ?? 'LOOKING')
  const numbers = { epoch, applied: zxid, behind: null, clients: connections, watches: null }
  return { id: server, role: told, ...numbers, latencyMs: latencyMs?.avg ?? null, why: error, sessions, nodes }
}

/** Each with its distance to the leader, if it is not of an older epoch. */
function withLags(states: readonly ServerState[]): ServerState[] {
  const first = states.find(({ role }) => role === 'LEADING' || role === 'STANDALONE')?.applied
  if (first === undefined || first === null) return [...states]
  const leading = BigInt(first)
  const all = states.flatMap(({ applied }) => (applied === null ? [] : [BigInt(applied)]))
  // One that was asked later than the leader may be further.
  const lagOf = lagsBehind(all.filter((applied) => applied <= leading))
  return states.map((state) => (state.applied === null ? state : { ...state, behind: lagOf(BigInt(state.applied)) }))
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`
}
