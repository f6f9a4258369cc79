/** The ensemble: where its servers stand, what can be lost, and what needs somebody. */
import type { Client } from '../../core/client.ts'
import type { Answer, Ensemble, Finding, Server } from '../api.ts'
import type { DashboardSettings } from '../options.ts'
import type { Chronicle } from '../servers/chronicle.ts'
import { askedStates, localStates } from '../servers/server-states.ts'
import type { ServerState } from '../servers/server-states.ts'
import { answer, hex } from './reading.ts'

const BEHIND_MAX = 100

const NO_SERVERS = 'No servers are known: this engine does not tell of them, or nobody has said where they are.'
const NOT_ASKED = 'The servers that were asked do not tell it.'

/** Where servers can be asked. */
export type ServersSource = Pick<DashboardSettings, 'ensemble' | 'servers'>

/** Reads it; never fails for servers that do not answer. */
export async function readEnsemble(
  client: Client | null,
  source: ServersSource,
  chronicle: Chronicle,
  signal: AbortSignal,
): Promise<Answer<Ensemble>> {
  const [states, roundTripMs] = await Promise.all([statesOf(source, signal), roundTripOf(client, signal)])
  const servers = chronicle.see(states)
  const leading = servers.find(isLeading)
  const voters = states.filter(({ role }) => role !== 'OBSERVING').length
  const answering = states.filter(({ role }) => role !== null && role !== 'OBSERVING' && role !== 'LOOKING').length
  const quorum = Math.floor(voters / 2) + 1
  const areKnown = states.length > 0
  const serving = roundTripMs !== null
  const ensemble = {
    serving,
    session: { id: idOf(client), status: client?.state.status ?? 'connecting', roundTripMs },
    leader: leading?.id ?? null,
    leaderSinceMs: leading?.lane.at(-1)?.fromMs ?? null,
    epoch: leading?.epoch ?? null,
    zxid: leading?.applied ?? null,
    voters: areKnown ? voters : null,
    answering: areKnown ? answering : null,
    canLose: areKnown ? Math.max(0, answering - quorum) : null,
    sessions: mostOf(states, 'sessions'),
    watches: sumOf(states.map(({ watches }) => watches)),
    nodes: mostOf(states, 'nodes'),
    lanesSinceMs: chronicle.sinceMs,
    servers,
  }
  const untold = untoldOf(ensemble, areKnown)
  return answer({ ...ensemble, findings: findingsOf(ensemble, quorum) }, { total: servers.length, untold })
}

async function statesOf({ ensemble, servers }: ServersSource, signal: AbortSignal): Promise<ServerState[]> {
  if (ensemble !== undefined) return localStates(ensemble)
  return servers.length === 0 ? [] : askedStates(servers, signal)
}

/** How long a read of the root takes; null if nobody answers it. */
async function roundTripOf(client: Client | null, signal: AbortSignal): Promise<number | null> {
  if (client === null || client.state.status !== 'connected') return null
  const startMs = performance.now()
  try {
    await client.exists('/', { signal })
    return Math.round((performance.now() - startMs) * 10) / 10
  } catch {
    return null
  }
}

function idOf(client: Client | null): string | null {
  const id = client?.sessionId ?? null
  return id === null ? null : hex(id)
}

function isLeading({ role }: Pick<Server, 'role'>): boolean {
  return role === 'LEADING' || role === 'STANDALONE'
}

function mostOf(states: readonly ServerState[], name: 'sessions' | 'nodes'): number | null {
  const told = states.map((state) => state[name]).filter((value) => value !== null)
  return told.length === 0 ? null : Math.max(...told)
}

function sumOf(values: readonly (number | null)[]): number | null {
  const told = values.filter((value) => value !== null)
  return told.length === 0 ? null : told.reduce((sum, value) => sum + value, 0)
}

function untoldOf(ensemble: Omit<Ensemble, 'findings'>, areKnown: boolean): Record<string, string> {
  const names = ['leader', 'epoch', 'zxid', 'voters', 'sessions', 'watches', 'nodes'] as const
  const missing = names.filter((name) => ensemble[name] === null)
  const why = areKnown ? NOT_ASKED : NO_SERVERS
  const untold: Record<string, string> = Object.fromEntries(missing.map((name) => [name, why]))
  return areKnown ? untold : { ...untold, servers: NO_SERVERS }
}

/** Worst first. */
function findingsOf(ensemble: Omit<Ensemble, 'findings'>, quorum: number): Finding[] {
  const { serving, leader, voters, answering, canLose, servers } = ensemble
  const findings: Finding[] = []
  const areKnown = voters !== null && answering !== null
  if (areKnown && answering < quorum) {
    const text = `There is no quorum: ${answering} of ${voters} voters answer, ${quorum} must.`
    findings.push({ level: 'bad', text })
  } else if (!serving) findings.push({ level: 'bad', text: 'The session of this dashboard is not answered.' })
  if (areKnown && voters > 1 && leader !== null && canLose === 0) {
    findings.push({ level: 'bad', text: 'Losing one more voter stops it.' })
  }
  for (const { id, role, why, behind } of servers) {
    const reason = why ?? 'nobody knows why'
    if (role === null) findings.push({ level: 'warn', text: `Server ${id} does not answer: ${reason}.` })
    else if (role === 'LOOKING') findings.push({ level: 'warn', text: `Server ${id} looks for a leader.` })
    else if (behind !== null && behind > BEHIND_MAX) {
      findings.push({ level: 'warn', text: `Server ${id} is behind by ${behind} transactions.` })
    }
  }
  return findings
}
