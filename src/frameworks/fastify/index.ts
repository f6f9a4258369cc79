/**
 * `quorate/fastify`: a plugin for Fastify, 4 and later, that connects when the server starts, closes when it ends, and
 * runs routes under locks. It needs `fastify`, an optional peer.
 *
 * @packageDocumentation
 */
import type { FastifyInstance, FastifyRequest, RouteHandlerMethod } from 'fastify'
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import { optionNames, refuseUnknown } from '../../core/options.ts'
import { validatePath } from '../../core/path.ts'
import { textOf } from '../../core/value-text.ts'
import type { Lease } from '../../recipes/engine/lease.ts'
import { FairLock } from '../../recipes/locks/fair-lock.ts'
import { closeApplicationClient, openApplicationClient } from '../application-client.ts'
import type { ApplicationClientOptions } from '../application-client.ts'

export type { ApplicationClientOptions } from '../application-client.ts'

/** Options of {@link quoratePlugin}: what to connect to, or a client that is there. */
export type QuoratePluginOptions = ApplicationClientOptions

/** The lock of a route: `config: { lock }` of its options. */
export interface RouteLock {
  /** Its path, or a function that makes it from the request. */
  readonly path: string | ((request: FastifyRequest) => string)
  /**
   * How long a request waits for it, in milliseconds; 10,000 by default. Then it is answered with status 423.
   */
  readonly waitMs?: number
}

declare module 'fastify' {
  interface FastifyInstance {
    /** The client of {@link quoratePlugin}. */
    readonly quorate: Client
  }
  interface FastifyRequest {
    /** The lease of the route's lock, while its handler runs; null for a route without one. */
    lease: Lease | null
  }
  interface FastifyContextConfig {
    /** Handlers of the route run one at a time, of all processes. */
    readonly lock?: RouteLock
  }
}

const LOCK_OPTIONS = optionNames<RouteLock>({ path: true, waitMs: true })
const WAIT_MS = 10_000
/** Somebody else has the lock. */
const LOCKED = 423
/** No server answers, or the lock was lost. */
const UNAVAILABLE = 503
/** Refusals that may be over when the request is made again. */
const PASSING = ['TIMEOUT', 'CONNECTION_LOSS', 'SESSION_EXPIRED', 'CLIENT_CLOSED', 'ABORTED'] as const
/** Fastify tells of a route twice where it answers HEAD by the route of GET. */
const LOCKED_HANDLERS = new WeakSet<RouteHandlerMethod>()

/**
 * The plugin: `await fastify.register(quoratePlugin, { backend })`. The server has `fastify.quorate`, the client, and
 * each route may have `config: { lock: { path } }`: its handler runs under that lock, and finds the lease in
 * `request.lease`.
 *
 * A request that waited in vain is answered with status 423, one that found no server or lost the lock meanwhile with
 * 503. The wait ends when the requester has gone.
 *
 * @throws TypeError for a wrong option
 * @throws CoordinationError as `connect`
 */
export async function quoratePlugin(fastify: FastifyInstance, options: QuoratePluginOptions): Promise<void> {
  const client = await openApplicationClient(options, 'quoratePlugin')
  fastify.decorate('quorate', client)
  fastify.decorateRequest('lease', null)
  fastify.addHook('onRoute', (route) => {
    const lock = route.config?.lock
    if (lock === undefined || LOCKED_HANDLERS.has(route.handler)) return
    checkRouteLock(lock)
    route.handler = underLock(client, lock, route.handler)
  })
  fastify.addHook('onClose', () => closeApplicationClient(client, options))
}

// By these, which fastify-plugin would set, it belongs to the whole server and not to a scope of its own.
Object.assign(quoratePlugin, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'quorate',
  [Symbol.for('plugin-meta')]: { name: 'quorate', fastify: '>=4' },
})

function checkRouteLock(lock: RouteLock): void {
  refuseUnknown(lock, LOCK_OPTIONS, 'the lock of a route')
  const { path } = lock
  if (typeof path === 'string') validatePath(path)
  else if (typeof path !== 'function') {
    throw new TypeError(`path of a route's lock must be a string or a function, got ${textOf(path)}`)
  }
}

/** A handler that runs the other under a lock, which is released before the answer is sent. */
function underLock(client: Client, { path, waitMs = WAIT_MS }: RouteLock, handler: RouteHandlerMethod) {
  const locked: RouteHandlerMethod = async function (request, reply) {
    const lock = new FairLock(client, typeof path === 'string' ? path : path(request))
    const gone = new AbortController()
    const onGone = (): void => gone.abort(new Error('the requester has gone'))
    reply.raw.once('close', onGone)
    try {
      return await lock.using<unknown>({ waitMs, signal: gone.signal }, async (lease) => {
        request.lease = lease
        return handler.call(this, request, reply)
      })
    } catch (error) {
      const isBusy = client.state.status === 'connected' && isCoordinationError(error, 'TIMEOUT')
      throw request.lease === null ? whileWaiting(error, isBusy) : whileHeld(error)
    } finally {
      reply.raw.off('close', onGone)
      request.lease = null
    }
  }
  LOCKED_HANDLERS.add(locked)
  return locked
}

/** Why there is no lease, with the status that Fastify answers with. */
function whileWaiting(error: unknown, isBusy: boolean): unknown {
  if (isBusy) return Object.assign(error as Error, { statusCode: LOCKED })
  return isCoordinationError(error, ...PASSING) ? Object.assign(error, { statusCode: UNAVAILABLE }) : error
}

/** Why the work came to no good end: what the handler threw stays as it is. */
function whileHeld(error: unknown): unknown {
  return isCoordinationError(error, 'LEASE_LOST') ? Object.assign(error, { statusCode: UNAVAILABLE }) : error
}
