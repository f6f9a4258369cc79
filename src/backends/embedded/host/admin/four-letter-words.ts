/**
 * The four-letter words: what an operator asks of a server with `echo srvr | nc host 2181`.
 *
 * Model     a word in place of the first frame's length is answered with text, and the connection ends. Only enabled
 *           words are executed; the others are told so. A word the server does not know is no word.
 * Length    an answer is made line by line while it is sent, as fast as the client takes it: what `dump` or `wchp` has
 *           to tell can be longer than a text may be.
 * Source    org.apache.zookeeper.server.command, ServerStats.java, ServerCnxn.java, DataTree.java of ZooKeeper 3.8, and
 *           what a server of that version prints.
 */
import { arch, homedir, hostname, platform, release, tmpdir, userInfo } from 'node:os'
import { OpCode } from '../../../wire/codes.ts'
import type { ClientSocket } from '../clients/tcp-socket.ts'
import type { ServerInspection } from '../../server/inspection.ts'
import type { Host } from '../host.ts'
import { decimal, monitorLines, nodeCount } from './monitor.ts'
import type { Traffic } from '../clients/traffic.ts'

/** What `srvr` and others call the version: monitoring of the field wants a ZooKeeper's. */
const VERSION = '3.8.0-quorate'
const NOT_SERVING = 'This ZooKeeper instance is not currently serving requests\n'
const BYTES_PER_MB = 1024 * 1024

/** All words that can be enabled. */
export const FOUR_LETTER_WORDS = [
  'conf',
  'cons',
  'crst',
  'dirs',
  'dump',
  'envi',
  'isro',
  'mntr',
  'ruok',
  'srst',
  'srvr',
  'stat',
  'wchc',
  'wchp',
  'wchs',
] as const

type FourLetterWord = (typeof FOUR_LETTER_WORDS)[number]

/** What the reference calls operations in `cons`. */
const OPERATION_NAMES: ReadonlyMap<number, string> = new Map([
  [OpCode.create, 'CREA'],
  [OpCode.create2, 'CREA'],
  [OpCode.createTTL, 'CREA'],
  [OpCode.createContainer, 'CREA'],
  [OpCode.delete, 'DELE'],
  [OpCode.deleteContainer, 'DELE'],
  [OpCode.exists, 'EXIS'],
  [OpCode.getData, 'GETD'],
  [OpCode.setData, 'SETD'],
  [OpCode.getAcl, 'GETA'],
  [OpCode.setAcl, 'SETA'],
  [OpCode.getChildren, 'GETC'],
  [OpCode.getChildren2, 'GETC'],
  [OpCode.sync, 'SYNC'],
  [OpCode.ping, 'PING'],
  [OpCode.check, 'CHEC'],
  [OpCode.multi, 'MULT'],
  [OpCode.multiRead, 'MLTR'],
  [OpCode.reconfig, 'RECO'],
  [OpCode.checkWatches, 'CHKW'],
  [OpCode.removeWatches, 'REMW'],
  [OpCode.setWatches, 'SETW'],
  [OpCode.setWatches2, 'STW2'],
  [OpCode.addWatch, 'ADDW'],
  [OpCode.getEphemerals, 'GETE'],
  [OpCode.getAllChildrenNumber, 'GETACN'],
  [OpCode.whoAmI, 'HOMI'],
  [OpCode.createSession, 'SESS'],
  [OpCode.closeSession, 'CLOS'],
])

/** What is asked of a server. */
export type InspectedHost = Pick<Host, 'status' | 'inspect'>

/** What the words are about. */
export interface FourLetterSources {
  readonly enabled: ReadonlySet<string>
  readonly traffic: Traffic
  connections(): Iterable<ClientSocket>
  /** Requests that have no reply yet. */
  outstanding(): number
  /** The server; null while there is none. */
  host(): InspectedHost | null
  /** The text of `conf`. */
  configuration(): string
  /** The servers that this one works with. */
  readonly company: Company
}

/** The servers around one. */
export interface Company {
  /** There is no other, and none will come. */
  readonly isStandalone: boolean
  /** How many have a vote. */
  readonly voters: number
}

/** Answers four-letter words. */
export class FourLetterWords {
  readonly #sources: FourLetterSources
  readonly #startedMs = performance.now()

  constructor(sources: FourLetterSources) {
    this.#sources = sources
  }

  /** The answer to a word of a client, which counts as a packet; null if it is none. */
  answer(word: string, client: ClientSocket): Iterable<string> | null {
    if (!isFourLetterWord(word)) return null
    client.traffic.received += 1
    this.#sources.traffic.received += 1
    const answer = this.#answerKnown(word)
    this.#sources.traffic.sent += 1
    return typeof answer === 'string' ? [answer] : answer
  }

