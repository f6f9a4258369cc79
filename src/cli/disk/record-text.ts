/**
 * A record of a transaction log in words and as JSON.
 *
 * Secrets   passwords of sessions are never shown, nor are access control lists, which hold hashes of passwords. Data
 *           of nodes are shown only if somebody asks for them.
 */
import { OpCode } from '../../backends/wire/codes.ts'
import type { LogRecord } from '../../backends/wire/disk/log-scanner.ts'
import type { Transaction } from '../../backends/wire/transactions.ts'
import { jsonData, textOf } from '../output.ts'
import type { Result } from '../output.ts'
import { hex } from '../shell/node-text.ts'
import { oneLine } from '../visible.ts'

type Body = Transaction['txn']

/** The effect of a transaction, in words and as fields. */
interface Effect {
  readonly words: readonly string[]
  readonly fields: Readonly<Record<string, unknown>>
}

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(OpCode).map(([name, code]) => [code, name]))
/** Dates beyond this are not dates to JavaScript, and are shown as numbers. */
const DATE_MS_MAX = 8.64e15

/**
 * Describes a record.
 *
 * @param showsData - whether what nodes hold is shown, and not only its length
 */
export function recordText(record: LogRecord, showsData: boolean): Result {
  const { header, txn } = record.transaction
  const { words, fields } = effectOf(txn, showsData)
  const zxid = hex(record.zxid)
  const session = hex(header.clientId)
  const time = Math.abs(header.time) <= DATE_MS_MAX ? new Date(header.time).toISOString() : String(header.time)
  const { offset, length } = record
  return {
    text: `${[zxid, time, session, header.cxid, ...words].join('  ')}\n`,
    json: { zxid, time, session, cxid: header.cxid, ...fields, offset, length },
  }
}

/** Data of a node: their length, and themselves if that is wanted. */
export function dataText(data: Uint8Array | null, showsData: boolean): Effect {
  if (data === null) return { words: ['no data'], fields: { dataLength: null } }
  const words = [`${data.length} ${data.length === 1 ? 'byte' : 'bytes'}`]
  if (!showsData) return { words, fields: { dataLength: data.length } }
  const text = textOf(data)
  const shown = text === null ? `base64 ${Buffer.from(data).toString('base64')}` : JSON.stringify(text)
  return { words: [...words, oneLine(shown)], fields: { dataLength: data.length, ...jsonData(data) } }
}

function effectOf(txn: Body, showsData: boolean): Effect {
  const type = NAMES.get(txn.type) ?? String(txn.type)
  switch (txn.type) {
    case OpCode.createSession:
      return { words: [type, `time-out ${txn.body.timeOut} ms`], fields: { type, timeoutMs: txn.body.timeOut } }
    case OpCode.closeSession: {
      const paths = (txn.body.paths2Delete ?? []).map((path) => path ?? '')
      return { words: [type, ...paths.map(oneLine)], fields: { type, paths } }
    }
    case OpCode.error:
      return { words: [type, String(txn.body.err)], fields: { type, error: txn.body.err } }
    case OpCode.multi: {
      const parts = txn.body.map((part) => effectOf(part, showsData))
      const shown = parts.map(({ words }) => `(${words.join(' ')})`)
      return { words: [type, ...shown], fields: { type, parts: parts.map(({ fields }) => fields) } }
    }
    default:
      return changeOf(type, txn, showsData)
  }
}

/** A change of one node. */
function changeOf(
  type: string,
  { body }: Exclude<Body, { type: typeof OpCode.multi | typeof OpCode.error }>,
  showsData: boolean,
): Effect {
  const path = 'path' in body ? (body.path ?? '') : ''
  const words = [type, oneLine(path)]
  const fields: Record<string, unknown> = { type, path }
  if ('version' in body) {
    words.push(`version ${body.version}`)
    fields['version'] = body.version
  }
  if ('ephemeral' in body && body.ephemeral) {
    words.push('ephemeral')
    fields['ephemeral'] = true
  }
  if ('ttl' in body) {
    words.push(`time to live ${body.ttl} ms`)
    fields['ttlMs'] = body.ttl
  }
  if (!('data' in body)) return { words, fields }
  const data = dataText(body.data, showsData)
  return { words: [...words, ...data.words], fields: { ...fields, ...data.fields } }
}
