/**
 * How contenders of read-write locks are named, and which recipe's a name is. Those of plain locks are in
 * engine/lock-names.ts.
 *
 *     read-write _c_<uuid>-__READ__<sequence>         Curator's InterProcessReadWriteLock
 *                _c_<uuid>-__WRIT__<sequence>
 */
import type { Contender, ContenderNames } from '../engine/contender.ts'
import { contenderNamed, markedContenderOf } from '../engine/lock-names.ts'
import { newMark } from '../engine/marked-data.ts'

const READ_WRITE = /^_c_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-__(READ|WRIT)__(-?\d{9,10})$/

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
  const found = contenderNamed(name, word === 'READ' ? 'read' : 'write', number)
  // A writer can leave a reader in its place: see downgrade.ts.
  return found?.kind === 'write' ? { ...found, leavesHeir: true } : found
}

/** A new name for the reader that takes the place of a writer. */
export function readerNameAt({ name }: Contender): string {
  return `_c_${newMark()}-__READ__${name.slice(name.lastIndexOf('_') + 1)}`
}

/**
 * Reads the name of a node in a queue, whichever recipe put it there.
 *
 * @returns null for names of any other form
 */
export function contenderOf(name: string): Contender | null {
  return readWriteContenderOf(name) ?? markedContenderOf(name)
}
