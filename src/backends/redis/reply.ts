/** The answers of the scripts, read into the types of the contract. */
import type { Children, NodeData, Operation, OperationResult, Stat } from '../../core/backend.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { isValidPath, joinPath } from '../../core/path.ts'
import { refusal } from '../../core/refusal.ts'
import { comparePositions, numberOf, parseNotice, parsePosition } from './position.ts'
import type { Position, Transaction } from './position.ts'
import { FOREIGN_KEY } from './scripts/nodes.ts'
import { NO_STAT } from './scripts/watches.ts'

/**
 * How a script ended.
 *
 * - `OK`: it was done; a write may still have been refused.
 * - `EXPIRED`: the session is over.
 * - `MOVED`: the session is attached elsewhere; nothing was done.
 * - `ORDER`: a request before it is missing; nothing was done.
 * - `UNKNOWN`: it was done before or never will be, and the answer is no longer known.
 * - `CORRUPT`: a key does not hold what belongs there; nothing was done. The payload is the key.
 */
export type Status = 'OK' | 'EXPIRED' | 'MOVED' | 'ORDER' | 'UNKNOWN' | 'CORRUPT'

/** An answer of a script. */
export interface Reply {
  readonly status: Status
  /** Where the namespace stood; null if there is none. */
  readonly position: Position | null
  /**
   * The transactions up to there that the session waits for and had not seen, oldest first; null if they cannot be
   * told: there are too many, or a stranger has written there.
   */
  readonly news: readonly Transaction[] | null
  /** The script's own answer. */
  readonly payload: unknown
  /** More of it. */
  readonly more: unknown
  /** Payload and more of each further read that the script did. */
  readonly rest: readonly unknown[]
}

const STATUSES: readonly string[] = ['OK', 'EXPIRED', 'MOVED', 'ORDER', 'UNKNOWN', 'CORRUPT'] satisfies Status[]
const STAT_FIELDS = 13
const INT32_MAX = 2 ** 31 - 1
/** How much of what a stranger wrote is told, in characters. */
const QUOTED_MAX = 40

/**
 * Reads an answer.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` if it is malformed
 */
export function parseReply(raw: unknown): Reply {
  const [status, position, news, payload, more, ...rest] = listOf(raw)
  const name = textOf(status)
  if (!isStatus(name)) throw unexpected(`status ${name}`)
  const at = textOf(position)
  return {
    status: name,
    position: at === '' ? null : parsePosition(at),
    news: newsOf(news),
    payload,
    more,
    rest,
  }
}

/**
 * Takes the answer of a script that reads apart, into one reply for each read; they share its status, place and news.
 *
 * @param count - how many reads it was asked for
 */
export function readsOf(reply: Reply, count: number): Reply[] {
  const { status, payload, more, rest } = reply
  if (status !== 'OK') return Array.from({ length: count }, () => reply)
  const parts = [payload, more, ...rest]
  if (parts.length !== 2 * count) throw unexpected(`${parts.length} parts for ${count} reads`)
  return Array.from({ length: count }, (_, i) => ({ ...reply, payload: parts[2 * i], more: parts[2 * i + 1] }))
}

/**
 * Reads the stat of a node.
 *
 * @returns null if there is no node
 * @throws CoordinationError `PROTOCOL_VIOLATION` if the value at the path is no node
 */
export function statOf({ payload, more }: Reply, path: string): Stat | null {
  const text = textOf(payload)
  if (text === NO_STAT) throw foreign(textOf(more), path)
  return text === '' ? null : storedStat(text, path)
}

/** Reads what a get answers, likewise. */
export function dataOf(reply: Reply, path: string): NodeData | null {
  const stat = statOf(reply, path)
  return stat === null ? null : { stat, data: bytesOf(reply.more) }
}

