/** The recipes on ioredis-mock: no server needed. Broken connections cannot be tried there; see faults.test.ts. */
import RedisMock from 'ioredis-mock'
import { afterEach, describe, expect, it } from 'vitest'
import { ConfigCenter, connect, ExclusiveLock, FairLock, GroupMembership } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { redis } from '../../../src/backends/redis/index.ts'

const SESSION_TIMEOUT_MS = 60_000
const PATIENCE_MS = 20_000

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadlineMs = performance.now() + PATIENCE_MS
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

describe('recipes on ioredis-mock', { timeout: 60_000 }, () => {
  let clients: Client[] = []
  let host = 0
  afterEach(async () => {
    await Promise.all(clients.map((client) => client.close()))
    clients = []
    host += 1
  })

  /** Clients of one server of its own: the mock keeps its data by host. */
  async function connectTwo(): Promise<[Client, Client]> {
    const server = `mock-${host}`
    const backend = redis((options) => new RedisMock({ ...options, host: server }), { clock: 'client', tickMs: 60_000 })
    const both = [await connect(backend, { sessionTimeoutMs: SESSION_TIMEOUT_MS }), await connect(backend)] as const
    clients.push(...both)
    return [...both]
  }

  for (const Lock of [FairLock, ExclusiveLock]) {
    it(`${Lock.name}: one holds at a time, and tokens grow`, async () => {
      const [a, b] = await connectTwo()
      const first = await new Lock(a, '/lock').acquire()
      expect(await new Lock(b, '/lock').tryAcquire()).toBeNull()
      const waiting = new Lock(b, '/lock').acquire()
      await first.release()
      const second = await waiting
      expect(second.token > first.token).toBe(true)
      await second.release()
    })
  }

  it('a check of a creation tells a node from the next one at its path', async () => {
    const [a, b] = await connectTwo()
    const { stat } = await a.create('/n', 'a')
    const check = { type: 'check', path: '/n', version: -1, czxid: stat.czxid } as const
    const remove = { type: 'delete', path: '/n', version: -1 } as const
    await a.multi([check])
    await b.multi([remove, { type: 'create', path: '/n', data: new Uint8Array(), mode: 'persistent' }])
    await expect(a.multi([check, remove])).rejects.toMatchObject({ code: 'BAD_VERSION', index: 0 })
    expect(await b.exists('/n')).not.toBeNull()
  })

  it('ConfigCenter: a subscriber gets what another client writes', async () => {
    const [a, b] = await connectTwo()
    const values: unknown[] = []
    const [writer, config] = [new ConfigCenter(a, '/config'), new ConfigCenter(b, '/config')]
    const unsubscribe = config.subscribe(({ value }) => void values.push(value))
    await writer.publish({ limit: 1 })
    await until(() => values.length > 0, 'the first value comes')
    await writer.publish({ limit: 2 })
    await until(() => JSON.stringify(values.at(-1)) === '{"limit":2}', 'the second value comes')
    unsubscribe()
  })

  it('GroupMembership: who joins and leaves is seen by others', async () => {
    const [a, b] = await connectTwo()
    let names: string[] = []
    const group = new GroupMembership(b, '/group')
    const unsubscribe = group.subscribe(({ members }) => {
      names = [...members].map(({ id }) => id)
    })
    const member = await new GroupMembership(a, '/group').join('worker-1')
    await until(() => names.join() === 'worker-1', 'the member is seen')
    await member.leave()
    await until(() => names.length === 0, 'its leaving is seen')
    unsubscribe()
  })
})
