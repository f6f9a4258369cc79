/** Reads of commands that take `-w`. */
import type { Watcher } from '../../core/backend.ts'
import type { ReadOptions } from '../../core/client.ts'
import type { CommandContext } from './command.ts'
import type { Watch } from './watch-list.ts'

/** A watch to set with a read. */
export interface WatchWanted {
  /** False for a read without a watch. */
  readonly isWatching: boolean
  /** The kind of the read's watch. */
  readonly kind: 'children' | 'data'
  readonly path: string
}

/**
 * Reads with a watch whose event is printed, or without one.
 *
 * @param read - gets the watch, if there is to be one
 */
export async function watchedRead<T>(
  { client, watches, events }: CommandContext,
  { isWatching, kind, path }: WatchWanted,
  read: (options: ReadOptions) => Promise<T>,
): Promise<T> {
  if (!isWatching) return read({})
  const connected = client()
  const watch: Watcher = (event) => {
    watches.remove(entry)
    if (!watches.hasLasting(event)) events.tell(event)
  }
  const entry: Watch = { kind, path, stop: () => connected.unwatch(path, watch) }
  watches.add(entry)
  try {
    return await read({ watch })
  } catch (error) {
    watches.remove(entry)
    throw error
  }
}
