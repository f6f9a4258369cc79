/** A real ZooKeeper and a server of ours on one data directory, in turns. */
import { describe, expect, it } from 'vitest'
import { connect } from '../../../src/core/connect.ts'
import type { Backend } from '../../../src/core/backend.ts'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'

const ROUNDS = 3
const NODES = 30
const TEST_MS_MAX = 180_000

const skip = reasonToSkipZooKeeper()

/** Writes something new, and changes what others have written; tells what there is then. */
async function takeTurn(backend: Backend, turn: number): Promise<readonly unknown[]> {
  await using client = await connect(backend)
  await client.create(`/turn-${turn}`, 'folder')
  for (let i = 0; i < NODES; i++) await client.create(`/turn-${turn}/n-`, `${turn}`, { mode: 'persistent-sequential' })
  await client.set('/turn-0', `after turn ${turn}`)
  if (turn > 0) await client.delete(`/turn-${turn - 1}/n-0000000000`)
  return await look(backend, turn + 1)
}

async function look(backend: Backend, turns: number): Promise<readonly unknown[]> {
  await using client = await connect(backend)
  const found: unknown[] = []
  for (let turn = 0; turn < turns; turn++) {
    const { names, stat } = await client.children(`/turn-${turn}`)
    found.push([names, stat, await client.get(`/turn-${turn}`)])
  }
  return found
}

describe.skipIf(skip !== null)(`one directory${skip === null ? '' : ` (${skip})`}`, () => {
  it('is used by a ZooKeeper and by ours in turns, with every node and stat', { timeout: TEST_MS_MAX }, async () => {
    const real = await startZooKeeper({ servers: 1 })
    try {
      const [server] = real.servers
      if (server === undefined) throw new Error('no server')
      let turn = 0
      for (let round = 0; round < ROUNDS; round++) {
        const theirs = await takeTurn(zookeeper(server.address), turn)
        turn += 1
        await server.kill()
        const ours = embedded({ servers: 1, dataDir: server.dataDir })
        expect(await look(ours, turn)).toEqual(theirs)
        const written = await takeTurn(ours, turn)
        turn += 1
        await ours.close()
        await server.start()
        expect(await look(zookeeper(server.address), turn)).toEqual(written)
      }
    } finally {
      await real.stop()
    }
  })
})