  #answerKnown(word: FourLetterWord): string | Iterable<string> {
    if (!this.#sources.enabled.has(word)) return `${word} is not executed because it is not in the whitelist.\n`
    const host = this.#sources.host()
    if (word === 'ruok') return 'imok'
    if (word === 'envi') return environment()
    const isServing = host?.status().serving ?? false
    if (host === null || !isServing) return word === 'isro' ? 'null' : NOT_SERVING
    return this.#answer(word, host)
  }

  #answer(word: Exclude<FourLetterWord, 'ruok' | 'envi'>, host: InspectedHost): string | Iterable<string> {
    switch (word) {
      case 'srvr':
        return this.#server(host, '')
      case 'stat':
        return this.#server(host, `Clients:\n${this.#clients(false)}\n`)
      case 'cons':
        return `${this.#clients(true)}\n`
      case 'mntr':
        return this.#monitor(host)
      case 'conf':
        return this.#sources.configuration()
      case 'dump':
        return this.#dump(host)
      case 'wchs':
        return watchSummary(host)
      case 'wchp':
        return closed(grouped(host.inspect().watchesByPath, ''))
      case 'wchc':
        return closed(grouped(host.inspect().watchesBySession, ''))
      case 'isro':
        return 'rw'
      case 'dirs':
        return 'datadir_size: 0\nlogdir_size: 0\n'
      case 'crst':
        for (const { traffic } of this.#sources.connections()) traffic.reset()
        return 'Connection stats reset.\n'
      case 'srst':
        this.#sources.traffic.reset()
        return 'Server stats reset.\n'
    }
  }

  #server(host: InspectedHost, clients: string): string {
    const { latency, received, sent } = this.#sources.traffic
    const { zxid } = host.status()
    const mode = this.#mode(host)
    return lines([
      `Zookeeper version: ${VERSION}`,
      `${clients}Latency min/avg/max: ${latency.min}/${decimal(latency.average)}/${latency.max}`,
      `Received: ${received}`,
      `Sent: ${sent}`,
      `Connections: ${this.#connectionCount}`,
      `Outstanding: ${this.#sources.outstanding()}`,
      `Zxid: 0x${hex(zxid)}`,
      `Mode: ${mode}`,
      `Node count: ${nodeCount(host.status())}`,
      ...(mode === 'leader' ? [proposalSizes(host)] : []),
    ])
  }

  #clients(isFull: boolean): string {
    return lines([...this.#sources.connections()].map((client) => clientLine(client, isFull)))
  }

  #mode(host: InspectedHost): string {
    return this.#sources.company.isStandalone ? 'standalone' : MODES[host.status().role]
  }

  get #connectionCount(): number {
    return [...this.#sources.connections()].length
  }

  #monitor(host: InspectedHost): string {
    const { isStandalone, voters } = this.#sources.company
    return lines(monitorLines({
      version: VERSION,
      mode: this.#mode(host),
      isStandalone,
      status: host.status(),
      seen: host.inspect(),
      traffic: this.#sources.traffic,
      connectionCount: this.#connectionCount,
      outstanding: this.#sources.outstanding(),
      uptimeMs: performance.now() - this.#startedMs,
      voters,
    }))
  }

  *#dump(host: InspectedHost): Generator<string> {
    const { sessions, ephemeralsBySession, ephemeralOwners } = host.inspect()
    yield 'SessionTracker dump:\n'
    if (host.status().role === 'LEADING') {
      yield* expirySets('Session', sessions.map(({ id, expiresInMs }) => ({ line: id, inMs: expiresInMs ?? 0 })))
    } else {
      yield `Global Sessions(${sessions.length}):\n`
      for (const { id, timeoutMs } of sessions) yield `${id}\t${timeoutMs}ms\n`
    }
    yield 'ephemeral nodes dump:\n'
    yield `Sessions with Ephemerals (${ephemeralOwners}):\n`
    yield* grouped(ephemeralsBySession, ':')
    yield 'Connections dump:\n'
    yield* expirySets('Connections', [...this.#sources.connections()].map((client) => {
      const line = `ip: /${addressOf(client)} sessionId: 0x${hex(client.sessionId)}`
      return { line, inMs: client.sessionTimeoutMs }
    }))
  }
}

const MODES = { LOOKING: 'looking', LEADING: 'leader', FOLLOWING: 'follower', OBSERVING: 'observer' } as const

