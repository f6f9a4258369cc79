/** Commands on what the recipes keep of processes: `members`. */
import { GroupMembership } from '../../recipes/membership/group-membership.ts'
import { visibleLine } from '../visible.ts'
import type { Command, CommandContext, Given } from './command.ts'
import { lenientCodec } from './lenient-codec.ts'
import { agoText, hex } from './node-text.ts'
import { cellText, tableText } from './table.ts'

export const RECIPE_COMMANDS: readonly Command[] = [
  {
    name: 'members',
    usage: 'path',
    summary: 'lists the members of a group, since when they are there and what they say of themselves',
    words: [1, 1],
    run: members,
  },
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

/** The data of a member, for a cell. */
function says(data: unknown): string {
  if (data === undefined) return ''
  return cellText(typeof data === 'string' ? data : JSON.stringify(data))
}
