/** Groups: nodes below the roots that have ephemeral children, each of which is a member. */
import type { Client } from '../../core/client.ts'
import { joinPath } from '../../core/path.ts'
import { readEach, unlessGone } from '../../core/read-each.ts'
import type { Answer, Group } from '../api.ts'
import { answer, hex, says } from './reading.ts'
import { untoldOf, walk } from './walk.ts'

/** The most members of a group that are read. */
const MEMBERS_MAX = 500

/** Reads the groups below the roots, with their members by name. */
export async function readGroups(
  client: Client,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<Answer<Group[]>> {
  const walked = await walk(client, roots, signal, () => true)
  const untold: Record<string, string> = untoldOf(walked)
  const groups: Group[] = []
  for (const { path, names } of walked.met) {
    if (names.length > MEMBERS_MAX) untold[path] = `Only the first ${MEMBERS_MAX} of ${names.length} members are shown.`
    const members = await readMembers(client, path, names.slice(0, MEMBERS_MAX), signal)
    if (members.length > 0) groups.push({ path, members })
  }
  groups.sort((a, b) => (a.path < b.path ? -1 : 1))
  return answer(groups, { total: walked.left === null ? groups.length : null, untold })
}

async function readMembers(
  client: Client,
  path: string,
  names: readonly string[],
  signal: AbortSignal,
): Promise<Group['members']> {
  const members = await readEach(names, async (id) => {
    const node = await unlessGone(client.get(joinPath(path, id), { signal }))
    if (node === null || node.stat.ephemeralOwner === 0n) return null
    const { ctime: sinceMs, czxid, ephemeralOwner } = node.stat
    return { id, session: hex(ephemeralOwner), sinceMs, incarnation: hex(czxid), says: says(node.data) }
  })
  return members.filter((member) => member !== null)
}
