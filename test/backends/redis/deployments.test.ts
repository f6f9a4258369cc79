/** Redis as a cluster of three, and as a primary with a replica under a sentinel: real servers, and who takes over. */
import { afterEach, describe, expect, it } from 'vitest'
import { connect, FairLock, isCoordinationError } from '../../../src/index.ts'
import type { Backend, Client } from '../../../src/index.ts'
import { redis } from '../../../src/backends/redis/index.ts'
import { RedisCluster, startSentinelRedis } from '../../engines/redis-deployments.ts'
import { redisMissing } from '../../engines/redis.ts'

const PATIENCE_MS = 30_000
const reason = redisMissing === null ? '' : ` (skipped: ${redisMissing})`

let open: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  // Resources that were opened last depend on earlier ones.
  for (const one of open.reverse()) await one.close()
  open = []
})

function kept<T extends { close(): Promise<unknown> }>(one: T): T {
  open.push(one)
  return one
}

async function client(backend: Backend, sessionTimeoutMs = 10_000): Promise<Client> {
  const onError = (): void => undefined
  return kept(await connect(backend, { sessionTimeoutMs, operationTimeoutMs: PATIENCE_MS, onError }))
}

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Clients that acquire and release one lock all the time, and the tokens of their leases in order of the grants. */
class Contest {
  readonly tokens: bigint[] = []
  readonly turns: number[]
  #isOver = false
  readonly #running: Promise<unknown>

  constructor(clients: readonly Client[], path: string) {
    this.turns = clients.map(() => 0)
    this.#running = Promise.all(clients.map((one, index) => this.#run(new FairLock(one, path), index)))
  }

  /** Waits until each of them has had so many turns more. */
  async everyoneGetsIt(times: number): Promise<void> {
    const before = [...this.turns]
    await until(() => this.turns.every((turns, i) => turns >= (before[i] ?? 0) + times), 'everyone gets the lock')
  }

  /** Lets everybody finish. @returns whether each token was greater than the one before */
  async stop(): Promise<boolean> {
    this.#isOver = true
    await this.#running
    return this.tokens.every((token, i) => i === 0 || token > (this.tokens[i - 1] ?? token))
  }

  async #run(lock: FairLock, index: number): Promise<void> {
    while (!this.#isOver) {
      try {
        const lease = await lock.acquire({ waitMs: PATIENCE_MS })
        this.tokens.push(lease.token)
        this.turns[index] = (this.turns[index] ?? 0) + 1
        await lease.release()
      } catch (error) {
        if (!isCoordinationError(error)) throw error
      }
    }
  }
}

describe.skipIf(redisMissing !== null)(`a Redis Cluster${reason}`, { timeout: 120_000 }, () => {
  const through = (cluster: RedisCluster, server: number, namespace: string): Backend => {
    return redis(`redis://127.0.0.1:${cluster.servers[server]?.port ?? 0}`, { namespace })
  }

  it('is served from any of its servers: whoever asks another one is told where the namespace is', async () => {
    const cluster = kept(await RedisCluster.start())
    const owners = new Set<number>()
    for (const namespace of ['a', 'b', 'c', 'd', 'e']) {
      owners.add(await cluster.ownerOf(`{${namespace}}`))
      const clients = await Promise.all([0, 1, 2].map((server) => client(through(cluster, server, namespace))))
      const contest = new Contest(clients, '/lock')
      await contest.everyoneGetsIt(3)
      expect(await contest.stop()).toBe(true)
      const [one, other] = clients
      const heard: string[] = []
      await one?.create('/node', 'x')
      await other?.get('/node', { watch: ({ type }) => heard.push(type) })
      await one?.set('/node', 'y')
      await until(() => heard.length > 0, 'a watcher hears of a change through the bus of the cluster')
    }
    expect(owners.size).toBeGreaterThan(1)
  })

  it('moves a slot under a lock: sessions follow, and tokens go on growing', async () => {
    const cluster = kept(await RedisCluster.start())
    const clients = await Promise.all([0, 1, 2].map((server) => client(through(cluster, server, 'moved'))))
    const ids = clients.map(({ sessionId }) => sessionId)
    const contest = new Contest(clients, '/lock')
    await contest.everyoneGetsIt(5)
    for (let round = 0; round < 3; round++) {
      await cluster.move('{moved}', ((await cluster.ownerOf('{moved}')) + 1) % cluster.servers.length)
      await contest.everyoneGetsIt(5)
    }
    expect(await contest.stop()).toBe(true)
    expect(clients.map(({ sessionId }) => sessionId)).toEqual(ids)
  })
})

describe.skipIf(redisMissing !== null)(`a Redis under a sentinel${reason}`, { timeout: 120_000 }, () => {
  it('over the loss of its primary, clients find the new one, and no token comes twice or goes back', async () => {
    const engine = kept(await startSentinelRedis())
    const backend = (): Backend => redis(engine.target, { namespace: 'sentinel', tickMs: 100, connectTimeoutMs: 1_000 })
    const clients = await Promise.all([0, 1, 2].map(() => client(backend())))
    const contest = new Contest(clients, '/lock')
    await contest.everyoneGetsIt(5)
    await engine.primary.kill()
    await until(() => clients.every(({ state }) => state.status !== 'connected'), 'everyone has lost touch')
    await contest.everyoneGetsIt(5)
    expect(await contest.stop()).toBe(true)
    expect(await engine.replica.ask((admin) => admin.info('replication'))).toContain('role:master')
  })
})
