/**
 * Locks of other libraries: redlock and redis-semaphore on a Redis, the lock of etcd3 on an etcd. Each
 * contender has a connection of its own, as it would in a process of its own.
 *
 * redlock          tries again after 200 ms, 100 more or less, by its defaults, and gives up after ten tries; here it
 *                  never gives up. The eager one pauses 10 ms, 5 more or less.
 * redis-semaphore  tries again after 10 ms by its defaults; here it never gives up.
 * etcd3            its lock tries once, so whoever does not get it tries again after a short pause; without one the
 *                  tries of a hundred keep the holder from its own requests.
 */
import { Etcd3, EtcdLockFailedError } from 'etcd3'
import { Redis } from 'ioredis'
import { Mutex } from 'redis-semaphore'
import type { Contender } from './contention.ts'

const REDLOCK: string = 'redlock'
const KEY = 'lock'
/** A lock's time to live; it is longer than a round. */
const TTL_MS = 60_000
/** Pauses between the tries of etcd3's lock are drawn evenly from zero to this, in milliseconds. */
const ETCD3_PAUSE_MS_MAX = 50

/** The part of redlock that is used; its own types cannot be found behind its `exports`. */
interface Redlock {
  acquire(resources: readonly string[], ttlMs: number): Promise<{ release(): Promise<unknown> }>
}

type RedlockClass = new (
  clients: readonly Redis[],
  settings: { readonly retryCount: number; readonly retryDelay: number; readonly retryJitter: number },
) => Redlock

/** Opens a contender with redlock. @param pauseMs - between two tries, half of it more or less */
export async function openRedlock(port: number, pauseMs: number): Promise<Contender> {
  const redis = await openRedis(port)
  const { default: Client } = (await import(REDLOCK)) as { readonly default: RedlockClass }
  const redlock = new Client([redis], { retryCount: -1, retryDelay: pauseMs, retryJitter: pauseMs / 2 })
  return {
    acquire: async () => {
      const lock = await redlock.acquire([KEY], TTL_MS)
      return () => lock.release()
    },
    close: () => closeRedis(redis),
  }
}

/** Opens a contender with redis-semaphore. */
export async function openRedisSemaphore(port: number): Promise<Contender> {
  const redis = await openRedis(port)
  return {
    acquire: async () => {
      const mutex = new Mutex(redis, KEY, { lockTimeout: TTL_MS, acquireTimeout: Infinity })
      await mutex.acquire()
      return () => mutex.release()
    },
    close: () => closeRedis(redis),
  }
}

/** Opens a contender with etcd3. */
export function openEtcd3(url: string): Promise<Contender> {
  const client = new Etcd3({ hosts: url })
  const acquire = async (): Promise<() => Promise<unknown>> => {
    for (;;) {
      const lock = client.lock(KEY).ttl(TTL_MS / 1_000)
      try {
        await lock.acquire()
        return () => lock.release()
      } catch (error) {
        if (!(error instanceof EtcdLockFailedError)) throw error
        await new Promise((resolve) => setTimeout(resolve, Math.random() * ETCD3_PAUSE_MS_MAX))
      }
    }
  }
  const close = (): Promise<void> => {
    client.close()
    return Promise.resolve()
  }
  return Promise.resolve({ acquire, close })
}

async function openRedis(port: number): Promise<Redis> {
  const redis = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
  await redis.connect()
  return redis
}

async function closeRedis(redis: Redis): Promise<void> {
  await redis.quit()
}
