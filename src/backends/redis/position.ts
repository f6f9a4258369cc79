/**
 * Places in the order of a namespace, as the scripts write them: `<epoch>-<counter>`.
 *
 * Model     the epoch is a wall-clock time in milliseconds, the counter the number of transactions in it. As a zxid
 *           the counter stands in 20 bits below the epoch; it may run over into them, since a later epoch begins
 *           above all that an earlier one has used.
 */
import { CoordinationError } from '../../core/errors.ts'
import { EPOCH_MAX } from './scripts/prelude.ts'
import { MISSED } from './scripts/watches.ts'

/** A place in the order of transactions. */
export interface Position {
  /** Grows when the namespace is made again or its server has changed. */
  readonly epoch: number
  /** Transactions in this epoch. */
  readonly counter: number
  /** As the scripts write it. */
  readonly text: string
}

/** One change of a transaction. */
export interface Change {
  /** `ended` is the end of a session, whose id stands in place of the path; `missed` is something that is not told. */
  readonly type: 'created' | 'changed' | 'deleted' | 'children' | 'ended' | 'missed'
  readonly path: string
}

/** One transaction, as far as a session waits for it. */
export interface Transaction {
  readonly position: Position
  /** The position of the one before that the session was told of. */
  readonly previous: Position
  /** Whether a message of its own brings it too. */
  readonly isPublished: boolean
  readonly changes: readonly Change[]
}

/** A transaction as the scripts tell it. */
export interface Notice {
  readonly transaction: Transaction
  /** The word that shows that a script of this namespace has made it. */
  readonly seal: string
}

const COUNTER_BITS = 20n
const POSITION = /^s?(\d{1,13})-(\d{1,15})(?!\d)/
const CHANGE_TYPES: Readonly<Record<string, Change['type']>> = Object.freeze({
  C: 'created',
  D: 'changed',
  X: 'deleted',
  K: 'children',
  E: 'ended',
  [MISSED]: 'missed',
})

/** The place before all. */
export const NOWHERE: Position = Object.freeze({ epoch: 0, counter: 0, text: '' })

/**
 * Reads a position; text that follows it (ioredis-mock adds to the ids of a stream) is ignored.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` if it is malformed
 */
export function parsePosition(text: string): Position {
  const [, epoch, counter] = POSITION.exec(text) ?? []
  if (epoch === undefined || counter === undefined || Number(epoch) > EPOCH_MAX) {
    const message = `not a position: ${JSON.stringify(text.slice(0, 40))}`
    throw new CoordinationError('PROTOCOL_VIOLATION', message, { outcome: 'corrupt' })
  }
  return { epoch: Number(epoch), counter: Number(counter), text: `${epoch}-${counter}` }
}

/** Orders two positions: negative if `a` is before `b`. */
export function comparePositions(a: Position, b: Position): number {
  return a.epoch - b.epoch || a.counter - b.counter
}

/** Whether a session that has seen as far as `position` has missed nothing in front of a transaction. */
export function follows(position: Position, next: Transaction): boolean {
  return next.position.epoch === position.epoch && comparePositions(next.previous, position) <= 0
}

/** The zxid at a position, or the id of a session from its text; 0 for `0`. */
export function numberOf(text: string): bigint {
  if (text === '0') return 0n
  const { epoch, counter } = parsePosition(text)
  return (BigInt(epoch) << COUNTER_BITS) + BigInt(counter)
}

/** The place that a zxid stands for, as the script that writes compares it: the counter within its bits. */
export function placeOf(zxid: bigint): string {
  return `${zxid >> COUNTER_BITS}-${BigInt.asUintN(Number(COUNTER_BITS), zxid)}`
}

/**
 * Reads a notice: `<position> <seal> <position of the notice before>`, and ` -` if it is not published; then one change
 * per line.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` if it is malformed
 */
export function parseNotice(text: string): Notice {
  const end = text.indexOf('\n')
  const [place = '', seal = '', before = '', mark] = (end < 0 ? text : text.slice(0, end)).split(' ')
  const [position, previous] = [parsePosition(place), parsePosition(before)]
  const changes = end < 0 ? [] : parseChanges(text.slice(end + 1))
  return { transaction: { position, previous, isPublished: mark !== '-', changes }, seal }
}

/** Reads the changes of a transaction, one per line. */
export function parseChanges(text: string): Change[] {
  if (text === '') return []
  return text.split('\n').map((line) => {
    const type = CHANGE_TYPES[line.charAt(0)]
    if (type === undefined) {
      const message = `not a change: ${JSON.stringify(line.slice(0, 40))}`
      throw new CoordinationError('PROTOCOL_VIOLATION', message, { outcome: 'corrupt' })
    }
    return { type, path: line.slice(1) }
  })
}
