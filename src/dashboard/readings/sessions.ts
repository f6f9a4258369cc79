/**
 * Sessions: whose ends next, where its client is, and which nodes go with it.
 *
 * Sources   an ensemble of this process tells all of it; servers elsewhere answer the words `dump` and `cons` where
 *           those are enabled. Where neither is, the sessions are those that own a node below the roots.
 */
import type { Client } from '../../core/client.ts'
import type { Answer, Family, SessionRow } from '../api.ts'
import { askedSessions, localSessions } from '../servers/known-sessions.ts'
import type { KnownSession } from '../servers/known-sessions.ts'
import type { ServersSource } from './ensemble.ts'
import { answer, hex } from './reading.ts'
import { untoldOf, walk } from './walk.ts'

const ROWS_MAX = 500
const PATHS_MAX = 50

const OWNERS_ALONE = 'Shown are those who own a node below the roots of the views: nobody tells of the others.'
const CONNECTED_OR_OWNERS = 'Shown are those who are connected to a server that was asked, or own a node.'
const NOT_TOLD = {
  expiresInMs: 'Only a leader in the process of the dashboard tells it.',
  server: 'The servers that were asked do not tell it.',
  ephemerals: 'No server answers the word dump: it is not enabled, or its answer is too long.',
} as const

/** Reads them; those that are silent first, the next to end before all. */
export async function readSessions(
  client: Client,
  source: ServersSource,
  roots: Readonly<Record<Family, readonly string[]>>,
  signal: AbortSignal,
): Promise<Answer<SessionRow[]>> {
  const own = client.sessionId === null ? null : hex(client.sessionId)
  const { ensemble, servers } = source
  if (ensemble !== undefined) return answerOf(localSessions(ensemble), own, client.root, [])
  const asked = servers.length === 0 ? null : await askedSessions(servers, signal)
  if (asked !== null) return answerOf(asked, own, client.root, [CONNECTED_OR_OWNERS])
  const walked = await walk(client, Object.values(roots).flat(), signal, () => true)
  return answerOf(ownersIn(walked.met), own, '/', [OWNERS_ALONE, ...Object.values(untoldOf(walked))])
}

/** When a session ends that is not heard of as often as a client that is well; others stand in a steady order. */
function silentMs({ expiresInMs, timeoutMs }: KnownSession): number {
  const isSilent = expiresInMs !== null && timeoutMs !== null && expiresInMs < timeoutMs / 2
  return isSilent ? expiresInMs : Number.MAX_SAFE_INTEGER
}

/** Paths as a client has them that lives below a root. */
function within(root: string, paths: readonly string[]): readonly string[] {
  if (root === '/') return paths
  return paths.filter((path) => path.startsWith(`${root}/`)).map((path) => path.slice(root.length))
}

function ownersIn(met: Awaited<ReturnType<typeof walk>>['met']): KnownSession[] {
  const owned = new Map<bigint, string[]>()
  for (const { path, stat: { ephemeralOwner } } of met) {
    if (ephemeralOwner === 0n) continue
    const paths = owned.get(ephemeralOwner)
    if (paths === undefined) owned.set(ephemeralOwner, [path])
    else paths.push(path)
  }
  const unknown = { timeoutMs: null, expiresInMs: null, server: null, address: null }
  return [...owned].map(([id, ephemerals]) => ({ id: hex(id), ...unknown, ephemerals }))
}

function answerOf(
  sessions: readonly KnownSession[],
  own: string | null,
  root: string,
  notes: readonly string[],
): Answer<SessionRow[]> {
  const sorted = [...sessions].sort((a, b) => silentMs(a) - silentMs(b) || (a.id < b.id ? -1 : 1))
  const rows = sorted.slice(0, ROWS_MAX).map(({ ephemerals, ...session }): SessionRow => ({
    ...session,
    isOwn: session.id === own,
    ephemerals: ephemerals?.length ?? null,
    paths: within(root, ephemerals ?? []).slice(0, PATHS_MAX),
  }))
  const left = sorted.length > ROWS_MAX ? [`Only the first ${ROWS_MAX} of ${sorted.length} sessions are shown.`] : []
  const all = [...notes, ...left].join(' ')
  const untold = Object.fromEntries(Object.entries(NOT_TOLD).filter(([name]) => {
    return rows.some((row) => row[name as keyof typeof NOT_TOLD] === null)
  }))
  const total = notes.length === 0 ? sorted.length : null
  return answer(rows, { total, untold: all === '' ? untold : { ...untold, all } })
}
