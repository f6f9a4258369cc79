/**
 * The checks of the servers of an ensemble, ours or ZooKeeper's, by their four-letter words: whether there is a quorum
 * and how many may be lost, what is wrong with single servers, and which words they answer.
 */
import { textOf } from '../../backends/client/server-address.ts'
import type { ServerAddress } from '../../backends/client/server-address.ts'
import { askWord } from '../../dashboard/servers/ask-word.ts'
import { failedRow, rowOf, withLags } from '../../dashboard/servers/server-row.ts'
import type { ServerRow } from '../../dashboard/servers/server-row.ts'
import { visibleLine } from '../visible.ts'
import { checked, countOf, leftOut } from './finding.ts'
import type { Checked, Finding } from './finding.ts'

const LIMIT_MS = 3_000
const LAG_MAX = 100
const LATENCY_MS_MAX = 100
const OUTSTANDING_MAX = 100
/** The fraction of its file descriptors that a server may use without a finding. */
const DESCRIPTORS_PART_MAX = 0.8
/** Words of each server that people and programs ask for. */
const WORDS = ['srvr', 'mntr', 'ruok'] as const
const IN_WHITELIST = /is not in the whitelist/

/** One server, by its words. */
interface Asked {
  readonly row: ServerRow
  /** The answer to `mntr`. */
  readonly monitor: string
  /** The words that it refuses. */
  readonly refused: readonly string[]
}

/** Makes them. */
export async function checkServers(addresses: readonly ServerAddress[], stop: AbortSignal): Promise<Checked[]> {
  if (addresses.length === 0) {
    const why = 'this engine does not tell of its servers'
    return [leftOut('quorum', why), leftOut('servers', why), leftOut('words', why)]
  }
  const asked = await Promise.all(addresses.map((address) => ask(address, stop)))
  const rows = withLags(asked.map(({ row }) => row))
  return [quorumCheck(rows), serversCheck(rows, asked), wordsCheck(asked)]
}

async function ask(address: ServerAddress, stop: AbortSignal): Promise<Asked> {
  const server = textOf(address)
  const failed = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))
  const [srvr = '', monitor = '', ok = ''] = await Promise.all(WORDS.map((word) => {
    return askWord(address, word, LIMIT_MS, stop).catch(failed)
  }))
  const answers = [srvr, monitor, ok].map((answer) => (typeof answer === 'string' ? answer : ''))
  const refused = WORDS.filter((_, index) => IN_WHITELIST.test(answers[index] ?? ''))
  const row = typeof srvr === 'string' ? rowOf(server, srvr, answers[1] ?? '') : failedRow(server, srvr.message)
  return { row, monitor: answers[1] ?? '', refused }
}

function quorumCheck(rows: readonly ServerRow[]): Checked {
  const voters = rows.filter(({ role }) => role !== 'observer').length
  const answering = rows.filter(({ role }) => role !== null && role !== 'observer').length
  const leaders = rows.filter(({ role }) => role === 'leader' || role === 'standalone')
  const quorum = Math.floor(voters / 2) + 1
  const says = `${answering} of ${countOf(voters, 'voter')} that the URL names serve`
  if (leaders.length === 0) {
    return checked('quorum', says, [{
      level: 'bad',
      what: `no server leads: ${says}`,
      why: 'without a leader nothing is read or written',
      todo: `see that ${quorum} of the servers run and reach each other on their election and quorum ports`,
    }])
  }
  return checked('quorum', says, voters === 1 ? [aloneFinding()] : redundancyFindings(voters, answering, quorum))
}

function aloneFinding(): Finding {
  return {
    level: 'note',
    what: 'one server is known',
    why: 'when it stops nothing is served; and servers that the URL does not name are not tried',
    todo: 'name all servers in the URL, or run three of them for what must not stop',
  }
}

function redundancyFindings(voters: number, answering: number, quorum: number): Finding[] {
  const findings: Finding[] = []
  if (answering <= quorum) {
    findings.push({
      level: 'bad',
      what: `${answering} of ${voters} voters serve, and ${quorum} must`,
      why: 'when one more stops, nothing is served',
      todo: 'start the servers that do not answer',
    })
  }
  if (voters % 2 === 0) {
    findings.push({
      level: 'note',
      what: `there are ${voters} voters, an even number`,
      why: `no more of them may stop than of ${voters - 1}, and each write waits for one more`,
      todo: 'run an odd number of voters; others can be observers',
    })
  }
  return findings
}

