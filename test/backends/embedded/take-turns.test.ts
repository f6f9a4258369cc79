/** A real ZooKeeper and a server of ours on one data directory, in turns. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { connect } from '../../../src/core/connect.ts'
import type { Backend } from '../../../src/core/backend.ts'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { OpCode } from '../../../src/backends/wire/codes.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'
import { scan } from '../wire/disk/golden.ts'
import { answerTo } from './host/clients/raw-client.ts'

const ROUNDS = 3
/** So many that the digest after one of them is remembered for `hash`. */
const NODES = 130
const TEST_MS_MAX = 180_000

const skip = reasonToSkipZooKeeper()

/** Writes something new, and changes what others have written; tells what there is then. */
async function takeTurn(backend: Backend, turn: number): Promise<readonly unknown[]> {
  {
    await using client = await connect(backend)
    await client.create(`/turn-${turn}`, 'folder')
    const numbered = { mode: 'persistent-sequential' } as const
    await Promise.all(Array.from({ length: NODES }, () => client.create(`/turn-${turn}/n-`, `${turn}`, numbered)))
    await client.set('/turn-0', `after turn ${turn}`)
    if (turn > 0) await client.delete(`/turn-${turn - 1}/n-0000000000`)
    await client.create(`/turn-${turn}/own`, '', { mode: 'ephemeral' })
    await client.transaction().set(`/turn-${turn}`, 'set').delete(`/turn-${turn}/n-0000000001`).commit()
  }
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

/** How many transactions of the newest log have the digest of the tree after them; each has that changes something. */
function digestsIn(dataDir: string): number {
  const folder = join(dataDir, 'version-2')
  const zxidOf = (name: string): bigint => BigInt(`0x${name.slice('log.'.length)}`)
  const logs = readdirSync(folder).filter((name) => name.startsWith('log.'))
  const newest = logs.sort((a, b) => (zxidOf(a) < zxidOf(b) ? -1 : 1)).at(-1) ?? ''
  const { records } = scan(readFileSync(join(folder, newest)))
  for (const { transaction, digest } of records) expect(digest === null).toBe(transaction.txn.type === OpCode.error)
  return records.filter(({ digest }) => digest !== null).length
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
        const ours = embedded({ servers: 1, dataDir: server.dataDir, clientPorts: [0], fourLetterWords: ['hash'] })
        expect(await look(ours, turn)).toEqual(theirs)
        const written = await takeTurn(ours, turn)
        turn += 1
        const digests = await answerTo(ours.clientPorts[0] ?? 0, 'hash')
        await ours.close()
        expect(digestsIn(server.dataDir)).toBeGreaterThan(NODES)
        await server.start()
        expect(await look(zookeeper(server.address), turn)).toEqual(written)
        expect(digests).toMatch(/^(?:[0-9a-f]+80: -?\d+\n)+$/)
        expect(await server.ask('hash')).toContain(digests)
        expect(await server.ask('mntr')).toMatch(/zk_digest_mismatches_count\t0/)
      }
    } finally {
      await real.stop()
    }
  })
})
