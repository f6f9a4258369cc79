/** Configurations: values below the roots, and the history of one. */
import type { Client } from '../../core/client.ts'
import { readEach, unlessGone } from '../../core/read-each.ts'
import type { Codec } from '../../recipes/engine/codec.ts'
import { ConfigCenter } from '../../recipes/config/config-center.ts'
import { secretText } from '../../recipes/config/secret-codec.ts'
import { HISTORY_LIMITS } from '../../recipes/config/config-history.ts'
import type { HistoryEntry } from '../../recipes/config/config-history.ts'
import type { Answer, ConfigDetail, ConfigKey, Release } from '../api.ts'
import { answer, hex, textOf } from './reading.ts'
import { untoldOf, walk } from './walk.ts'

const HISTORY_MAX = 50
const VALUE_CHARS_MAX = 262_144

/** Values as their texts, whatever format they are in. */
const TEXTS: Codec<string> = {
  encode: () => {
    throw new TypeError('values are read, and written again as they were')
  },
  decode: (bytes) => shown(bytes),
}

/** Reads the values below the roots: nodes that have data. */
export async function readValues(
  client: Client,
  roots: readonly string[],
  signal: AbortSignal,
): Promise<Answer<ConfigKey[]>> {
  const walked = await walk(client, roots, signal, () => true)
  const stats = await readEach(walked.met, async ({ path }) => ({ path, stat: await client.exists(path, { signal }) }))
  const values = stats.flatMap(({ path, stat }) => {
    if (stat === null || stat.dataLength === 0) return []
    return [{ path, version: stat.version, changedMs: stat.mtime, bytes: stat.dataLength }]
  })
  values.sort((a, b) => (a.path < b.path ? -1 : 1))
  return answer(values, { total: walked.left === null ? values.length : null, untold: untoldOf(walked) })
}

/**
 * Reads a value and its history.
 *
 * @throws CoordinationError `NO_NODE`
 */
export async function readRelease(client: Client, path: string, signal: AbortSignal): Promise<Answer<ConfigDetail>> {
  const { data, stat } = await client.get(path, { signal })
  const history = await historyOf(client, path, signal)
  const untold: Record<string, string> = {}
  if (history === null) untold['history'] = 'Its history cannot be read: the records are damaged.'
  else if (!history.some(({ version }) => version !== null)) {
    untold['history'] = 'No history is kept: a ConfigCenter with the option history keeps one.'
  }
  const { version, mzxid } = stat
  return answer({ path, version, mzxid: hex(mzxid), value: shown(data), history: history ?? [] }, { untold })
}

/**
 * A configuration whose values are texts, whatever format they are in. It keeps as much of the history as can be kept:
 * those who publish have set how much that is.
 */
export function recordedTexts(client: Client, path: string): ConfigCenter<string> {
  return new ConfigCenter<string>(client, path, { codec: TEXTS, history: HISTORY_LIMITS })
}

async function historyOf(client: Client, path: string, signal: AbortSignal): Promise<Release[] | null> {
  const center = recordedTexts(client, path)
  try {
    const entries = await center.history({ limit: HISTORY_MAX, signal })
    return entries.map(releaseOf)
  } catch (error) {
    signal.throwIfAborted()
    await unlessGone(Promise.reject(error)).catch(() => undefined)
    return null
  } finally {
    await center.close()
  }
}

function releaseOf(entry: HistoryEntry<string>): Release {
  const { version, nodeVersion, kind, of, isCurrent: isInForce } = entry
  const said = { by: entry.author, note: entry.comment, value: entry.value ?? null }
  return { version, nodeVersion, ms: entry.timeMs, kind, ...said, isInForce, of }
}

function shown(bytes: Uint8Array): string {
  return secretText(bytes) ?? textOf(bytes)?.slice(0, VALUE_CHARS_MAX) ?? `${bytes.length} bytes that are no text`
}
