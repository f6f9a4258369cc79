/**
 * The promise of a `sync` on a real ensemble, from whichever server to whichever other.
 *
 * A leader of ZooKeeper answers a `sync` of its own clients at once, while a write that it has committed may still wait
 * to be applied there; a follower may have applied it, and answered, before.
 */
import { afterAll, describe, expect, it } from 'vitest'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import type { Session } from '../../../src/core/backend.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'

const ROUNDS = 1_000
/** Reads that the leader has to do beside, so that its write is late now and then. */
const READERS_BESIDE = 8
const TEST_MS_MAX = 60_000

const skipped = reasonToSkipZooKeeper()

const name = `sync on three ZooKeeper servers${skipped === null ? '' : ` (${skipped})`}`

describe.skipIf(skipped !== null)(name, async () => {
  if (skipped !== null) return
  const engine = await startZooKeeper({ servers: 3 })
  const leader = await engine.leader()
  const follower = engine.servers.find((server) => server !== leader)
  const open = (address = ''): Promise<Session> => {
    return zookeeper(address).open({
      onError: (error) => {
        throw error
      },
    })
  }
  afterAll(() => engine.stop())

  it('a read behind it at the leader sees what a follower has acknowledged', { timeout: TEST_MS_MAX }, async () => {
    const writer = await open(follower?.address)
    const [reader, beside] = [await open(leader.address), await open(leader.address)]
    await writer.create('/n', new Uint8Array(), { mode: 'persistent' })
    let isOver = false
    const noise = Array.from({ length: READERS_BESIDE }, async () => {
      while (!isOver) await beside.get('/n')
    })
    const late: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const { version } = await writer.set('/n', new Uint8Array(), -1)
      const synced = reader.sync('/n')
      const read = reader.get('/n')
      await synced
      const seen = (await read).stat.version
      if (seen < version) late.push(`${seen} after ${version}`)
    }
    isOver = true
    await Promise.all(noise)
    await Promise.all([writer, reader, beside].map((session) => session.close()))
    expect(late).toEqual([])
  })
})
