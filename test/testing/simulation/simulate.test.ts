import { describe, expect, it } from 'vitest'
import { FairLock } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { simulate } from '../../../src/testing/index.ts'
import type { SimulatedWorld } from '../../../src/testing/index.ts'

const SERVERS = ['s1', 's2', 's3']

/** An application: two workers that should never work at once. One of its two versions does not listen to its lease. */
async function workers(world: SimulatedWorld, heedsLease: boolean): Promise<void> {
  let working = 0
  world.always(() => {
    expect(working).toBeLessThanOrEqual(1)
  })
  const work = (minutes: number) => async (client: Client) => {
    await using lease = await new FairLock(client, '/jobs').acquire()
    working += 1
    for (let i = 0; i < minutes * 60 && !(heedsLease && lease.signal.aborted); i++) {
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    }
    working -= 1
  }
  const [a, b] = world.clients
  if (a === undefined || b === undefined) throw new Error('two clients were asked for')
  const first = a.run(work(2))
  await world.sleep(5_000)
  const second = b.run(work(1))
  world.partition([a.name], SERVERS)
  await world.sleep(60_000)
  world.heal()
  await Promise.all([first, second])
}

describe('simulate', () => {
  it('finds a holder that goes on when its lock is lost', async () => {
    const careless = simulate({ seed: 1, clients: 2 }, (world) => workers(world, false))
    await expect(careless).rejects.toThrow('expected 2 to be less than or equal to 1')
  })

  it('finds nothing in one that stops', async () => {
    const { virtualMs } = await simulate({ seed: 1, clients: 2 }, (world) => workers(world, true))
    expect(virtualMs).toBeGreaterThan(60_000)
  })

  it('goes the same way for the same seed, with faults of a climate', async () => {
    const hashes = []
    for (const seed of [1, 1, 2]) {
      const report = await simulate({ seed, faults: { profile: 'hot-crash', forMs: 10_000 } }, async (world) => {
        await world.sleep(20_000)
        for (const server of world.servers) server.start()
        await Promise.all(world.clients.map((client) => client.run(async (own) => {
          await own.makePath(`/${client.name}`)
        })))
      })
      expect(Object.keys(report.faults)).not.toHaveLength(0)
      hashes.push(report.hash)
    }
    expect(hashes[0]).toBe(hashes[1])
    expect(hashes[0]).not.toBe(hashes[2])
  })

  it('lets machines crash, stand still and be wrong about the time', async () => {
    await simulate({ seed: 3 }, async (world) => {
      const [one, two, three] = world.clients
      await one?.run(async (client) => { await client.create('/mine', '', { mode: 'ephemeral' }) })
      const before = world.leader()
      before?.crash()
      await world.sleep(3_000)
      expect(world.leader()).not.toBe(before)
      before?.start()
      const realMs = await two?.run(() => Promise.resolve(Date.now())) ?? 0
      two?.jumpClock(3_600_000)
      expect(await two?.run(() => Promise.resolve(Date.now()))).toBeGreaterThan(realMs + 3_500_000)
      three?.pause(5_000)
      const pausedMs = world.nowMs
      await three?.run(() => Promise.resolve())
      expect(world.nowMs - pausedMs).toBeGreaterThanOrEqual(5_000)
      one?.crash()
      await world.sleep(5_000)
      expect(await two?.run((client) => client.exists('/mine'))).toBeNull()
    })
  })

  it('ends with what the scenario throws, and gives up one that does not end', async () => {
    await expect(simulate({ seed: 1 }, () => Promise.reject(new RangeError('so be it')))).rejects.toThrow('so be it')
    const endless = simulate({ seed: 1, limitMs: 5_000 }, () => new Promise(() => undefined))
    await expect(endless).rejects.toThrow('has not ended after 5000 virtual ms')
    await expect(simulate({ seed: 0.5 }, () => Promise.resolve())).rejects.toThrow('seed must be a whole number: 0.5')
  })

  it('lets something happen at an instant, and puts the real clock back', async () => {
    const times: number[] = []
    await simulate({ seed: 1 }, async (world) => {
      world.at(1_500, () => times.push(world.nowMs))
      await world.sleep(2_000)
      expect(world.random()).toBeLessThan(1)
    })
    expect(times).toEqual([1_500])
    expect(Math.abs(Date.now() - performance.timeOrigin - performance.now())).toBeLessThan(60_000)
  })
})
