/** A command on locks: `locks ls`, `locks who`, `locks revoke`, `locks evict` and `locks --graph`. */
import { Failure } from '../exit-status.ts'
import { jsonData, textOf } from '../output.ts'
import { oneLine, visibleLine } from '../visible.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { wrong } from './command.ts'
import { showGraph } from './lock-graph.ts'
import type { ContenderInfo } from '../../recipes/engine/contenders.ts'
import { askHolders, evictContender, readLock, readLocks } from '../../recipes/locks/inspect.ts'
import { agoText, hex } from './node-text.ts'
import { tableText } from './table.ts'

/** How much of what a contender says of itself stands in a table. */
const DATA_CHARS_MAX = 60

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
  words: [0, 3],
  run: locks,
}

export const LOCK_COMMANDS: readonly Command[] = [
  LOCKS,
]

async function locks(context: CommandContext, given: Given): Promise<void> {
  const [what, path] = given.words
  if (given.has('graph')) {
    if (path !== undefined) throw wrong(LOCKS, `--graph takes one path, got ${given.words.join(' ')}`)
    return showGraph(context, what ?? GRAPH_ROOT)
  }
  if (what === undefined || path === undefined) throw wrong(LOCKS, 'too few arguments')
  const token = given.words[2]
  if (given.has('r') && what !== 'revoke') throw wrong(LOCKS, `${what} has no flag -r`)
  if (token !== undefined && what !== 'evict') throw wrong(LOCKS, `${what}: too many arguments`)
  if (what === 'ls') await listLocks(context, path)
  else if (what === 'who') await listContenders(context, path)
  else if (what === 'revoke') await revoke(context, path, given.value('r') ?? '')
  else if (what === 'evict') await evict(context, path, token)
  else throw wrong(LOCKS, `it takes ls, who, revoke or evict, got ${JSON.stringify(what)}`)
}

async function revoke({ client, signal, print }: CommandContext, path: string, reason: string): Promise<void> {
  const asked = await askHolders(client(), path, reason, signal)
  const sessions = asked.map(({ sessionId }) => hex(sessionId)).join(', ')
  print({
    text: asked.length === 0 ? 'nobody who holds can be asked\n' : `asked ${sessions}\n`,
    json: { path, asked: asked.map(jsonContender) },
  })
}

async function evict({ client, signal, print }: CommandContext, path: string, text = ''): Promise<void> {
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
  const nowMs = Date.now()
  const rows = contenders.map((contender) => [
    String(contender.position),
    stateOf(contender),
    agoText(contender.sinceMs, nowMs),
    hex(contender.sessionId),
    contender.token.toString(),
    says(contender),
  ])
  print({
    text: rows.length === 0 ? 'nobody\n' : tableText([['#', 'STATE', 'SINCE', 'SESSION', 'TOKEN', 'SAYS'], ...rows]),
    json: { path, contenders: contenders.map(jsonContender) },
  })
}

/** How many of a queue wait. */
function waitingIn(contenders: readonly ContenderInfo[]): number {
  return contenders.filter(({ holds }) => !holds).length
}

/** The state of a contender; of a read-write lock, also its side. */
function stateOf({ kind, holds }: ContenderInfo): string {
  if (kind === 'lock') return holds ? 'holds' : 'waits'
  return holds ? `${kind}s` : `waits to ${kind}`
}

function jsonContender({ data, ...contender }: ContenderInfo): object {
  return { ...contender, ...jsonData(data) }
}

/** The data of a contender, on one line. */
function says({ data }: ContenderInfo): string {
  const text = textOf(data) ?? `${data.length} bytes`
  const line = visibleLine(text)
  return line.length <= DATA_CHARS_MAX ? line : `${line.slice(0, DATA_CHARS_MAX - 3)}...`
}
