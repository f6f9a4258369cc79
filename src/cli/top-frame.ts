/** The picture of `quorate top`: the ensemble, the locks with the longest queues, and who has waited longest. */
import type { Client } from '../core/client.ts'
import type { ServerAddress } from '../backends/client/server-address.ts'
import type { Ensemble, Lock, Server } from '../dashboard/api.ts'
import { readEnsemble } from '../dashboard/readings/ensemble.ts'
import { readLocks } from '../dashboard/readings/locks.ts'
import { readWaitFor } from '../dashboard/readings/wait-for.ts'
import type { Chronicle } from '../dashboard/servers/chronicle.ts'
import { describeError } from './shell/error-text.ts'
import { agoText } from './shell/node-text.ts'
import { tableText } from './shell/table.ts'
import { visibleLine } from './visible.ts'

/** The ensemble and the locks that `top` looks at. */
export interface TopSource {
  readonly client: Client
  readonly label: string
  readonly servers: readonly ServerAddress[]
  readonly lockRoots: readonly string[]
}

/** One reading of them. */
export interface TopPicture {
  readonly name: string
  /** When, by the clock of this process, in milliseconds since 1970. */
  readonly asOfMs: number
  /** The ensemble, without the lanes of its servers. */
  readonly ensemble: Omit<Ensemble, 'servers' | 'lanesSinceMs'> & {
    readonly servers: readonly Omit<Server, 'lane'>[]
  }
  /** Those with the longest queues first; null if they cannot be read. */
  readonly locks: readonly Lock[] | null
  /** Sessions that wait for each other; null if they cannot be read. */
  readonly rings: readonly (readonly string[])[] | null
  /** Why something cannot be read; null if nothing is missing. */
  readonly why: string | null
}

/** How many locks a picture has. */
const LOCKS_MAX = 50
/** The most columns for the name of a lock, or for the data of its holder. */
const CELL_CHARS_MAX = 40
const UNTOLD = '-'

/** Takes a picture; parts that cannot be read are missing, with the reason. */
export async function takePicture(source: TopSource, chronicle: Chronicle, signal: AbortSignal): Promise<TopPicture> {
  const { client, label, servers, lockRoots } = source
  const { data } = await readEnsemble(client, { ensemble: undefined, servers }, chronicle, signal)
  const { lanesSinceMs: _since, servers: rows, ...ensemble } = data
  const seen = { name: label, asOfMs: Date.now(), ensemble: { ...ensemble, servers: rows.map(withoutLane) } }
  if (!data.serving) return { ...seen, locks: null, rings: null, why: 'no server answers' }
  try {
    const [locks, graph] = await Promise.all([
      readLocks(client, lockRoots, signal),
      readWaitFor(client, lockRoots, signal),
    ])
    return { ...seen, locks: locks.data.slice(0, LOCKS_MAX), rings: graph.data.rings, why: null }
  } catch (error) {
    return { ...seen, locks: null, rings: null, why: describeError(error).message }
  }
}

function withoutLane({ lane: _lane, ...server }: Server): Omit<Server, 'lane'> {
  return server
}

/** The lines of a picture. Control characters in texts of others are made visible. */
export function picturesLines({ name, asOfMs, ensemble, locks, rings, why }: TopPicture): string[] {
  const { serving, leader, epoch, zxid, voters, answering, canLose, sessions, nodes, findings } = ensemble
  const { roundTripMs } = ensemble.session
  const time = new Date(asOfMs).toISOString().slice(11, 19)
  const trip = roundTripMs === null ? UNTOLD : `${roundTripMs} ms`
  const lines = [
    `quorate top  ${visibleLine(name)}  ${time}Z  ${serving ? 'serving' : 'NOT SERVING'}  round trip ${trip}`,
    ...(voters === null ? ['this engine does not tell of its servers'] : [
      `leader ${told(leader)}  epoch ${told(epoch)}  zxid ${told(zxid)}`,
      `sessions ${told(sessions)}  nodes ${told(nodes)}`,
      `voters ${told(voters)}  answering ${told(answering)}  can lose ${told(canLose)}`,
    ]),
    ...findings.map(({ level, text }) => `${level === 'bad' ? '!' : '*'} ${visibleLine(text)}`),
    ...(rings ?? []).map((ring) => `! possible deadlock: ${[...ring, ring[0] ?? ''].join(' waits for ')}`),
    '',
  ]
  if (ensemble.servers.length > 0) lines.push(...serverLines(ensemble.servers), '')
  if (locks === null) lines.push(`locks cannot be read: ${visibleLine(why ?? 'nobody knows why')}`)
  else lines.push(...lockLines(locks, asOfMs))
  return lines
}

function serverLines(servers: TopPicture['ensemble']['servers']): string[] {
  const rows = servers.map(({ id, role, epoch, applied, behind, clients, latencyMs, why }) => [
    visibleLine(id),
    role ?? `DOWN: ${visibleLine(why ?? '')}`,
    ...[epoch, applied, behind, clients, latencyMs].map(told),
  ])
  return linesOf([['SERVER', 'ROLE', 'EPOCH', 'ZXID', 'BEHIND', 'CLIENTS', 'LATENCY'], ...rows])
}

function lockLines(locks: readonly Lock[], nowMs: number): string[] {
  if (locks.length === 0) return ['no lock is in use']
  const rows = locks.map(({ path, kind, held, waiting, waitsSinceMs, holders }) => {
    const [holder] = holders
    const since = holder === undefined ? UNTOLD : agoText(holder.sinceMs, nowMs)
    const longest = waitsSinceMs === null ? UNTOLD : agoText(waitsSinceMs, nowMs)
    const who = holder === undefined ? UNTOLD : holder.says === '' ? holder.session : holder.says
    return [cell(path), kind, String(held), since, String(waiting), longest, cell(who)]
  })
  return linesOf([['LOCK', 'KIND', 'HELD', 'SINCE', 'WAITING', 'LONGEST', 'HOLDER'], ...rows])
}

function linesOf(rows: readonly (readonly string[])[]): string[] {
  return tableText(rows).trimEnd().split('\n')
}

function told(value: string | number | null): string {
  return value === null ? UNTOLD : visibleLine(String(value))
}

function cell(text: string): string {
  const line = visibleLine(text)
  return line.length <= CELL_CHARS_MAX ? line : `${line.slice(0, CELL_CHARS_MAX - 3)}...`
}
