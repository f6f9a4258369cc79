/**
 * ioredis, as far as it is used: an optional peer, loaded when the first connection is made.
 *
 * Safety    a connection is made for one purpose and thrown away when it breaks. ioredis is kept from repeating
 *           anything by itself, since it cannot know what was done: a command that it re-sends may be done twice.
 */
import type { Redis, RedisOptions } from 'ioredis'
import { CoordinationError } from '../../core/errors.ts'
import { guardReplies } from './guarded-replies.ts'

/** The methods of an ioredis instance that are used, as far as its types tell; ioredis-mock has them too. */
export interface RedisConnection {
  /** Connects; instances are made lazy. */
  connect(): Promise<unknown>
  /** Subscribes to a channel; the connection is then good for nothing else. */
  subscribe(channel: string): Promise<unknown>
  /** Ends that. */
  unsubscribe(channel: string): Promise<unknown>
  /** Listens. */
  on(event: string, listener: (...args: never[]) => void): unknown
  /** Closes. */
  disconnect(): void
}

/** The further methods of every instance. */
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

const PACKAGE: string = 'ioredis'
const NOT_INSTALLED = 'quorate/redis needs the package ioredis, version 5 or 6, beside it: npm install ioredis'

/** Longest wait for the last events of a closed connection, in milliseconds. */
const DISCONNECT_MS_MAX = 500

/**
 * Makes a connection that is not connected yet.
 *
 * @param address - a server to go to instead of the target's own, as a cluster asked for
 * @param connectMs - longest time that it may take to connect, in milliseconds
 * @throws CoordinationError `UNSUPPORTED` if ioredis is not installed, or does not load
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
  const connection = (await instance(target, address, options)) as ScriptConnection
  guardReplies(connection)
  return connection
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
    if (isNotInstalled(error)) throw unsupported(NOT_INSTALLED, error)
    return installed(error)
  }
}

/**
 * Loads what is installed, since the copy in a bundle does not load: an ES module of esbuild has no `require` for the
 * modules of Node.js that ioredis asks for. Bundlers leave a name alone that is not written in place.
 */
async function installed(bundled: unknown): Promise<{ Redis: typeof Redis }> {
  try {
    return (await import(/* @vite-ignore */ /* webpackIgnore: true */ PACKAGE)) as { Redis: typeof Redis }
  } catch (error) {
    const reason = bundled instanceof Error ? bundled.message : String(bundled)
    if (!isNotInstalled(error)) throw unsupported(`ioredis does not load: ${reason}`, bundled)
    const what = `the ioredis in this bundle does not load (${reason}), and none is installed`
    throw unsupported(`${what}: keep it out of the bundle, as an external package, and npm install ioredis`, bundled)
  }
}

/** Whether an error says of ioredis itself, and not of what it needs, that it is not there. */
function isNotInstalled(error: unknown): boolean {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && /['"]ioredis['"]/.test(String(message))
}

function unsupported(message: string, cause: unknown): CoordinationError {
  return new CoordinationError('UNSUPPORTED', message, { outcome: 'not-sent', cause })
}
