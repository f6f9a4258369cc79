/**
 * ioredis, as far as it is used: an optional peer, loaded when the first connection is made.
 *
 * Safety    a connection is made for one purpose and thrown away when it breaks. ioredis is kept from repeating
 *           anything by itself, since it cannot know what was done: what it re-sends may be done twice.
 */
import type { Redis, RedisOptions } from 'ioredis'
import { CoordinationError } from '../../core/errors.ts'

/** What is used of an ioredis instance, as far as its types tell; ioredis-mock has it too. */
export interface RedisConnection {
  /** Connects; instances are made lazy. */
  connect(): Promise<unknown>
  /** Subscribes to a channel; the connection is then good for nothing else. */
  subscribe(channel: string): Promise<unknown>
  /** Listens. */
  on(event: string, listener: (...args: never[]) => void): unknown
  /** Closes. */
  disconnect(): void
}

/** What every instance has besides. */
export interface ScriptConnection extends RedisConnection {
  /** Runs a script and answers with buffers. */
  evalBuffer(script: string, keyCount: number, ...args: (string | Buffer)[]): Promise<unknown>
  /** Runs a script by its digest. */
  evalshaBuffer(sha: string, keyCount: number, ...args: (string | Buffer)[]): Promise<unknown>
}

/** The options of ioredis that are set here, and have one type in all of its versions. */
type SetHere =
  | 'lazyConnect'
  | 'enableOfflineQueue'
  | 'enableReadyCheck'
  | 'enableAutoPipelining'
  | 'maxRetriesPerRequest'
  | 'autoResendUnfulfilledCommands'
  | 'autoResubscribe'
  | 'retryStrategy'
  | 'sentinelRetryStrategy'
  | 'connectTimeout'
  | 'disconnectTimeout'
  | 'keyPrefix'

/** How one connection has to be made. */
export interface ConnectionOptions extends Pick<RedisOptions, SetHere> {
  /** Set if a cluster said that this server has the namespace; otherwise absent. */
  readonly host?: string
  /** Its port, likewise. */
  readonly port?: number
}

/** Makes an ioredis instance; it must take over every option that it is given. */
export type RedisFactory = (options: ConnectionOptions) => RedisConnection

/** Where Redis is: a `redis://` or `rediss://` URL, options of ioredis, or a function that makes an instance. */
export type RedisTarget = string | RedisOptions | RedisFactory

/** A server of a cluster. */
export interface Address {
  readonly host: string
  readonly port: number
}

/** Longest wait for what a closed connection still has to say, in milliseconds. */
const DISCONNECT_MS_MAX = 500

/**
 * Makes a connection that is not connected yet.
 *
 * @param address - a server to go to instead of the target's own, as a cluster asked for
 * @param connectMs - longest time that it may take to connect, in milliseconds
 * @throws CoordinationError `UNSUPPORTED` if ioredis is not installed
 */
export async function newConnection(
  target: RedisTarget,
  address: Address | null,
  connectMs: number,
): Promise<ScriptConnection> {
  const options: ConnectionOptions = {
    lazyConnect: true,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    enableAutoPipelining: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
    connectTimeout: connectMs,
    disconnectTimeout: DISCONNECT_MS_MAX,
    keyPrefix: '',
    ...(address ?? {}),
  }
  return (await instance(target, address, options)) as ScriptConnection
}

async function instance(
  target: RedisTarget,
  address: Address | null,
  options: ConnectionOptions,
): Promise<RedisConnection> {
  if (typeof target === 'function') return target(options)
  const { Redis: Client } = await loaded()
  if (typeof target !== 'string') return new Client({ ...target, ...options })
  if (address === null) return new Client(target, options)
  const url = new URL(target)
  url.hostname = address.host
  url.port = String(address.port)
  return new Client(url.href, options)
}

async function loaded(): Promise<{ Redis: typeof Redis }> {
  try {
    return await import('ioredis')
  } catch (error) {
    const message = 'quorate/redis needs the package ioredis, version 5 or 6, beside it: npm install ioredis'
    throw new CoordinationError('UNSUPPORTED', message, { outcome: 'not-sent', cause: error })
  }
}
