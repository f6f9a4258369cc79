/**
 * Notes of the publishes that the shell makes, where a history is kept.
 *
 * Kept      a publish from here prunes nothing: the bounds of a history are those of the processes that publish.
 * Staged    a publish with a history is refused while a value is staged, unless it decides on that value.
 */
import type { Client } from '../../core/client.ts'
import type { ConfigRollbackOptions } from '../../recipes/config/config-center.ts'
import type { HistoryOptions } from '../../recipes/config/config-history.ts'
import { RecordPaths } from '../../recipes/config/config-records.ts'
import { UsageError } from '../exit-status.ts'
import type { Given } from './command.ts'

/** The most that a history can keep. */
export const HISTORY_UNBOUNDED: HistoryOptions & { readonly entriesMax: number } = Object.freeze({
  entriesMax: 1_000,
  bytesMax: 1_073_741_824,
})

/** The flags of {@link noteOf}. */
export const NOTE_FLAGS: readonly string[] = ['a', 'm', 'staged']

/** The option by which a publish is recorded: only where somebody keeps a history of the value. */
export async function historyOf(
  client: Client,
  path: string,
  signal: AbortSignal,
): Promise<{ readonly history: HistoryOptions | false }> {
  const head = await client.exists(new RecordPaths(path).head, { signal })
  return { history: head === null ? false : HISTORY_UNBOUNDED }
}

/**
 * The author and the comment of a publish, and the fate of a staged value, by their flags.
 *
 * @throws UsageError for a wrong fate
 */
export function noteOf(given: Given): Pick<ConfigRollbackOptions, 'author' | 'comment' | 'staged'> {
  const [author, comment, staged] = NOTE_FLAGS.map((flag) => given.value(flag))
  if (staged !== undefined && staged !== 'keep' && staged !== 'withdraw') {
    throw new UsageError(`-staged must be keep or withdraw, got ${JSON.stringify(staged)}`)
  }
  return {
    ...(author === undefined ? {} : { author }),
    ...(comment === undefined ? {} : { comment }),
    ...(staged === undefined ? {} : { staged }),
  }
}