function serversCheck(rows: readonly ServerRow[], asked: readonly Asked[]): Checked {
  const findings = rows.flatMap((row, index) => [...rowFindings(row), ...monitorFindings(row, asked[index])])
  const versions = new Set(rows.flatMap(({ version }) => (version === null ? [] : [visibleLine(version)])))
  if (versions.size > 1) {
    findings.push({
      level: 'note',
      what: `servers run ${countOf(versions.size, 'version')}: ${[...versions].sort().join(', ')}`,
      why: 'that is meant for the time of an upgrade only',
      todo: 'finish the upgrade',
    })
  }
  const says = rows.map(({ server, role }) => `${server} ${visibleLine(role ?? 'does not serve')}`).join(', ')
  return checked('servers', says, findings)
}

function rowFindings({ server, role, lag, error }: ServerRow): Finding[] {
  if (role === null) {
    return [{
      level: 'warn',
      what: `${server} does not serve: ${visibleLine(error ?? 'nobody knows why')}`,
      why: 'one less may be lost, and clients that try it lose time',
      todo: 'start it, see its log, or take it out of the URL',
    }]
  }
  if (lag !== null && lag <= LAG_MAX) return []
  return [{
    level: 'warn',
    what: `${server} is behind by ${lag === null ? 'an epoch or more' : countOf(lag, 'write')}`,
    why: 'who reads there reads what was',
    todo: 'look at its disk and its network; quorate status --watch 2 shows whether it catches up',
  }]
}

function monitorFindings({ server }: ServerRow, asked: Asked | undefined): Finding[] {
  const value = (name: string): number | null => {
    const text = new RegExp(`^zk_${name}\\t(\\d+(?:\\.\\d+)?)$`, 'm').exec(asked?.monitor ?? '')?.[1]
    return text === undefined ? null : Number(text)
  }
  const [latency, waiting] = [value('avg_latency'), value('outstanding_requests')]
  const [open, most] = [value('open_file_descriptor_count'), value('max_file_descriptor_count')]
  const findings: Finding[] = []
  if ((latency ?? 0) > LATENCY_MS_MAX || (waiting ?? 0) > OUTSTANDING_MAX) {
    findings.push({
      level: 'warn',
      what: `${server} takes ${latency ?? 'unknown'} ms for a request on average, and ${waiting ?? 'unknown'} wait`,
      why: 'sessions whose pings wait too long end, and their locks with them',
      todo: 'look at its disk (a log of its own), its memory and its clients',
    })
  }
  if (open !== null && most !== null && open > most * DESCRIPTORS_PART_MAX) {
    findings.push({
      level: 'warn',
      what: `${server} has ${open} of ${most} file descriptors in use`,
      why: 'when they are used up it accepts no client',
      todo: 'raise the limit (ulimit -n, LimitNOFILE), or find out who opens so many connections',
    })
  }
  return findings
}

function wordsCheck(asked: readonly Asked[]): Checked {
  const byWords = new Map<string, string[]>()
  for (const { row, refused } of asked) {
    const words = refused.join(', ')
    if (words !== '') byWords.set(words, [...(byWords.get(words) ?? []), row.server])
  }
  const findings = [...byWords].map(([words, servers]): Finding => ({
    level: words === 'ruok' ? 'note' : 'warn',
    what: `${servers.join(', ')} ${servers.length === 1 ? 'does' : 'do'} not answer ${words}`,
    why: 'quorate status, top, the dashboard and health checks of orchestrators ask for them',
    todo: `in the configuration: 4lw.commands.whitelist=${WORDS.join(', ')}`,
  }))
  const answering = asked.filter(({ refused, row }) => refused.length === 0 && row.role !== null).length
  return checked('words', `${countOf(answering, 'server')} of ${asked.length} answer ${WORDS.join(', ')}`, findings)
}
