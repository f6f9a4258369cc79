/**
 * Compare-and-set of persistent nodes, once, by force, or as a bounded read-change-write, over lost replies.
 *
 * Lost reply  read back after a `sync`. With compare-and-set on version v, a node at v+1 with our data is our write
 *             (or one equal to it, which is the same to every reader; where it matters whose it is, it is `unknown`);
 *             at v, nothing happened and the write is safe to repeat; at v+1 with other data another was quicker;
 *             beyond, or recreated, nobody can know, and the error says `unknown`. A forced write counts as done if our
 *             data are there; it is not repeated otherwise, since it could undo a newer one (CURATOR-584).
 * Identity    a version counts from 0 again when a node is deleted and made again. Who has seen the node names its
 *             creation too, so that an equal version of another node is refused; a version alone cannot tell them
 *             apart.
 */
import { assert } from '../../core/assert.ts'
import { delay } from '../../core/async.ts'
import type { NodeData, Stat } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { CoordinationError, isCoordinationError } from '../../core/errors.ts'
import { parentOf } from '../../core/path.ts'
import { refusal } from '../../core/refusal.ts'
import { fullJitterMs } from '../../core/retry.ts'
import { CREATE_ATTEMPTS_MAX, checkIdentity, isOutcomeUnknown, readOrNull, readSynced } from './protected-writes.ts'

/** A node as it was seen: of this creation, and with this version. */
export interface SeenNode {
  /** zxid of its creation. */
  readonly czxid: bigint
  /** How often its data had changed. */
  readonly version: number
}

/** The condition that the node must meet: as it was seen, of this version, missing (null), or none (`any`). */
export type ExpectedVersion = SeenNode | number | null | 'any'

/** The result of a write. */
export interface Written {
  /** The node's version from now on. */
  readonly version: number
  /** zxid of the write. */
  readonly zxid: bigint
}

/** The result of a write, and the creation of the node that it wrote. */
export interface WrittenNode extends Written {
  /** zxid of the node's creation. */
  readonly czxid: bigint
  /** By the time that the write was found to have taken effect, the node had changed again. */
  readonly isOvertaken?: true
}

/** How often an update is made again while others are quicker. */
export const UPDATE_ATTEMPTS_MAX = 30

const ANY_VERSION = -1
const NO_DATA = new Uint8Array()

/**
 * Writes a node's data; makes the node, and persistent parents, if it is missing and may be made.
 *
 * @param client - through which to write
 * @param path - the node
 * @param data - all of its new data
 * @param expected - the condition that the node must meet
 * @param signal - ends the attempt; a write that was sent already may still take effect
 * @throws CoordinationError `BAD_VERSION` if it is not as expected; `CONNECTION_LOSS` or `SESSION_EXPIRED` with outcome
 * `unknown` if the fate of the write cannot be found out; or the refusal of the servers
 */
export async function writeVersioned(
  client: Client,
  path: string,
  data: Uint8Array,
  expected: ExpectedVersion,
  signal: AbortSignal,
): Promise<WrittenNode> {
  return writeUntilKnown(client, { path, data, expected, signal, isEqualOurs: true })
}

/**
 * As {@link writeVersioned}, for a writer to whom it matters whether it was the one: equal data at the next version may
 * be those of a rival, so that they count as `unknown`.
 */
export async function winVersioned(
  client: Client,
  path: string,
  data: Uint8Array,
  expected: ExpectedVersion,
  signal: AbortSignal,
): Promise<WrittenNode> {
  return writeUntilKnown(client, { path, data, expected, signal, isEqualOurs: false })
}

/** Options of {@link updateVersioned}. */
export interface UpdateOptions {
  /** How often it is tried. */
  readonly attemptsMax?: number
  /**
   * Whether the first read does without a `sync`, where the engine compares creations and so refuses data made of an
   * old state; false by default. `change` may then be called with such a state.
   */
  readonly isOptimistic?: boolean
}

/**
 * Changes a node's data: reads, lets the caller make the next data, and writes them with compare-and-set; all again if
 * another was quicker, with a random pause in between that grows.
 *
 * @param client - through which to read and write
 * @param path - the node; made with its parents if it is missing
 * @param change - makes the next data from what is there, null if nothing is; called once per attempt
 * @param signal - ends the update; a write that was sent already may still take effect
 * @param options - how often it is tried, and how it begins
 * @throws CoordinationError `BAD_VERSION` (outcome `rejected`) if another was quicker each time; `CONNECTION_LOSS` or
 * `SESSION_EXPIRED` with outcome `unknown` if the answer to a write was lost and the node does not say whether it took
 * effect: equal data may be those of another who made the same change, so that it is not made again, nor counts as
 * done; what `change` threw; a refusal of the servers
 */
