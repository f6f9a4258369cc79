/**
 * `config history`, `diff` and `rollback`: the versions that the history of a configuration keeps.
 *
 * Values    of any format; a rollback keeps their bytes. Of a secret is said that it is one, and it is not compared.
 */
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { ConfigCenter } from '../../recipes/config/config-center.ts'
import type { ConfigRollbackOptions } from '../../recipes/config/config-center.ts'
import type { HistoryEntry } from '../../recipes/config/config-history.ts'
import { secretText } from '../../recipes/config/secret-codec.ts'
import type { Codec } from '../../recipes/engine/codec.ts'
import { Failure, UsageError } from '../exit-status.ts'
import { oneLine, visibleLine } from '../visible.ts'
import type { CommandContext, Given } from './command.ts'
import { changeText } from './config-edit.ts'
import { HISTORY_UNBOUNDED, noteOf } from './config-notes.ts'
import { lenientCodec } from './lenient-codec.ts'
import { agoText } from './node-text.ts'
import { cellText, tableText } from './table.ts'

const VERSION_MAX = Number.MAX_SAFE_INTEGER

/** As they are shown; but two descriptions of secrets say nothing of the secrets. */
const comparingCodec: Codec<unknown> = {
  ...lenientCodec,
  decode: (bytes, path) => {
    const secret = secretText(bytes)
    if (secret !== null) throw new TypeError(`it is ${secret}, which cannot be compared here`)
    return lenientCodec.decode(bytes, path)
  },
}

/** Lists the versions, the newest first. */
export async function listVersions({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(1)
  const limit = given.integer('n', 1, HISTORY_UNBOUNDED.entriesMax)
  const entries = await withCenter(client(), path, lenientCodec, (center) => {
    return center.history({ signal, ...(limit === undefined ? {} : { limit }) })
  })
  const nowMs = Date.now()
  const rows = entries.map((entry) => rowOf(entry, nowMs))
  print({
    text: rows.length === 0
      ? `${oneLine(path)} has no history\n`
      : tableText([['VERSION', 'HOW', 'SINCE', 'IN FORCE', 'BY', 'VALUE', 'COMMENT'], ...rows]),
    json: { path, history: entries.map((entry) => ({ ...entry, value: entry.value ?? null })) },
  })
}

/** Shows what has changed from one version to another. */
export async function compareVersions({ client, signal, print }: CommandContext, given: Given): Promise<void> {
  const path = given.word(1)
  const [from, to] = [versionAt(given, 2), versionAt(given, 3)]
  const changes = await withCenter(client(), path, comparingCodec, (center) => center.diff(from, to, { signal }))
  print({ text: changes.map(changeText).join(''), json: { path, from, to, changes } })
}

/**
 * Publishes an older version again.
 *
 * @param guard - the condition of the write
 */
export async function rollBack(
  { client, signal, print }: CommandContext,
  given: Given,
  guard: Pick<ConfigRollbackOptions, 'ifVersion' | 'force'>,
): Promise<void> {
  const path = given.word(1)
  const of = versionAt(given, 2)
  const options = { ...guard, ...noteOf(given), signal }
  const written = await withCenter(client(), path, lenientCodec, (center) => center.rollback(of, options))
  const { version, zxid, historyVersion = null } = written
  print({
    text: `version ${String(historyVersion)} is the value of version ${of}\n`,
    json: { path, of, version, zxid, historyVersion },
  })
}

async function withCenter<R>(
  client: Client,
  path: string,
  codec: Codec<unknown>,
  run: (center: ConfigCenter<unknown>) => Promise<R>,
): Promise<R> {
  const center = new ConfigCenter<unknown>(client, path, { codec, history: HISTORY_UNBOUNDED })
  try {
    return await run(center)
  } catch (error) {
    // The node that is missing is that of a version: the shell would name the value's.
    throw isCoordinationError(error, 'NO_NODE') ? new Failure(error.message) : error
  } finally {
    await center.close()
  }
}

function rowOf(entry: HistoryEntry<unknown>, nowMs: number): string[] {
  const { version, kind, of, timeMs, author, comment, value, issues, isCurrent, isStaged } = entry
  return [
    version === null ? '' : String(version),
    of === null ? kind : `${kind} of ${of}`,
    agoText(timeMs, nowMs),
    isStaged ? 'for some' : isCurrent ? 'yes' : '',
    visibleLine(author ?? ''),
    cellText(issues[0]?.message ?? JSON.stringify(value) ?? ''),
    cellText(comment ?? ''),
  ]
}

function versionAt(given: Given, index: number): number {
  const text = given.word(index)
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= VERSION_MAX) return Number(text)
  throw new UsageError(`a version of the history must be a whole number from 1, got ${JSON.stringify(text)}`)
}
