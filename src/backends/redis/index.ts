/**
 * The Redis backend: locks, configuration and membership on a Redis that you already run.
 *
 * @packageDocumentation
 */
import type { Backend, Capabilities } from '../../core/backend.ts'
import type { RedisTarget } from './driver.ts'
import { Hub } from './hub.ts'
import { SESSION_TIMEOUT_MS_MAX, SESSION_TIMEOUT_MS_MIN, settingsOf } from './options.ts'
import type { RedisBackendOptions } from './options.ts'
import { openSession } from './open-session.ts'

export type { RedisBackendOptions } from './options.ts'
export type { ConnectionOptions, RedisConnection, RedisFactory, RedisTarget } from './driver.ts'

/** Redis keeps what it acknowledged as well as it is configured to, and a replica may lack the last of it. */
const CAPABILITIES: Capabilities = Object.freeze({
  durability: 'best-effort',
  linearizableSync: false,
  comparesCreations: true,
  containers: true,
  ttlGranularityMs: 1,
  acl: false,
  dataBytesMax: 1_000_000,
})

/**
 * Makes a backend on Redis; hand it to `connect()`.
 *
 * @param target - where Redis is: a `redis://` or `rediss://` URL, options of ioredis (sentinels, TLS, a password), or
 * a function that makes an ioredis instance with the options it is given
 * @param options - the namespace, and times
 * @returns the backend; it has a connection only while a session is open
 * @throws TypeError or RangeError for a wrong option
 */
export function redis(target: RedisTarget, options: RedisBackendOptions = {}): Backend {
  const settings = settingsOf(target, options)
  const hub = new Hub(settings)
  return {
    name: 'redis',
    capabilities: CAPABILITIES,
    open(open) {
      const asked = open.sessionTimeoutMs ?? settings.sessionTimeoutMs
      const timeoutMs = Math.round(Math.min(SESSION_TIMEOUT_MS_MAX, Math.max(SESSION_TIMEOUT_MS_MIN, asked)))
      return openSession(hub, timeoutMs, open)
    },
  }
}
