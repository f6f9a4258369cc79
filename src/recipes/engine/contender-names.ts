/**
 * How contenders are named, here and in other languages' libraries, so that one lock can serve them all.
 *
 *     curator    _c_<uuid>-<kind>-<sequence>          Curator's InterProcessMutex, where the kind is `lock`
 *     kazoo      <uuid, hex>__<kind>__<sequence>      kazoo's Lock
 *                <uuid, hex>-<kind>-<sequence>        kazoo's Lock that was told to use Curator's word
 *
 * Model     a client writes names of one layout, and knows contenders of all: the sequence numbers are one parent's, so
 *           that they order any names.
 * Order     as numbers, across the wrap of the counter. Curator and kazoo compare digits: with them, make the parent
 *           anew before 2,147,483,647 contenders.
 * Source    Curator ProtectedUtils, LockInternals; kazoo recipe/lock.py.
 */
import { sequenceOf } from '../../core/path.ts'
import { newMark } from './marked-data.ts'

/** Whose names of nodes a lock writes. */
export type LockLayout = 'curator' | 'kazoo'

/** A contender as the list of names shows it. */
export interface Contender {
  /** Name of its node. */
  readonly name: string
  /** The word in the name that says what it asks for, such as `lock`, `read` or `write`. */
  readonly kind: string
  /** Its place in the order; to be compared by `compareSequence`. */
  readonly sequence: number
}

/** What a new contender's name is made of; its sequence number follows. */
export interface ContenderPrefix {
  /** What no other has. */
  readonly mark: string
  /** What it asks for. */
  readonly rest: string
}

const CURATOR = /^_c_[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}-([a-z]+)-(-?\d{9,10})$/
const KAZOO = /^[0-9a-f]{32}(?:__([a-z]+)__|-([a-z]+)-)(-?\d{9,10})$/

/**
 * Makes the beginning of a new contender's name.
 *
 * @param kind - what it asks for: lower-case letters
 */
export function newContenderPrefix(layout: LockLayout, kind: string): ContenderPrefix {
  const mark = newMark()
  return layout === 'curator'
    ? { mark: `_c_${mark}-`, rest: `${kind}-` }
    : { mark: mark.replaceAll('-', ''), rest: `__${kind}__` }
}

/**
 * Reads the name of a node in a queue.
 *
 * @returns null for names of any other form: they are not ours to judge
 */
export function contenderOf(name: string): Contender | null {
  const curator = CURATOR.exec(name)
  if (curator !== null) return contender(name, curator[1], curator[2])
  const [, kazoo, kazooCurator, number] = KAZOO.exec(name) ?? []
  return contender(name, kazoo ?? kazooCurator, number)
}

function contender(name: string, kind: string | undefined, number = ''): Contender | null {
  const sequence = sequenceOf(number)
  return kind === undefined || sequence === null ? null : { name, kind, sequence }
}
