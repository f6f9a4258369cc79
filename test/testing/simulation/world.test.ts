import { afterEach, describe, expect, it } from 'vitest'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import type { Draining } from '../../../src/testing/simulation/kernel.ts'
import { World } from '../../../src/testing/simulation/world.ts'

let world: World

afterEach(() => {
  world.kernel.uninstall()
})

function make(seed: number, draining: Draining = 'native'): World {
  world = new World({ seed, draining, servers: 3, observers: 0, sessionTimeoutMs: 2_000 })
  world.kernel.install()
  for (const { id } of world.servers) world.start(id)
  return world
}

async function locksAndACrash(seed: number, draining: Draining): Promise<{ hash: number; tokens: bigint[] }> {
  const { kernel } = make(seed, draining)
  const tokens: bigint[] = []
  let done = 0
  for (let i = 0; i < 5; i++) {
    world.addClient(async (client) => {
      const lock = new FairLock(client, '/locks/a')
      for (let round = 0; round < 4; round++) {
        const lease = await lock.acquire().catch(() => null)
        if (lease === null) continue
        tokens.push(lease.token)
        await new Promise((resolve) => setTimeout(resolve, 20))
        await lease.release()
      }
      await client.close()
      done += 1
    })
  }
  kernel.after(200, null, 'crash', () => {
    for (const server of world.servers) if (server.status()?.role === 'LEADING') world.crash(server.id)
  })
  await kernel.run(60_000, () => done === 5)
  expect(done).toBe(5)
  kernel.uninstall()
  return { hash: kernel.hash, tokens }
}

describe('the simulated world', () => {
  it('runs servers, clients and recipes over a crash of the leader', async () => {
    const { tokens } = await locksAndACrash(1, 'native')
    expect(tokens.length).toBeGreaterThan(10)
    expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)))
  })

  it('goes the same way for the same seed, with both ways of draining', async () => {
    const hashes = []
    for (const draining of ['native', 'native', 'portable'] as const) {
      hashes.push((await locksAndACrash(2, draining)).hash)
    }
    expect(new Set(hashes).size).toBe(1)
    expect((await locksAndACrash(3, 'native')).hash).not.toBe(hashes[0])
  })
})