/** Reads what a children read answers, likewise. */
export function childrenOf(reply: Reply, path: string): Children | null {
  const stat = statOf(reply, path)
  if (stat === null) return null
  const text = textOf(reply.more)
  const names = text === '' ? [] : text.split('\n').sort()
  const isOdd = text !== '' && (HAS_ODD_CHARACTER.test(text) || HAS_ODD_NAME.test(text))
  const odd = isOdd ? names.find((name) => !isName(name, path)) : undefined
  if (odd === undefined) return { stat, names }
  const message = `Redis lists ${quote(odd)} as a child of ${path}, which is no node's name`
  throw new CoordinationError('PROTOCOL_VIOLATION', message, { outcome: 'corrupt', path })
}

/** Lists of names in which one has to be looked at closely: beyond printable ASCII; empty, or beginning with a dot. */
const HAS_ODD_CHARACTER = /[^ -.0-~\n]/
const HAS_ODD_NAME = /(?:^|\n)(?:[.\n]|$)/

function isName(name: string, path: string): boolean {
  return name !== '' && !name.includes('/') && isValidPath(joinPath(path, name))
}

/** The value read at a path. @throws CoordinationError `NO_NODE` if there is nothing */
export function present<T>(value: T | null, path: string): T {
  if (value !== null) return value
  throw refusal('NO_NODE', path)
}

/** Reads the stats that a check answers, for each path; `unreadable` where the stored value is no node. */
export function statsOf({ payload }: Reply, paths: readonly string[]): (Stat | null | 'unreadable')[] {
  const lines = textOf(payload).split('\n')
  return paths.map((path, i) => {
    const line = lines[i] ?? NO_STAT
    if (line === '') return null
    try {
      return storedStat(line, path)
    } catch (error) {
      if (isCoordinationError(error, 'PROTOCOL_VIOLATION')) return 'unreadable'
      throw error
    }
  })
}

/** The error for a key that does not hold what belongs there. */
export function foreign(key: string, path?: string): CoordinationError {
  const message = `the key ${quote(key)} of Redis does not hold what Quorate keeps there: somebody else has written it`
  return new CoordinationError('PROTOCOL_VIOLATION', message, {
    outcome: 'corrupt',
    ...(path === undefined ? {} : { path }),
  })
}

/** Whether an answer is from before a position that was told before it was asked for. */
export function isBefore({ status, position }: Reply, seen: Position): boolean {
  return status !== 'EXPIRED' && position !== null && comparePositions(position, seen) < 0
}

/** How many bytes an answer brought, as far as callers get them. */
export function sizeOf({ payload, more, rest }: Reply): number {
  return [payload, more, ...rest].reduce<number>((sum, part) => {
    return sum + (part instanceof Uint8Array || typeof part === 'string' ? part.length : 0)
  }, 0)
}

/**
 * Reads what a write answers.
 *
 * @param isMulti - whether an error names its operation
 * @throws CoordinationError with outcome `rejected` if it was refused
 */
export function resultsOf(payload: unknown, operations: readonly Operation[], isMulti: boolean): OperationResult[] {
  const text = textOf(payload)
  const lines = text === '' ? [] : text.split('\n')
  const [first = ''] = lines
  if (first.startsWith('R ')) throw refusalOf(text, operations, isMulti)
  if (lines.length !== operations.length) throw unexpected(`${lines.length} results`)
  return lines.map(resultOf)
}

