/** Results of work that is done once, as tools see them. */
import type { Client } from '../../core/client.ts'
import { CoordinationError } from '../../core/errors.ts'
import type { ContenderInfo } from '../engine/contenders.ts'
import { unmarkData } from '../engine/marked-data.ts'
import { deleteNode, readSynced } from '../engine/protected-writes.ts'
import { queueOf } from './once-only.ts'

/** A recorded result. For how long it is good, its callers say. */
export interface SeenResult {
  /** The result as it is stored; no bytes for `undefined`. */
  readonly data: Uint8Array
  /** When it was recorded, in milliseconds since 1970 by the leader's clock. */
  readonly recordedMs: number
}

/** Work that is done once. */
export interface SeenOnce {
  /** Null if none is recorded. */
  readonly result: SeenResult | null
  /** The process that does the work now, and those that wait for it; first come first. */
  readonly queue: readonly ContenderInfo[]
}

/** Reads what became of the work of a path. */
export async function readOnce(client: Client, path: string, signal: AbortSignal): Promise<SeenOnce> {
  const [found, queue] = await Promise.all([
    readSynced(client, path, signal),
    queueOf(client, path).list({ signal }),
  ])
  if (found === null) return { result: null, queue }
  const { data } = unmarkData(found.data) ?? found
  return { result: { data, recordedMs: found.stat.mtime }, queue }
}

/**
 * Removes a recorded result, so that the next caller does the work again.
 *
 * @returns false if none was recorded
 * @throws CoordinationError `INVALID_VALUE` with outcome `rejected` if the node is none of a result; `NOT_EMPTY` if
 * somebody has put nodes below it
 */
export async function forgetOnce(client: Client, path: string, signal: AbortSignal): Promise<boolean> {
  const found = await readSynced(client, path, signal)
  if (found === null) return false
  if (unmarkData(found.data) === null) {
    const message = `${path} holds no result of onceOnly: delete removes other nodes`
    throw new CoordinationError('INVALID_VALUE', message, { outcome: 'rejected', path })
  }
  await deleteNode(client, { path, czxid: found.stat.czxid }, signal)
  return true
}
