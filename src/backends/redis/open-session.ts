/** How a session begins. */
import { abortedError } from '../../core/async.ts'
import type { OpenOptions, Session } from '../../core/backend.ts'
import type { Hub } from './hub.ts'
import { foreign, textOf, unexpected } from './reply.ts'
import { SCRIPTS } from './io/script.ts'
import { RedisSession } from './session.ts'

/**
 * Opens a new session: one attempt.
 *
 * @throws CoordinationError `CONNECTION_LOSS` with outcome `not-sent` if no server served; `ABORTED`; see `Hub.dial`
 */
export async function openSession(hub: Hub, timeoutMs: number, options: OpenOptions): Promise<Session> {
  const { signal } = options
  try {
    if (signal?.aborted === true) throw abortedError(signal)
    return await hub.dial(
      hub.settings.connectTimeoutMs,
      async (link) => {
        const sentAtMs = performance.now()
        const args = [hub.now(), '', crypto.randomUUID(), '', String(timeoutMs), hub.seen.text]
        const reply = await link.run(SCRIPTS.open, args)
        if (reply.status === 'CORRUPT') throw foreign(textOf(reply.payload))
        if (reply.position === null) throw unexpected('no position')
        hub.feed.trust(textOf(reply.more))
        return new RedisSession(hub, { link, reply, position: reply.position, sentAtMs, timeoutMs }, options)
      },
      signal,
    )
  } catch (error) {
    throw signal?.aborted === true ? abortedError(signal) : error
  }
}