/** A text from a reply. */
export function textOf(raw: unknown): string {
  if (typeof raw === 'string') return raw
  if (raw instanceof Uint8Array) return decoder.decode(raw)
  throw unexpected(`a ${typeof raw} where a text should be`)
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function isStatus(name: string): name is Status {
  return STATUSES.includes(name)
}

function listOf(raw: unknown): readonly unknown[] {
  // An empty list can come as an empty text.
  if (Array.isArray(raw)) return raw as readonly unknown[]
  if (raw instanceof Uint8Array && raw.length === 0) return []
  throw unexpected(`a ${typeof raw} where a list should be`)
}

function bytesOf(raw: unknown): Uint8Array {
  if (raw instanceof Uint8Array) return new Uint8Array(raw)
  if (typeof raw === 'string') return new TextEncoder().encode(raw)
  throw unexpected(`a ${typeof raw} where bytes should be`)
}

function newsOf(raw: unknown): Transaction[] | null {
  const notices = listOf(raw)
  try {
    const transactions = notices.map((notice) => parseNotice(textOf(notice)).transaction)
    if (transactions.some(({ changes }) => changes.some(({ type }) => type === 'missed'))) return null
    return transactions.sort((a, b) => comparePositions(a.position, b.position))
  } catch (error) {
    if (isCoordinationError(error, 'PROTOCOL_VIOLATION')) return null
    throw error
  }
}

/** Reads a stat as it is stored, where anybody may have written. */
function storedStat(text: string, path: string): Stat {
  try {
    return parseStat(text.split(' '))
  } catch (error) {
    if (!isCoordinationError(error, 'PROTOCOL_VIOLATION')) throw error
    const message = `what Redis holds for ${path} is not a node: ${error.message}`
    throw new CoordinationError('PROTOCOL_VIOLATION', message, { outcome: 'corrupt', path })
  }
}

function parseStat(fields: readonly string[]): Stat {
  if (fields.length !== STAT_FIELDS) throw unexpected(`${fields.length} fields of a stat`)
  const [czxid = '', mzxid = '', pzxid = '', ctime, mtime, version, cversion, ...others] = fields
  const [owner = '', , , , children, length] = others
  return Object.freeze({
    czxid: numberOf(czxid),
    mzxid: numberOf(mzxid),
    pzxid: numberOf(pzxid),
    ctime: wholeOf(ctime, 0, Number.MAX_SAFE_INTEGER),
    mtime: wholeOf(mtime, 0, Number.MAX_SAFE_INTEGER),
    version: wholeOf(version, -INT32_MAX - 1, INT32_MAX),
    cversion: wholeOf(cversion, -INT32_MAX - 1, INT32_MAX),
    aversion: 0,
    ephemeralOwner: numberOf(owner),
    dataLength: wholeOf(length, 0, INT32_MAX),
    numChildren: wholeOf(children, 0, INT32_MAX),
  })
}

function wholeOf(text: string | undefined, min: number, max: number): number {
  const value = text !== undefined && /^-?\d{1,16}$/.test(text) ? Number(text) : NaN
  if (value >= min && value <= max) return value
  throw unexpected(`${quote(text ?? '')} for a number`)
}

function quote(text: string): string {
  return JSON.stringify(text.length > QUOTED_MAX ? `${text.slice(0, QUOTED_MAX)}...` : text)
}

function resultOf(line: string): OperationResult {
  const [type, ...rest] = line.split(' ')
  switch (type) {
    case 'C':
      return { type: 'create', path: rest.slice(STAT_FIELDS).join(' '), stat: parseStat(rest.slice(0, STAT_FIELDS)) }
    case 'S':
      return { type: 'set', stat: parseStat(rest) }
    case 'X':
      return { type: 'delete' }
    case 'V':
      return { type: 'check' }
    default:
      throw unexpected(`result ${quote(line)}`)
  }
}

function refusalOf(line: string, operations: readonly Operation[], isMulti: boolean): CoordinationError {
  const [, at = '', code = '', ...rest] = line.split(' ')
  const [index, where] = [Number(at), rest.join(' ')]
  const operation = operations[index]
  if (operation === undefined) throw unexpected(`a refusal of operation ${quote(at)}`)
  if (code === FOREIGN_KEY) return foreign(where, operation.path)
  if (!isRefusalCode(code)) throw unexpected(`a refusal with ${quote(code)}`)
  return refusal(code, where, { isCreate: operation.type === 'create', ...(isMulti ? { index } : {}) })
}

const REFUSALS: readonly string[] = [
  'NO_NODE',
  'NODE_EXISTS',
  'BAD_VERSION',
  'NOT_EMPTY',
  'NO_CHILDREN_FOR_EPHEMERALS',
  'BAD_ARGUMENTS',
] satisfies ErrorCode[]

function isRefusalCode(code: string): code is ErrorCode {
  return REFUSALS.includes(code)
}

/** The error for an answer that a script of ours never gives. */
export function unexpected(what: string): CoordinationError {
  return new CoordinationError('PROTOCOL_VIOLATION', `Redis answered what no script of ours does: ${what}`, {
    outcome: 'corrupt',
  })
}