function isFourLetterWord(word: string): word is FourLetterWord {
  return (FOUR_LETTER_WORDS as readonly string[]).includes(word)
}

/** Of what a leader has proposed. */
function proposalSizes(host: InspectedHost): string {
  const { last = -1, min = -1, max = -1 } = host.inspect().leading?.proposalSizes ?? {}
  return `Proposal sizes last/min/max: ${last}/${min}/${max}`
}

function clientLine(client: ClientSocket, isFull: boolean): string {
  const { traffic, outstanding, sessionId } = client
  const counts = `queued=${outstanding},recved=${traffic.received},sent=${traffic.sent}`
  const session = isFull && sessionId !== 0n ? sessionPart(client) : ''
  return ` /${addressOf(client)}[${client.isReading ? 1 : 0}](${counts}${session})`
}

function sessionPart({ traffic, sessionId, sessionTimeoutMs, establishedMs }: ClientSocket): string {
  const { lastOp, lastXid, lastZxid, lastResponseAtMs, lastLatencyMs, latency } = traffic
  const values: [string, string | number][] = [
    ['sid', `0x${hex(sessionId)}`],
    ['lop', OPERATION_NAMES.get(lastOp) ?? 'NA'],
    ['est', establishedMs],
    ['to', sessionTimeoutMs],
    ...(lastXid < 0 ? [] : [['lcxid', `0x${lastXid.toString(16)}`] as [string, string]]),
    ['lzxid', `0x${hex(lastZxid)}`],
    ['lresp', Math.trunc(lastResponseAtMs)],
    ['llat', lastLatencyMs],
    ['minlat', latency.min],
    ['avglat', Math.trunc(latency.average)],
    ['maxlat', latency.max],
  ]
  return values.map(([key, value]) => `,${key}=${value}`).join('')
}

function watchSummary(host: InspectedHost): string {
  const { count, paths, connections } = host.inspect().nodeWatches
  return `${connections} connections watching ${paths} paths\nTotal watches:${count}\n`
}

/** What expires together, as the reference's queue of buckets shows it. */
function* expirySets(
  name: string,
  entries: readonly { readonly line: string; readonly inMs: number }[],
): Generator<string> {
  const sets = new Map<number, string[]>()
  const nowMs = Date.now()
  for (const { line, inMs } of entries) {
    const seconds = Math.ceil((nowMs + inMs) / 1000)
    const set = sets.get(seconds)
    if (set === undefined) sets.set(seconds, [line])
    else set.push(line)
  }
  yield `${name} Sets (${sets.size})/(${entries.length}):\n`
  for (const [seconds, set] of [...sets].sort(([a], [b]) => a - b)) {
    yield `${set.length} expire at ${javaDate(seconds * 1000)}:\n`
    for (const line of set) yield `\t${line}\n`
  }
}

/** As java.util.Date prints itself: `Wed Nov 25 15:01:57 UTC 2026`. */
function javaDate(ms: number): string {
  const [day, date, month, year, time] = new Date(ms).toUTCString().replace(',', '').split(' ')
  return `${day} ${month} ${date} ${time} UTC ${year}`
}

function* grouped(groups: ServerInspection['watchesByPath'], headEnd: string): Generator<string> {
  for (const [head, members] of groups) {
    yield `${head}${headEnd}\n`
    for (const member of members) yield `\t${member}\n`
  }
}

/** With an empty line at the end. */
function* closed(texts: Iterable<string>): Generator<string> {
  yield* texts
  yield '\n'
}

function environment(): string {
  const { heapTotal, heapUsed, rss } = process.memoryUsage()
  const mb = (bytes: number): string => `${Math.trunc(bytes / BYTES_PER_MB)}MB`
  return lines([
    'Environment:',
    `zookeeper.version=${VERSION}`,
    `host.name=${hostname()}`,
    `node.version=${process.version}`,
    `node.home=${process.execPath}`,
    `java.io.tmpdir=${tmpdir()}`,
    `os.name=${platform()}`,
    `os.arch=${arch()}`,
    `os.version=${release()}`,
    `user.name=${userName()}`,
    `user.home=${homedir()}`,
    `user.dir=${process.cwd()}`,
    `os.memory.free=${mb(heapTotal - heapUsed)}`,
    `os.memory.max=${mb(rss)}`,
    `os.memory.total=${mb(heapTotal)}`,
  ])
}

/** A process in a container may run as a user that has no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return '<NA>'
  }
}

function addressOf({ address, port }: ClientSocket): string {
  return `${address}:${port}`
}

function hex(value: bigint): string {
  return BigInt.asUintN(64, value).toString(16)
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('')
}
