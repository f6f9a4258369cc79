/** Faults that three members of etcd survive, and the promises that recipes keep meanwhile. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ConfigCenter, connect, FairLock } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { etcd } from '../../../src/backends/etcd/index.ts'
import { eventually, within } from '../../../src/testing/conformance/expect.ts'
import { etcdMissing, startEtcd } from '../../engines/etcd.ts'
import type { EtcdCluster } from '../../engines/etcd.ts'

const PATIENCE_MS = 40_000
const TIMEOUT_MS = 10_000
/** Milliseconds until a frozen member is noticed. */
const REQUEST_MS = 2_000
const CONTENDERS = 5
const TURNS_BEHIND = 10
const TURNS_BEFORE = 5

const ignore = (): void => undefined
const missing = etcdMissing === null ? '' : ` (skipped: ${etcdMissing})`
const until = (condition: () => boolean | Promise<boolean>, promise: string): Promise<void> => {
  return eventually(condition, promise, PATIENCE_MS)
}

/** A resource that a lock guards: it refuses a token that is not above the last one. */
class Resource {
  readonly tokens: bigint[] = []
  refused = 0

  use(token: bigint): void {
    if (token <= (this.tokens.at(-1) ?? 0n)) this.refused += 1
    else this.tokens.push(token)
  }
}

describe.skipIf(etcdMissing !== null)(`faults of three etcds${missing}`, () => {
  let cluster: EtcdCluster
  let prefix = ''

  beforeAll(async () => {
    cluster = await startEtcd(3)
  })
  beforeEach(() => {
    prefix = `/${crypto.randomUUID()}`
  })
  afterAll(() => cluster.close())

  const connectTo = (urls: readonly string[]): Promise<Client> => {
    const backend = etcd(urls, { prefix, requestTimeoutMs: REQUEST_MS })
    return connect(backend, { sessionTimeoutMs: TIMEOUT_MS, onError: ignore })
  }

  /** Contenders that take turns, and subscribers, while something happens to the leader. */
  async function worked(fault: () => Promise<void>): Promise<void> {
    const clients = await Promise.all(Array.from({ length: CONTENDERS }, () => connectTo(cluster.urls)))
    const resource = new Resource()
    let turnsAfter = Infinity
    const isDone = (): boolean => resource.tokens.length >= turnsAfter
    let holders = 0
    let holdersMax = 0
    const work = clients.map(async (client) => {
      const lock = new FairLock(client, '/lock')
      while (!isDone()) {
        const lease = await lock.acquire()
        holders += 1
        holdersMax = Math.max(holdersMax, holders)
        resource.use(lease.token)
        await Promise.resolve()
        holders -= 1
        await lease.release().catch(ignore)
      }
    })
    const configs = clients.map((client) => new ConfigCenter<number>(client, '/config'))
    const seen = configs.map((): number[] => [])
    for (const [index, config] of configs.entries()) {
      config.subscribe(({ value }) => {
        if (value !== undefined) seen[index]?.push(value)
      })
    }
    await until(() => resource.tokens.length >= TURNS_BEFORE, 'the lock goes round before the fault')
    await fault()
    turnsAfter = resource.tokens.length + TURNS_BEHIND
    await within(Promise.all(work), 'the lock goes round behind the fault', PATIENCE_MS)
    expect([resource.refused, holdersMax]).toEqual([0, 1])
    await within(new ConfigCenter<number>(clients[0] as Client, '/config').publish(7), 'a write', PATIENCE_MS)
    await until(() => seen.every((values) => values.at(-1) === 7), 'subscribers converge')
    await Promise.all(clients.map((client) => client.close()))
    const look = await connectTo(cluster.urls)
    await until(async () => (await look.children('/lock')).names.length === 0, 'no contender is left behind')
    await look.close()
  }

  it('the lock goes on and its tokens grow when the leader is killed', async () => {
    const leader = await cluster.leader()
    await worked(() => cluster.kill(leader))
    await cluster.restart(leader)
  })

  it('the lock goes on and its tokens grow when the leader is frozen', async () => {
    const leader = await cluster.leader()
    await worked(() => {
      cluster.freeze(leader)
      return Promise.resolve()
    })
    cluster.thaw(leader)
  })

  it('a waiter whose stream of changes hangs at a frozen follower is woken by way of the others', async () => {
    const leader = await cluster.leader()
    const follower = (leader + 1) % cluster.urls.length
    const last = (leader + 2) % cluster.urls.length
    const urls = [cluster.urls[last] ?? '', cluster.urls[follower] ?? '']
    const holder = await connectTo([cluster.urls[leader] ?? ''])
    const waiters = [await connectTo(urls), await connectTo(urls)]
    const lease = await new FairLock(holder, '/lock').acquire()
    const waits = waiters.map(async (client) => {
      const next = await new FairLock(client, '/lock').acquire()
      await next.release()
    })
    await until(async () => (await holder.children('/lock')).names.length === 1 + waiters.length, 'both wait')
    cluster.freeze(follower)
    await lease.release()
    await within(Promise.all(waits), 'the waits', PATIENCE_MS)
    cluster.thaw(follower)
    await Promise.all([holder, ...waiters].map((client) => client.close()))
  })
})
