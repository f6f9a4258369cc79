/** The open sessions of an ensemble, as far as its servers in this process know of them; local ones, too. */
import type { Host } from './host/host.ts'
import type { ServerInspection } from './server/inspection.ts'

/** An open session. */
export interface EnsembleSession {
  /** `0x` and hexadecimal digits. */
  readonly id: string
  /** Its time-out, in milliseconds. */
  readonly timeoutMs: number
  /** When it ends if nothing is heard of it, in milliseconds from now; null if the leader is not in this process. */
  readonly expiresInMs: number | null
  /** myid of the server that its client is connected to; null if that is none of this process. */
  readonly server: number | null
  /** IP address of its client, empty if that is in this process; null as `server` is. */
  readonly address: string | null
  /** Paths of its ephemeral nodes, in their order. */
  readonly ephemerals: readonly string[]
}

/**
 * Lists the sessions by id. It takes time in proportion to them and their nodes.
 *
 * @param hosts - those of this process that run
 */
export function sessionsOf(hosts: readonly Host[]): EnsembleSession[] {
  const views = hosts.map((host) => ({ status: host.status(), seen: host.inspect() }))
  const best = views.find(({ seen }) => seen.leading !== null) ?? newestOf(views)
  if (best === undefined) return []
  const ephemerals = new Map([...best.seen.ephemeralsBySession].map(([id, paths]) => [id, [...paths]]))
  const places = new Map(views.flatMap(({ status, seen }) => {
    return seen.connections.map(({ sessionId, address }) => [sessionId, { server: status.myid, address }] as const)
  }))
  const local = views.flatMap(({ seen }) => seen.localSessions ?? [])
  const known = new Map([...best.seen.sessions, ...local].map((session) => [BigInt(session.id), session]))
  return [...known].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { id, timeoutMs, expiresInMs }]) => {
    const { server = null, address = null } = places.get(id) ?? {}
    return { id, timeoutMs, expiresInMs, server, address, ephemerals: ephemerals.get(id)?.sort() ?? [] }
  })
}

type Seen = { readonly status: ReturnType<Host['status']>; readonly seen: ServerInspection }

function newestOf(views: readonly Seen[]): Seen | undefined {
  return [...views].sort((a, b) => (a.status.zxid > b.status.zxid ? -1 : 1))[0]
}
