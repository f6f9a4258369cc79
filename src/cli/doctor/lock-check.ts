/** The check of locks: those that somebody has waited for too long, and sessions that wait for each other. */
import { readLocks } from '../../dashboard/readings/locks.ts'
import { readWaitFor } from '../../dashboard/readings/wait-for.ts'
import type { Lock } from '../../dashboard/api.ts'
import { agoText } from '../shell/node-text.ts'
import { visibleLine } from '../visible.ts'
import { checked, countOf } from './finding.ts'
import type { Checked, Finding } from './finding.ts'
import type { TreeContext } from './tree-checks.ts'

/** The client, the roots of the locks, and the limit of the check. */
export interface LockContext extends Omit<TreeContext, 'nodesMax'> {
  /** How long the first in line may wait, in milliseconds. */
  readonly stuckMs: number
}

/** Makes it. */
export async function checkLocks({ client, signal, lockRoots, nowMs, stuckMs }: LockContext): Promise<Checked> {
  const { data: locks } = await readLocks(client, lockRoots, signal)
  const { data: graph } = await readWaitFor(client, lockRoots, signal)
  const waiting = locks.reduce((sum, lock) => sum + lock.waiting, 0)
  const stuck = locks.filter(({ waitsSinceMs }) => waitsSinceMs !== null && nowMs - waitsSinceMs > stuckMs)
  const rings = graph.rings.map((ring): Finding => ({
    level: 'bad',
    what: `sessions wait for each other: ${[...ring, ring[0] ?? ''].join(' waits for ')}`,
    why: 'if each is one task, none of them goes on until a session ends',
    todo: 'quorate locks --graph shows which locks; end one process, and acquire them in one order or by MultiLock',
  }))
  const says = `${countOf(locks.length, 'lock')} in use below ${lockRoots.join(', ')}, ${waiting} waiting`
  return checked('locks', says, [...rings, ...stuck.map((lock) => stuckFinding(lock, nowMs))])
}

function stuckFinding({ path, holders, waiting, waitsSinceMs }: Lock, nowMs: number): Finding {
  const [holder] = holders
  const longest = agoText(waitsSinceMs ?? nowMs, nowMs)
  return {
    level: 'warn',
    what: `${visibleLine(path)}: held by ${holderText(holder, nowMs)}; ${waiting} wait, the first for ${longest}`,
    why: 'what they wait to do is not done',
    todo: 'see whether its holder works; when that process ends, the lock is free within the session time-out',
  }
}

function holderText(holder: Lock['holders'][number] | undefined, nowMs: number): string {
  if (holder === undefined) return 'nobody'
  const says = holder.says === '' ? '' : ` (${visibleLine(holder.says)})`
  return `session ${holder.session}${says} for ${agoText(holder.sinceMs, nowMs)}`
}