export async function updateVersioned(
  client: Client,
  path: string,
  change: (found: NodeData | null) => Promise<Uint8Array>,
  signal: AbortSignal,
  { attemptsMax = UPDATE_ATTEMPTS_MAX, isOptimistic = false }: UpdateOptions = {},
): Promise<WrittenNode> {
  for (let attempt = 1; ; attempt += 1) {
    const isUnsynced = isOptimistic && attempt === 1 && client.capabilities.comparesCreations
    const found = isUnsynced ? await readOrNull(client, path, signal) : await readSynced(client, path, signal)
    let data: Uint8Array
    try {
      data = await change(found)
    } catch (error) {
      // Data made of an old state would be refused by the servers; an error of one is judged again by the present one.
      if (isUnsynced) continue
      throw error
    }
    const expected = found === null ? null : seenBy(client, found.stat)
    try {
      return await writeUntilKnown(client, { path, data, expected, signal, isEqualOurs: false })
    } catch (error) {
      if (!isCoordinationError(error, 'BAD_VERSION') || attempt === attemptsMax) throw error
    }
    await delay(fullJitterMs(attempt), signal)
  }
}

/**
 * Names a node as it was seen. Where the engine does not compare creations itself, the version alone: writers under one
 * parent would hold each other up.
 */
export function seenBy(client: Client, { czxid, version }: SeenNode): SeenNode | number {
  return client.capabilities.comparesCreations ? { czxid, version } : version
}

async function writeUntilKnown(client: Client, write: Write): Promise<WrittenNode> {
  const { path, data, expected, signal } = write
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await writeOnce(client, path, data, expected, signal)
    } catch (error) {
      const done = await afterFailure(client, write, error)
      if (done !== null) return done
      if (attempt === CREATE_ATTEMPTS_MAX) throw error
    }
  }
}

/**
 * Removes the value of a node: deletes it, or empties it if it has children.
 *
 * @param client - through which to write
 * @param path - the node
 * @param expected - the version that it must have
 * @param signal - ends the attempt; a delete that was sent already may still take effect
 * @returns resolves when the value is known to be gone
 * @throws CoordinationError as {@link writeVersioned}
 */
export async function removeVersioned(
  client: Client,
  path: string,
  expected: Exclude<ExpectedVersion, null>,
  signal: AbortSignal,
): Promise<void> {
  let unknown: CoordinationError | null = null
  for (let attempt = 1; ; attempt += 1) {
    try {
      await deleteOnce(client, path, expected, signal)
      return
    } catch (error) {
      if (isCoordinationError(error, 'NO_NODE')) return
      // That this attempt was not sent says nothing of the one before it.
      if (unknown !== null && isCoordinationError(error) && error.outcome === 'not-sent') throw unknown
      if (isCoordinationError(error, 'NOT_EMPTY')) {
        await writeVersioned(client, path, NO_DATA, expected, signal)
        return
      }
      if (!isOutcomeUnknown(error) || attempt === CREATE_ATTEMPTS_MAX) throw error
      // A versioned delete is repeated as it is: it meets no node if it took effect, and another version if somebody
      // wrote meanwhile. A forced one could meet a newer node.
      if (expected !== 'any') {
        unknown = error
        continue
      }
      if ((await readBack(client, path, signal, error)) === null) return
      throw error
    }
  }
}

async function deleteOnce(
  client: Client,
  path: string,
  expected: Exclude<ExpectedVersion, null>,
  signal: AbortSignal,
): Promise<void> {
  const version = versionOf(expected)
  if (typeof expected !== 'object') return client.delete(path, { version, signal })
  const remove = { type: 'delete', path, version } as const
  await ofOneNode(path, client.multi([checkIdentity({ path, ...expected }), remove], { signal }))
}

/** A multi on one node, which is refused as a call on that node is: it is no news which of its operations it was. */
async function ofOneNode<R>(path: string, multi: Promise<R>): Promise<R> {
  try {
    return await multi
  } catch (error) {
    throw isCoordinationError(error) && error.index !== undefined ? refusal(error.code, path, { cause: error }) : error
  }
}

async function setOnce(
  client: Client,
  path: string,
  data: Uint8Array,
  expected: Exclude<ExpectedVersion, null>,
  signal: AbortSignal,
): Promise<Stat> {
  const version = versionOf(expected)
  if (typeof expected !== 'object') return client.set(path, data, { version, signal })
  const set = { type: 'set', path, data, version } as const
  const [, done] = await ofOneNode(path, client.multi([checkIdentity({ path, ...expected }), set], { signal }))
  assert(done?.type === 'set', 'the result of the set')
  return done.stat
}

