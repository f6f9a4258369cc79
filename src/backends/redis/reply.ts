/** What the scripts answer, read into the types of the contract. */
import type { Children, NodeData, Operation, OperationResult, Stat } from '../../core/backend.ts'
import { CoordinationError } from '../../core/errors.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { numberOf, parseChanges, parsePosition } from './position.ts'
import type { Position, Transaction } from './position.ts'

/**
 * How a script ended.
 *
 * - `OK`: it was done; a write may still have been refused.
 * - `EXPIRED`: the session is over.
 * - `MOVED`: the session is attached elsewhere; nothing was done.
 * - `ORDER`: a request before it is missing; nothing was done.
 * - `UNKNOWN`: it was done before or never will be, and the answer is no longer known.
 */
export type Status = 'OK' | 'EXPIRED' | 'MOVED' | 'ORDER' | 'UNKNOWN'

/** An answer of a script. */
export interface Reply {
  readonly status: Status
  /** Where the namespace stood; null if there is none. */
  readonly position: Position | null
  /** What the session had not seen, oldest first; empty if it asked for nothing or missed too much. */
  readonly news: readonly Transaction[]
  /** What is special to the script. */
  readonly payload: unknown
  /** More of it. */
  readonly more: unknown
  /** Payload and more of each further read that the script did. */
  readonly rest: readonly unknown[]
}

const STATUSES: readonly string[] = ['OK', 'EXPIRED', 'MOVED', 'ORDER', 'UNKNOWN'] satisfies Status[]
const STAT_FIELDS = 13

/**
 * Reads an answer.
 *
 * @throws CoordinationError `PROTOCOL_VIOLATION` if it is none
 */
export function parseReply(raw: unknown): Reply {
  const [status, position, news, payload, more, ...rest] = listOf(raw)
  const name = textOf(status)
  if (!isStatus(name)) throw unexpected(`status ${name}`)
  const at = textOf(position)
  return {
    status: name,
    position: at === '' ? null : parsePosition(at),
    news: listOf(news).map(parseEntry).reverse(),
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
  const parts = [payload, more, ...rest]
  if (status === 'OK' && parts.length !== 2 * count) throw unexpected(`${parts.length} parts for ${count} reads`)
  return Array.from({ length: count }, (_, i) => ({ ...reply, payload: parts[2 * i], more: parts[2 * i + 1] }))
}

/** Reads the stat of a node; null if there is none. */
export function statOf(raw: unknown): Stat | null {
  const text = textOf(raw)
  return text === '' ? null : parseStat(text.split(' '))
}

/** Reads what a get answers; null if there is no node. */
export function dataOf({ payload, more }: Reply): NodeData | null {
  const stat = statOf(payload)
  return stat === null ? null : { stat, data: bytesOf(more) }
}

/** Reads what a children read answers; null if there is no node. */
export function childrenOf({ payload, more }: Reply): Children | null {
  const stat = statOf(payload)
  if (stat === null) return null
  const names = textOf(more)
  return { stat, names: names === '' ? [] : names.split('\n').sort() }
}

/** What was read at a path. @throws CoordinationError `NO_NODE` if there is nothing */
export function present<T>(value: T | null, path: string): T {
  if (value !== null) return value
  throw new CoordinationError('NO_NODE', `NO_NODE on ${path}`, { outcome: 'rejected', path })
}

/** Reads the stats that a check answers. */
export function statsOf({ payload }: Reply): (Stat | null)[] {
  return textOf(payload).split('\n').map(statOf)
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
  if (first.startsWith('R ')) throw refusalOf(first, isMulti)
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

function parseEntry(raw: unknown): Transaction {
  const [id, fields] = listOf(raw)
  const [, text] = listOf(fields)
  return { position: parsePosition(textOf(id)), changes: parseChanges(textOf(text)) }
}

function parseStat(fields: readonly string[]): Stat {
  if (fields.length !== STAT_FIELDS) throw unexpected(`${fields.length} fields of a stat`)
  const [czxid = '', mzxid = '', pzxid = '', ctime, mtime, version, cversion, ...others] = fields
  const [owner = '', , , , children, length] = others
  return Object.freeze({
    czxid: numberOf(czxid),
    mzxid: numberOf(mzxid),
    pzxid: numberOf(pzxid),
    ctime: Number(ctime),
    mtime: Number(mtime),
    version: Number(version),
    cversion: Number(cversion),
    aversion: 0,
    ephemeralOwner: numberOf(owner),
    dataLength: Number(length),
    numChildren: Number(children),
  })
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
      throw unexpected(`result ${line.slice(0, 40)}`)
  }
}

function refusalOf(line: string, isMulti: boolean): CoordinationError {
  const [, index, code = '', ...rest] = line.split(' ')
  const path = rest.join(' ')
  const place = isMulti ? ` (operation ${index})` : ''
  return new CoordinationError(code as ErrorCode, `${code} on ${path}${place}`, {
    outcome: 'rejected',
    path,
    ...(isMulti ? { index: Number(index) } : {}),
  })
}

/** The error for an answer that a script of ours never gives. */
export function unexpected(what: string): CoordinationError {
  return new CoordinationError('PROTOCOL_VIOLATION', `Redis answered what no script of ours does: ${what}`, {
    outcome: 'corrupt',
  })
}
