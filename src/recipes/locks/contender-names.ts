/**
 * How contenders are named, here and in other languages' libraries, so that one lock can serve them all.
 *
 *     curator    _c_<uuid>-<kind>-<sequence>          Curator's InterProcessMutex, where the kind is `lock`
 *     kazoo      <uuid, hex>__<kind>__<sequence>      kazoo's Lock
 *                <uuid, hex>-<kind>-<sequence>        kazoo's Lock that was told to use Curator's word
 *
 *     read-write _c_<uuid>-__READ__<sequence>         Curator's InterProcessReadWriteLock
 *                _c_<uuid>-__WRIT__<sequence>
 *
 * Model     a client writes names of one layout, and knows contenders of all: the sequence numbers are one parent's, so
 *           that they order any names.
 * Order     as numbers, across the wrap of the counter. Curator and kazoo compare digits: with them, make the parent
 *           again before 2,147,483,647 contenders.
 * Source    Curator ProtectedUtils, LockInternals; kazoo recipe/lock.py.
 */
import { sequenceOf } from '../../core/path.ts'
import type { Contender, ContenderNames, ContenderPrefix } from '../engine/contender.ts'
import { newMark } from '../engine/marked-data.ts'

/** Whose names of nodes a lock writes. */
export type LockLayout = 'curator' | 'kazoo'

const CURATOR = /^_c_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-([a-z]+)-(-?\d{9,10})$/
const KAZOO = /^[0-9a-f]{32}(?:__([a-z]+)__|-([a-z]+)-)(-?\d{9,10})$/

const READ_WRITE = /^_c_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-__(READ|WRIT)__(-?\d{9,10})$/

/** The word of a lock; read-write locks, latches and semaphores have others. */
export const LOCK = 'lock'

/**
 * The names of a lock's contenders.
 *
 * @param layout - whose names new contenders get; those of either are known
 */
export function lockNames(layout: LockLayout): ContenderNames {
  return { kind: LOCK, newPrefix: layout === 'curator' ? curatorPrefix : kazooPrefix, parse: lockContenderOf }
}

function curatorPrefix(): ContenderPrefix {
  return { mark: `_c_${newMark()}-`, rest: `${LOCK}-` }
}

function kazooPrefix(): ContenderPrefix {
  return { mark: newMark().replaceAll('-', ''), rest: `__${LOCK}__` }
}

/** The sides of a read-write lock. */
export type ReadWriteKind = 'read' | 'write'

/** The names of one side of a read-write lock; those of both are known. */
export function readWriteNames(kind: ReadWriteKind): ContenderNames {
  const rest = kind === 'read' ? '__READ__' : '__WRIT__'
  return { kind, newPrefix: () => ({ mark: `_c_${newMark()}-`, rest }), parse: readWriteContenderOf }
}

/**
 * Reads the name of a contender of a read-write lock.
 *
 * @returns null for names of any other form
 */
export function readWriteContenderOf(name: string): Contender | null {
  const [, word, number] = READ_WRITE.exec(name) ?? []
  const found = contender(name, word === 'READ' ? 'read' : 'write', number)
  // A writer can leave a reader in its place: see downgrade.ts.
  return found?.kind === 'write' ? { ...found, leavesHeir: true } : found
}

/** A new name for the reader that takes the place of a writer. */
export function readerNameAt({ name }: Contender): string {
  return `_c_${newMark()}-__READ__${name.slice(name.lastIndexOf('_') + 1)}`
}

/** A lock contends with locks only: contenders of another recipe have another rule. */
function lockContenderOf(name: string): Contender | null {
  const contender = contenderOf(name)
  return contender?.kind === LOCK ? contender : null
}

/**
 * Reads the name of a node in a queue, whichever recipe put it there.
 *
 * @returns null for names of any other form
 */
export function contenderOf(name: string): Contender | null {
  const curator = CURATOR.exec(name)
  if (curator !== null) return contender(name, curator[1], curator[2])
  const readWrite = readWriteContenderOf(name)
  if (readWrite !== null) return readWrite
  const [, kazoo, kazooCurator, number] = KAZOO.exec(name) ?? []
  return contender(name, kazoo ?? kazooCurator, number)
}

function contender(name: string, kind: string | undefined, number = ''): Contender | null {
  const sequence = sequenceOf(number)
  return kind === undefined || sequence === null ? null : { name, kind, sequence }
}
