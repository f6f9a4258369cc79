/** The errors with which a Redis server refuses a script, and the messages that callers get for them. */
import type { CallFailure } from '../../core/session/call-queue.ts'
import type { ErrorCode } from '../../core/errors.ts'
import type { Address } from './driver.ts'

/**
 * Why a server did not do a script.
 *
 * - `forgotten`: it does not know the digest; nothing was done.
 * - `elsewhere`: it does not serve this namespace, or not now; nothing was done.
 * - `forbidden`: it wants another password, or permissions.
 * - `failed`: it cannot. `unknown` tells whether something may have been done.
 */
type Reason = 'forgotten' | 'elsewhere' | 'forbidden' | 'failed'

/** The meaning of an error by its first word. */
interface Meaning {
  readonly reason: Reason
  readonly sentence: string
  /** Whether the server has not begun, or has refused the first write of a script, which is before all others. */
  readonly isRefusedAtOnce?: true
}

const MEANINGS: Readonly<Record<string, Meaning>> = Object.freeze({
  NOSCRIPT: { reason: 'forgotten', sentence: 'Redis has forgotten the scripts' },
  MOVED: { reason: 'elsewhere', sentence: 'another server of the Redis cluster serves the namespace' },
  ASK: { reason: 'elsewhere', sentence: 'the namespace is being moved to another server of the Redis cluster' },
  TRYAGAIN: { reason: 'elsewhere', sentence: 'the namespace is being moved to another server of the Redis cluster' },
  CLUSTERDOWN: { reason: 'elsewhere', sentence: 'the Redis cluster does not serve the namespace' },
  READONLY: { reason: 'elsewhere', sentence: 'this Redis server is a replica, which takes no writes' },
  LOADING: { reason: 'elsewhere', sentence: 'the Redis server is still loading its data' },
  MASTERDOWN: { reason: 'elsewhere', sentence: 'this Redis server is a replica that has lost its primary' },
  NOAUTH: { reason: 'forbidden', sentence: 'Redis wants a password' },
  WRONGPASS: { reason: 'forbidden', sentence: 'Redis has no such user with this password' },
  NOPERM: {
    reason: 'forbidden',
    sentence: 'the user of Redis lacks permissions; docs/backends/redis.md lists those it needs',
  },
  OOM: {
    reason: 'failed',
    sentence: 'Redis has no memory left for a write: see its maxmemory',
    isRefusedAtOnce: true,
  },
  MISCONF: {
    reason: 'failed',
    sentence: 'Redis takes no writes, since it cannot save them to its disk',
    isRefusedAtOnce: true,
  },
  NOREPLICAS: {
    reason: 'failed',
    sentence: 'Redis takes no writes, since too few of its replicas are in touch',
    isRefusedAtOnce: true,
  },
  BUSY: { reason: 'failed', sentence: "Redis is busy with somebody else's script", isRefusedAtOnce: true },
})

const OTHER: Meaning = { reason: 'failed', sentence: 'Redis failed at a script; the cause has its words' }

const CODES: Readonly<Record<Reason, ErrorCode>> = Object.freeze({
  forbidden: 'NO_AUTH',
  failed: 'SYSTEM_ERROR',
  elsewhere: 'CONNECTION_LOSS',
  forgotten: 'CONNECTION_LOSS',
})

/** An error that a server answered with; its own message is the server's, and for the `cause` alone. */
export class ServerError extends Error {
  readonly reason: Reason
  /** The message for callers. */
  readonly sentence: string
  /** Where a cluster says that the namespace is. */
  readonly address: Address | null
  /** Whether the script may have been done in part. */
  readonly unknown: boolean

  /** @param message - as the server answered it */
  constructor(message: string) {
    super(message)
    const word = /^[A-Z]+/.exec(message)?.[0] ?? ''
    const { reason, sentence, isRefusedAtOnce = false } = (Object.hasOwn(MEANINGS, word) && MEANINGS[word]) || OTHER
    this.name = 'ServerError'
    this.reason = reason
    this.sentence = sentence
    this.address = word === 'MOVED' ? addressOf(message) : null
    this.unknown = reason === 'failed' && !isRefusedAtOnce
  }

  /** The failure of a call that was answered so. */
  get failure(): CallFailure & { readonly cause: unknown } {
    const isRejected = this.reason === 'forbidden' || this.reason === 'failed'
    const outcome = isRejected ? 'rejected' : 'not-sent'
    return { code: CODES[this.reason], message: this.sentence, outcome, cause: this }
  }
}

function addressOf(message: string): Address | null {
  const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(message) ?? []
  return host === undefined || host === '' || port === undefined ? null : { host, port: Number(port) }
}
