/**
 * The names of contenders in queues that other languages' libraries share: locks, and elections that are locks to them.
 *
 *     curator    _c_<uuid>-<kind>-<sequence>          Curator's InterProcessMutex and LeaderSelector: kind `lock`
 *     kazoo      <uuid, hex>__<kind>__<sequence>      kazoo's Lock and Election
 *                <uuid, hex>-<kind>-<sequence>        kazoo's Lock that was told to use Curator's word
 *
 * Model     a client writes names of one layout, and knows contenders of all: the sequence numbers are one parent's, so
 *           that they order any names.
 * Order     as numbers, across the wrap of the counter. Curator and kazoo compare digits: with them, make the parent
 *           again before 2,147,483,647 contenders.
 * Source    Curator ProtectedUtils, LockInternals; kazoo recipe/lock.py.
 */
import { sequenceOf } from '../../core/path.ts'
import type { Contender, ContenderNames, ContenderPrefix } from './contender.ts'
import { curatorNames } from './curator-names.ts'
import { newMark } from './marked-data.ts'

/** Whose names of nodes a lock writes. */
export type LockLayout = 'curator' | 'kazoo'

const CURATOR = /^_c_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-([a-z]+)-(-?\d{9,10})$/
const KAZOO = /^[0-9a-f]{32}(?:__([a-z]+)__|-([a-z]+)-)(-?\d{9,10})$/

/** The word of a lock; read-write locks, latches and semaphores have others. */
export const LOCK = 'lock'

const CURATOR_LOCK = curatorNames(LOCK)

/**
 * The names of a lock's contenders.
 *
 * @param layout - whose names new contenders get; those of either are known
 */
export function lockNames(layout: LockLayout): ContenderNames {
  const newPrefix = layout === 'curator' ? CURATOR_LOCK.newPrefix : kazooPrefix
  return { kind: LOCK, newPrefix, parse: lockContenderOf }
}

function kazooPrefix(): ContenderPrefix {
  return { mark: newMark().replaceAll('-', ''), rest: `__${LOCK}__` }
}

/** A lock contends with locks only: contenders of another recipe have another rule. */
function lockContenderOf(name: string): Contender | null {
  const found = markedContenderOf(name)
  return found?.kind === LOCK ? found : null
}

/**
 * Reads a name of one of these layouts, whatever its word.
 *
 * @returns null for names of any other form
 */
export function markedContenderOf(name: string): Contender | null {
  const [, curator, curatorNumber] = CURATOR.exec(name) ?? []
  if (curator !== undefined) return contenderNamed(name, curator, curatorNumber)
  const [, kazoo, kazooCurator, number] = KAZOO.exec(name) ?? []
  return contenderNamed(name, kazoo ?? kazooCurator, number)
}

/** A contender, if its name has a word and a number. */
export function contenderNamed(name: string, kind: string | undefined, number = ''): Contender | null {
  const sequence = sequenceOf(number)
  return kind === undefined || sequence === null ? null : { name, kind, sequence }
}
