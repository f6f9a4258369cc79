/** Commands on processes and what is theirs: `members`, `leader`, `partitions` and `once`. */
import { readElection } from '../../recipes/leader/inspect.ts'
import { GroupMembership } from '../../recipes/membership/group-membership.ts'
import { readPartitions } from '../../recipes/membership/inspect.ts'
import { forgetOnce, readOnce } from '../../recipes/once/inspect.ts'
import type { SeenOnce } from '../../recipes/once/inspect.ts'
import { jsonData, textOf } from '../output.ts'
import { oneLine, visibleLine } from '../visible.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { lenientCodec } from './lenient-codec.ts'
import { agoText, hex } from './node-text.ts'
import { cellText, tableText } from './table.ts'
import { runVerb } from './verbs.ts'

const ONCE: Command = {
  name: 'once',
  usage: 'get|forget path',
  summary: 'shows the result that onceOnly or run-once has recorded, and who is at it; or has it done again',
  verbs: {
    get: { words: [1, 1], run: showOnce },
    forget: { words: [1, 1], run: forget },
  },
  words: [0, 2],
  run: (context, given) => runVerb(ONCE, context, given),
}

export const RECIPE_COMMANDS: readonly Command[] = [
  {
    name: 'members',
    usage: 'path',
    summary: 'lists the members of a group, since when they are there and what they say of themselves',
    words: [1, 1],
    run: members,
  },
  {
    name: 'leader',
    usage: 'path',
    summary: 'shows who leads an election, what it proclaims, and who stands by',
    words: [1, 1],
    run: leader,
  },
  {
    name: 'partitions',
    usage: 'path',
    summary: 'lists the items that the members of a Partitioner share out, and their owners',
    words: [1, 1],
    run: partitions,
  },
  ONCE,
]

async function members({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(0)
  const group = new GroupMembership<unknown>(client(), path, { codec: lenientCodec })
  const found = await group.members({ signal })
  const nowMs = Date.now()
  const rows = found.map((member) => {
    return [visibleLine(member.id), agoText(member.sinceMs, nowMs), hex(member.sessionId), says(member.data)]
  })
  print({
    text: rows.length === 0 ? 'nobody\n' : tableText([['MEMBER', 'SINCE', 'SESSION', 'SAYS'], ...rows]),
    json: {
      path,
      members: found.map(({ id, sinceMs, sessionId, incarnation, data = null }) => ({
        id,
        sinceMs,
        sessionId,
        incarnation,
        data,
      })),
    },
  })
}

async function leader({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(0)
  const { leader: found, candidates } = await readElection(client(), path, lenientCodec, signal)
  const nowMs = Date.now()
  const rows = candidates.map(({ id, position, leads, token, sessionId, sinceMs }) => {
    const proclaimed = leads && found?.token === token ? says(found.data) : ''
    const state = leads ? 'leads' : 'stands by'
    const since = agoText(sinceMs, nowMs)
    return [String(position), visibleLine(id), state, since, hex(sessionId), String(token), proclaimed]
  })
  const head = ['#', 'CANDIDATE', 'STATE', 'SINCE', 'SESSION', 'TOKEN', 'PROCLAIMS']
  print({
    text: rows.length === 0 ? 'nobody\n' : tableText([head, ...rows]),
    json: { path, leader: found === null ? null : { ...found, data: found.data ?? null }, candidates },
  })
}

async function partitions({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(0)
  const { members: found, items } = await readPartitions(client(), path, signal)
  const nowMs = Date.now()
  const rows = items.map(({ item, owner }) => {
    if (owner === null) return [visibleLine(item), 'nobody']
    const since = agoText(owner.sinceMs, nowMs)
    return [visibleLine(item), visibleLine(owner.id), since, hex(owner.sessionId), String(owner.token)]
  })
  const owned = items.filter(({ owner }) => owner !== null).length
  const head = `${found.length} members, ${owned} of ${items.length} items owned\n`
  print({
    text: rows.length === 0 ? head : head + tableText([['ITEM', 'OWNER', 'SINCE', 'SESSION', 'TOKEN'], ...rows]),
    json: { path, members: found.map(({ id, sinceMs, sessionId }) => ({ id, sinceMs, sessionId })), items },
  })
}

async function showOnce({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(1)
  const seen = await readOnce(client(), path, signal)
  const { result, queue } = seen
  const recorded = result === null ? { done: false } : { done: true, recordedMs: result.recordedMs }
  print({
    text: onceText(path, seen),
    json: {
      path,
      ...recorded,
      ...(result === null || result.data.length === 0 ? { data: null } : jsonData(result.data)),
      queue: queue.map(({ sessionId, sinceMs, token, holds }) => ({ sessionId, sinceMs, token, holds })),
    },
  })
}

function onceText(path: string, { result, queue }: SeenOnce): string {
  const nowMs = Date.now()
  const [first, ...others] = queue
  const doing = first === undefined
    ? ''
    : `${hex(first.sessionId)} is at it, since ${agoText(first.sinceMs, nowMs)}; ${others.length} waiting\n`
  if (result === null) return `${oneLine(path)} is not done\n${doing}`
  const text = textOf(result.data) ?? `${result.data.length} bytes`
  return `done ${agoText(result.recordedMs, nowMs)} ago${text === '' ? '' : `: ${visibleLine(text)}`}\n${doing}`
}

async function forget({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(1)
  const isForgotten = await forgetOnce(client(), path, signal)
  print({
    text: isForgotten ? '' : `${oneLine(path)} is not done\n`,
    json: { path, forgotten: isForgotten },
  })
}

/** The data of a member, for a cell. */
function says(data: unknown): string {
  if (data === undefined) return ''
  return cellText(typeof data === 'string' ? data : JSON.stringify(data))
}