async function writeOnce(
  client: Client,
  path: string,
  data: Uint8Array,
  expected: ExpectedVersion,
  signal: AbortSignal,
): Promise<WrittenNode> {
  if (expected !== null) {
    try {
      return writtenBy(await setOnce(client, path, data, expected, signal))
    } catch (error) {
      if (!isCoordinationError(error, 'NO_NODE')) throw error
      if (expected !== 'any') throw badVersion(path, expected, 'missing')
    }
  }
  return writtenBy((await client.create(path, data, { mode: 'persistent', signal })).stat)
}

/** A write as it was asked for. */
interface Write {
  readonly path: string
  readonly data: Uint8Array
  readonly expected: ExpectedVersion
  readonly signal: AbortSignal
  /** Whether equal data at the next version count as this write: for every reader they are the same. */
  readonly isEqualOurs: boolean
}

/** Decides on a failed attempt: its result (it took effect after all), null for another attempt, or a throw. */
async function afterFailure(client: Client, failed: Write, error: unknown): Promise<WrittenNode | null> {
  const { path, expected, signal } = failed
  if (isCoordinationError(error, 'NO_NODE')) {
    await client.makePath(parentOf(path), { mode: 'persistent', signal })
    return null
  }
  if (isCoordinationError(error, 'NODE_EXISTS')) {
    // A forced write met no node and then one: it may be set now. One that must not exist is there.
    if (expected === 'any') return null
    throw badVersion(path, expected, 'there')
  }
  if (!isOutcomeUnknown(error)) {
    // It was not done, and a persistent node does not care which session writes it.
    if (isCoordinationError(error, 'SESSION_EXPIRED')) return null
    throw error
  }
  return resolveUnknown(client, failed, error)
}

async function resolveUnknown(client: Client, failed: Write, error: CoordinationError): Promise<WrittenNode | null> {
  const { path, data, expected, signal, isEqualOurs } = failed
  const found = await readBack(client, path, signal, error)
  if (found === null) {
    if (expected === null) return null
    throw error
  }
  const { stat } = found
  const areOurs = equalBytes(found.data, data)
  if (expected === 'any') {
    if (areOurs) return writtenBy(stat)
    throw error
  }
  // Another node is there: nobody can know whether ours was written before that one came.
  if (typeof expected === 'object' && expected !== null && stat.czxid !== expected.czxid) throw error
  const versionIfOurs = expected === null ? 0 : nextVersion(versionOf(expected))
  if (stat.version === versionIfOurs) {
    if (!areOurs) throw badVersion(path, expected, stat.version)
    if (isEqualOurs) return writtenBy(stat)
    throw error
  }
  if (expected !== null && stat.version === versionOf(expected)) return null
  throw error
}

/** Reads the fate of a write. If that fails, the outcome of the write is still unknown, and the error says so. */
async function readBack(
  client: Client,
  path: string,
  signal: AbortSignal,
  unknown: CoordinationError,
): Promise<NodeData | null> {
  try {
    return await readSynced(client, path, signal)
  } catch {
    throw unknown
  }
}

/**
 * Makes sure that a node which was read is as its writer expects it.
 *
 * @param found - null if there is none
 * @throws CoordinationError `BAD_VERSION`
 */
export function expectFound(path: string, expected: ExpectedVersion, found: NodeData | null): void {
  if (expected === 'any') return
  if (expected === null) {
    if (found !== null) throw badVersion(path, expected, 'there')
    return
  }
  if (found === null) throw badVersion(path, expected, 'missing')
  const { version, czxid } = found.stat
  const isSame = version === versionOf(expected) && (typeof expected !== 'object' || czxid === expected.czxid)
  if (!isSame) throw badVersion(path, expected, version)
}

function writtenBy({ version, mzxid, czxid }: Stat): WrittenNode {
  return { version, zxid: mzxid, czxid }
}

function versionOf(expected: Exclude<ExpectedVersion, null>): number {
  if (expected === 'any') return ANY_VERSION
  return typeof expected === 'object' ? expected.version : expected
}

/** Versions are int32 and skip -1, which stands for any. */
export function nextVersion(version: number): number {
  const next = (version + 1) | 0
  return next === ANY_VERSION ? 0 : next
}

function badVersion(
  path: string,
  expected: SeenNode | number | null,
  found: number | 'missing' | 'there',
): CoordinationError {
  const wanted = expected === null ? 'missing' : `version ${String(versionOf(expected))}`
  const message = `${path} was expected to be ${wanted}, found ${String(found)}`
  return new CoordinationError('BAD_VERSION', message, { outcome: 'rejected', path })
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index])
}
