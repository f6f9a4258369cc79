/** Commands on locks: `locks ls`, `locks who`, `locks revoke`, `locks evict` and `locks --graph`; and `semaphore`. */
import { Failure } from '../exit-status.ts'
import { jsonData, textOf } from '../output.ts'
import { oneLine } from '../visible.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { wrong } from './command.ts'
import { showGraph } from './lock-graph.ts'
import type { ContenderInfo } from '../../recipes/engine/contenders.ts'
import { LOCK } from '../../recipes/engine/lock-names.ts'
import { askHolders, evictContender, readLock, readLocks } from '../../recipes/locks/inspect.ts'
import { PERMIT } from '../../recipes/locks/permit-bid.ts'
import { readSemaphore } from '../../recipes/locks/permit-inspect.ts'
import { PERMITS_MAX } from '../../recipes/locks/permit-limit.ts'
import { Semaphore } from '../../recipes/locks/semaphore.ts'
import { agoText, hex } from './node-text.ts'
import { cellText, tableText } from './table.ts'
import { runVerb } from './verbs.ts'

/** The node below which `--graph` looks if none is named. */
const GRAPH_ROOT = '/locks'

const LOCKS: Command = {
  name: 'locks',
  usage: 'ls|who path | revoke [-r reason] path | evict path token | --graph [path]',
  summary: 'ls: the locks below a node, their holders and queues; who: everyone at one; --graph: who waits for whom',
  details: `revoke asks whoever holds a lock to give it up, and tells why; the holder decides
  -r reason   why
evict takes one out of the queue, by the token that who shows: if it holds, its lease is lost
`,
  flags: { graph: 'alone', r: 'value' },
  verbs: {
    ls: { words: [1, 1], run: (context, given) => listLocks(context, given.word(1)) },
    who: { words: [1, 1], run: (context, given) => listContenders(context, given.word(1)) },
    revoke: {
      words: [1, 1], flags: ['r'], run: (context, given) => revoke(context, given.word(1), given.value('r') ?? ''),
    },
    evict: { words: [2, 2], run: (context, given) => evict(context, given.word(1), given.word(2)) },
  },
  words: [0, 3],
  run: locks,
}

const SEMAPHORE: Command = {
  name: 'semaphore',
  usage: 'who path | set path permits',
  summary: 'shows how many permits a Semaphore has, who holds them and who waits; or changes their number for all',
  verbs: {
    who: { words: [1, 1], run: showSemaphore },
    set: { words: [2, 2], run: setPermits },
  },
  words: [0, 3],
  run: (context, given) => runVerb(SEMAPHORE, context, given),
}

export const LOCK_COMMANDS: readonly Command[] = [LOCKS, SEMAPHORE]

async function locks(context: CommandContext, given: Given): Promise<void> {
  if (!given.has('graph')) return runVerb(LOCKS, context, given)
  const [path = GRAPH_ROOT, ...more] = given.words
  if (more.length > 0) throw wrong(LOCKS, `--graph takes one path, got ${given.words.join(' ')}`)
  await showGraph(context, path)
}

async function revoke({ client, signal, print }: CommandContext, path: string, reason: string): Promise<void> {
  const asked = await askHolders(client(), path, reason, signal)
  const sessions = asked.map(({ sessionId }) => hex(sessionId)).join(', ')
  print({
    text: asked.length === 0 ? 'nobody who holds can be asked\n' : `asked ${sessions}\n`,
    json: { path, asked: asked.map(jsonContender) },
  })
}

async function evict({ client, signal, print }: CommandContext, path: string, text: string): Promise<void> {
  if (!/^\d+$/.test(text)) {
    throw wrong(LOCKS, `evict needs the token of a contender, as locks who shows it, got ${JSON.stringify(text)}`)
  }
  const evicted = await evictContender(client(), path, BigInt(text), signal)
  if (evicted === null) throw new Failure(`nobody at ${oneLine(path)} has the token ${text}`)
  print({ text: `evicted ${hex(evicted.sessionId)}\n`, json: { path, evicted: jsonContender(evicted) } })
}

async function listLocks({ client, signal, print }: CommandContext, path: string): Promise<void> {
  const found = await readLocks(client(), path, signal)
  const nowMs = Date.now()
  const rows = found.map(({ path: lockPath, contenders }) => {
    const [holder] = contenders
    if (holder === undefined) return [oneLine(lockPath)]
    const since = agoText(holder.sinceMs, nowMs)
    return [oneLine(lockPath), hex(holder.sessionId), since, String(waitingIn(contenders)), says(holder)]
  })
  print({
    text: rows.length === 0 ? '' : tableText([['LOCK', 'HOLDER', 'SINCE', 'WAITING', 'SAYS'], ...rows]),
    json: {
      path,
      locks: found.map(({ path: lockPath, contenders }) => ({
        path: lockPath,
        holder: contenders[0] === undefined ? null : jsonContender(contenders[0]),
        waiting: waitingIn(contenders),
      })),
    },
  })
}

async function listContenders({ client, signal, print }: CommandContext, path: string): Promise<void> {
  const { contenders } = await readLock(client(), path, signal)
  print({ text: contendersText(contenders), json: { path, contenders: contenders.map(jsonContender) } })
}

async function showSemaphore({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(1)
  const { permits, holders, waiting } = await readSemaphore(client(), path, signal)
  const json = { path, permits, holders: holders.map(jsonContender), waiting: waiting.map(jsonContender) }
  if (permits === null && holders.length + waiting.length === 0) {
    print({ text: `${oneLine(path)} has no permits\n`, json })
    return
  }
  const head = `${holders.length} of ${permits ?? 'an unknown number of'} permits held, ${waiting.length} waiting\n`
  print({ text: head + contendersText([...holders, ...waiting]), json })
}

async function setPermits({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const [, path = '', text = ''] = given.words
  const permits = /^\d{1,10}$/.test(text) ? Number(text) : 0
  if (permits < 1 || permits > PERMITS_MAX) {
    throw wrong(SEMAPHORE, `permits must be a whole number from 1 to ${PERMITS_MAX}, got ${JSON.stringify(text)}`)
  }
  await new Semaphore(client(), path, { permits }).setPermits(permits, { signal })
  print({ text: '', json: { path, permits } })
}

/** A table of contenders, first come first. */
function contendersText(contenders: readonly ContenderInfo[]): string {
  const nowMs = Date.now()
  const rows = contenders.map((contender) => [
    String(contender.position),
    stateOf(contender),
    agoText(contender.sinceMs, nowMs),
    hex(contender.sessionId),
    contender.token.toString(),
    says(contender),
  ])
  return rows.length === 0 ? 'nobody\n' : tableText([['#', 'STATE', 'SINCE', 'SESSION', 'TOKEN', 'SAYS'], ...rows])
}

/** How many of a queue wait. */
function waitingIn(contenders: readonly ContenderInfo[]): number {
  return contenders.filter(({ holds }) => !holds).length
}

/** The state of a contender; of a read-write lock, also its side. */
function stateOf({ kind, holds }: ContenderInfo): string {
  if (kind === LOCK || kind === PERMIT) return holds ? 'holds' : 'waits'
  return holds ? `${kind}s` : `waits to ${kind}`
}

function jsonContender({ data, ...contender }: ContenderInfo): object {
  return { ...contender, ...jsonData(data) }
}

/** The data of a contender, on one line. */
function says({ data }: ContenderInfo): string {
  return cellText(textOf(data) ?? `${data.length} bytes`)
}
