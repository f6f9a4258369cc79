/**
 * The four-letter words: an operator's questions to a server, as in `echo srvr | nc host 2181`.
 *
 * Model     a word in place of the first frame's length is answered with text, and the connection ends. Only enabled
 *           words are executed; the others get an answer that says so. A word the server does not know is no word.
 * Length    an answer is made line by line while it is sent, as fast as the client takes it: the answer of `dump` or
 *           `wchp` can be longer than a text may be.
 * Source    org.apache.zookeeper.server.command, ServerStats.java, ServerCnxn.java, DataTree.java of ZooKeeper 3.8, and
 *           the output of a server of that version.
 */
import { sizesOf } from '../storage/directory-size.ts'
import type { ClientSocket } from '../clients/tcp-socket.ts'
import type { ServerInspection, SessionInspection } from '../../server/inspection.ts'
import { environmentEntries } from './environment.ts'
import { decimal, nodeCount } from './metrics.ts'
import { monitorLines } from './monitor.ts'
import { NOT_SERVING, VERSION, addressOf, configurationLines, connectionCount, isShown } from './server-view.ts'
import { hex, modeOf, monitored, operationName, resetNumbers, servedZxid } from './server-view.ts'
import type { InspectedHost, ServerView } from './server-view.ts'
import { TRACE_MASK_BYTES } from './trace-mask.ts'
import { FOUR_LETTER_WORDS } from './word-names.ts'
import type { FourLetterWord } from './word-names.ts'

/** Those that are answered while clients are not served. */
type Always = 'ruok' | 'envi' | 'gtmk' | 'stmk'

/** Answers four-letter words. */
export class FourLetterWords {
  readonly #enabled: ReadonlySet<string>
  readonly #view: ServerView

  /**
   * Makes them.
   *
   * @param enabled - those that are executed
   * @param view - the server that they show
   */
  constructor(enabled: ReadonlySet<string>, view: ServerView) {
    this.#enabled = enabled
    this.#view = view
  }

  /** How many bytes belong to a word after it. */
  argumentBytes(word: string): number {
    return word === 'stmk' && this.#enabled.has(word) ? TRACE_MASK_BYTES : 0
  }

  /**
   * The answer to a word of a client, which counts as a packet; null if it is no known word.
   *
   * @param argument - the bytes that belong to it
   */
  answer(word: string, argument: Uint8Array, client: ClientSocket): Iterable<string> | null {
    if (!isFourLetterWord(word)) return null
    client.traffic.received += 1
    this.#view.traffic.received += 1
    if (argument.length > 0) this.#view.traceMask.setBytes(argument)
    const answer = this.#answerKnown(word)
    this.#view.traffic.sent += 1
    return typeof answer === 'string' ? [answer] : answer
  }

  #answerKnown(word: FourLetterWord): string | Iterable<string> {
    if (!this.#enabled.has(word)) return `${word} is not executed because it is not in the whitelist.\n`
    const host = this.#view.host()
    if (word === 'ruok') return 'imok'
    if (word === 'envi') return environment()
    if (word === 'gtmk' || word === 'stmk') return `${this.#view.traceMask.value}`
    if (host === null || !isShown(host.status())) return word === 'isro' ? 'null' : `${NOT_SERVING}\n`
    return this.#answer(word, host)
  }

  #answer(word: Exclude<FourLetterWord, Always>, host: InspectedHost): string | Iterable<string> {
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
        return configurationLines(this.#view)
      case 'dump':
        return this.#dump(host)
      case 'wchs':
        return watchSummary(host)
      case 'wchp':
        return closed(grouped(host.inspect().watchesByPath, ''))
      case 'wchc':
        return closed(grouped(host.inspect().watchesBySession, ''))
      case 'isro':
        return host.status().readOnly ? 'ro' : 'rw'
      case 'hash':
        return lines(host.inspect().digests.map(({ zxid, digest }) => `${hex(zxid)}: ${digest}`))
      case 'dirs':
        return directorySizes(this.#view)
      case 'crst':
        for (const { traffic } of this.#view.connections()) traffic.reset()
        return 'Connection stats reset.\n'
      case 'srst':
        resetNumbers(this.#view)
        return 'Server stats reset.\n'
    }
  }

  #server(host: InspectedHost, clients: string): string {
    const { latency, received, sent } = this.#view.traffic
    const zxid = servedZxid(host.status())
    const mode = modeOf(this.#view, host)
    return lines([
      `Zookeeper version: ${VERSION}`,
      ...(host.status().readOnly ? ['READ-ONLY mode; serving only read-only clients'] : []),
      `${clients}Latency min/avg/max: ${latency.min}/${decimal(latency.average)}/${latency.max}`,
      `Received: ${received}`,
      `Sent: ${sent}`,
      `Connections: ${connectionCount(this.#view)}`,
      `Outstanding: ${this.#view.outstanding()}`,
      `Zxid: 0x${hex(zxid)}`,
      `Mode: ${mode}`,
      `Node count: ${nodeCount(host.status())}`,
      ...(mode === 'leader' ? [proposalSizes(host)] : []),
    ])
  }

  #clients(isFull: boolean): string {
    return lines([...this.#view.connections()].map((client) => clientLine(client, isFull)))
  }

  #monitor(host: InspectedHost): string {
    return lines(monitorLines(monitored(this.#view, host)))
  }

  *#dump(host: InspectedHost): Generator<string> {
    const { sessions, localSessions, ephemeralsBySession, ephemeralOwners } = host.inspect()
    yield 'SessionTracker dump:\n'
    if (localSessions !== null) yield* expirySets('Local Session', localSessions.map(expiryOf))
    if (host.status().role === 'LEADING') {
      yield* expirySets(localSessions === null ? 'Session' : 'Global Session', sessions.map(expiryOf))
    } else {
      yield `Global Sessions(${sessions.length}):\n`
      for (const { id, timeoutMs } of sessions) yield `${id}\t${timeoutMs}ms\n`
    }
    yield 'ephemeral nodes dump:\n'
    yield `Sessions with Ephemerals (${ephemeralOwners}):\n`
    yield* grouped(ephemeralsBySession, ':')
    yield 'Connections dump:\n'
    yield* expirySets('Connections', [...this.#view.connections()].map((client) => {
      const line = `ip: /${addressOf(client)} sessionId: 0x${hex(client.sessionId)}`
      return { line, inMs: client.sessionTimeoutMs }
    }))
  }
}

function expiryOf({ id, expiresInMs }: SessionInspection): { readonly line: string; readonly inMs: number } {
  return { line: id, inMs: expiresInMs ?? 0 }
}

function isFourLetterWord(word: string): word is FourLetterWord {
  return (FOUR_LETTER_WORDS as readonly string[]).includes(word)
}

/** The line about the sizes of a leader's proposals; -1 on any other server. */
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
    ['lop', operationName(lastOp)],
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

function directorySizes(view: ServerView): string {
  const { data, log } = sizesOf(view.directories())
  return `datadir_size: ${data}\nlogdir_size: ${log}\n`
}

function watchSummary(host: InspectedHost): string {
  const { count, paths, connections } = host.inspect().nodeWatches
  return `${connections} connections watching ${paths} paths\nTotal watches:${count}\n`
}

/** The entries that expire together, as the reference's queue of buckets shows them. */
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
  return lines(['Environment:', ...environmentEntries(VERSION).map(([key, value]) => `${key}=${value}`)])
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('')
}
