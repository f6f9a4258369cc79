/**
 * Revocation: whoever holds something by a node, or waits for it, is asked to give it up - or made to.
 *
 * Request   a write to the node of the contender, which watches its own node: `__REVOKE__`, and the reason after a
 *           space if there is one. Every such write asks again. It replaces what the contender said of itself, and
 *           changes nothing else: the holder goes on to hold until it releases.
 * Eviction  the node is deleted, and the holder's signal fires. Not cooperative: the holder's work until it notices
 *           is kept out by fencing alone.
 * Identity  both are multis that begin with a check of the node's creation: a node that came to the same path later is
 *           never touched.
 * Mark      a node that its maker knows by a mark before its data keeps that.
 * Heard     the node's version distinguishes a request from the contender's own data. The data are read whenever the
 *           watch is armed, so that no request falls between two watches; of two in a row the last one is delivered.
 * Source    Curator Revoker and LockInternals.checkRevocableWatcher, whose request is the bare word; its holders pass
 *           over one with a reason.
 */
import type { NodeData, Operation } from '../../core/backend.ts'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { optionNames } from '../../core/options.ts'
import { readEach } from '../../core/read-each.ts'
import { textOf } from '../../core/value-text.ts'
import { Feed } from './feed.ts'
import { namedListener } from './listener.ts'
import { markData, unmarkData } from './marked-data.ts'
import { checkIdentity, isGone } from './protected-writes.ts'
import type { NodeIdentity } from './protected-writes.ts'
import type { TimedWaitOptions, Wait } from './wait.ts'

/** A request to give something up. */
export interface RevokeRequest {
  /** Why it was asked; empty if no reason was given. */
  readonly reason: string
}

/** A contender, by what tells its node from every other: a `ContenderInfo` or a lease is one. */
export interface ContenderRef {
  /** Its node. */
  readonly path: string
  /** The zxid of the node's creation. */
  readonly token: bigint
}

/** Options of `revoke`. */
export interface RevokeOptions extends TimedWaitOptions {
  /** Why, for the holder. Holders of Curator's hear requests without a reason only. None by default. */
  readonly reason?: string
  /** Whom to ask, who may hold or wait; all who hold by default. */
  readonly contender?: ContenderRef
}

/** The names of the options of `revoke`. */
export const REVOKE_OPTIONS = optionNames<RevokeOptions>({ reason: true, contender: true, signal: true, waitMs: true })

const WORD = '__REVOKE__'
/** Longest reason, in characters. */
const REASON_CHARS_MAX = 1_000

/** Makes the data that ask for a node. */
function encodeRequest(reason: string): Uint8Array {
  return new TextEncoder().encode(reason === '' ? WORD : `${WORD} ${reason}`)
}

/** Reads a request; null if the data are none. */
function decodeRequest(data: Uint8Array): RevokeRequest | null {
  const text = new TextDecoder().decode(data)
  if (text === WORD) return { reason: '' }
  return text.startsWith(`${WORD} `) ? { reason: text.slice(WORD.length + 1) } : null
}

/** The requests that one contender has heard, and whom to tell of them. */
export class Revocation {
  readonly #path: string
  readonly #feed: Feed<RevokeRequest>
  /** Of the data that were seen last; 0 are those that the contender wrote itself. */
  #version = 0

  /**
   * Begins with no request.
   *
   * @param path - the contender's node
   */
  constructor(client: Client, path: string) {
    this.#path = path
    this.#feed = new Feed((error) => client.report(error))
  }

  /** Looks at what the node holds: it may be a request that was not seen yet. */
  see({ data, stat }: NodeData): void {
    if (stat.version === this.#version) return
    this.#version = stat.version
    const request = decodeRequest(unmarkData(data)?.data ?? data)
    if (request !== null) this.#feed.publish(request, false)
  }

  /** Tells a listener of the last request, if there was one, and of each to come. Returns what ends it. */
  listen(listener: (request: RevokeRequest) => void | Promise<void>): () => void {
    const named = namedListener('onRevoke', this.#path, listener)
    return this.#feed.subscribe(this.#path, ({ current }) => current, named)
  }

  /** Tells nobody any more. */
  end(): void {
    this.#feed.close()
  }
}

/**
 * Checks whom to ask or evict.
 *
 * @param parent - of the contenders
 * @throws TypeError if it is none of those
 */
export function checkContender(contender: unknown, parent: string): NodeIdentity {
  return checkRef(contender, (path) => path.startsWith(`${parent}/`), parent)
}

/**
 * Checks whom to ask or evict of a lock whose holder's node is its own path.
 *
 * @throws TypeError if it is none of that lock
 */
export function checkHolder(contender: unknown, lock: string): NodeIdentity {
  return checkRef(contender, (path) => path === lock, lock)
}

function checkRef(contender: unknown, isOf: (path: string) => boolean, lock: string): NodeIdentity {
  const { path, token } = Object(contender) as Partial<ContenderRef>
  if (typeof path === 'string' && isOf(path) && typeof token === 'bigint') return { path, czxid: token }
  const got = typeof path === 'string' ? path : textOf(contender)
  throw new TypeError(`contender must be one of ${lock}, with its path and token, got ${got}`)
}

/** Checks the reason of a request. */
export function checkReason(reason: string | undefined): void {
  if (reason === undefined || (typeof reason === 'string' && reason.length <= REASON_CHARS_MAX)) return
  const longest = String(REASON_CHARS_MAX)
  throw new TypeError(`reason must be a string of at most ${longest} characters, got ${textOf(reason)}`)
}

/**
 * Asks for nodes.
 *
 * @param markOf - the mark before the data of a node, which stays; none by default
 * @returns those that were asked: not those that are gone, or whose data the servers let nobody else write
 */
export async function requestAll<T extends ContenderRef>(
  client: Client,
  contenders: readonly T[],
  reason: string,
  { signal }: Pick<Wait, 'signal'>,
  markOf: (contender: T) => string | undefined = () => undefined,
): Promise<T[]> {
  const asked = await readEach(contenders, async (contender) => {
    const { path, token: czxid } = contender
    const [words, mark] = [encodeRequest(reason), markOf(contender)]
    const data = mark === undefined ? words : markData(mark, words)
    const request: Operation = { type: 'set', path, data, version: -1 }
    try {
      await client.multi([checkIdentity({ path, czxid }), request], { signal })
      return contender
    } catch (error) {
      if (isGone(error) || isCoordinationError(error, 'NO_AUTH')) return null
      throw error
    }
  }, signal)
  return asked.filter((contender) => contender !== null)
}
