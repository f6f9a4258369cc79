import { describe, expect, it } from 'vitest'
import { reasonToSkip } from '../engines/process.ts'
import { PROGRAM_TEST_MS_MAX, hasCurator, hasJavaClient, java, run } from './programs.ts'
import { startServers } from './servers.ts'

const CLIENT_REPERTOIRE = [
  'nodes',
  'permissions',
  'transactions',
  'watches',
  'persistent watches',
  'pipelines',
  'reconnects',
]

const CURATOR_REPERTOIRE = [
  'nodes',
  'transactions',
  'locks',
  'semaphores',
  'leader latch',
  'barriers',
  'caches',
  'counters',
  'group members',
  'reconnects',
]

const PROGRAMS = [
  {
    name: "ZooKeeper's Java client",
    file: 'JavaClient.java',
    repertoire: CLIENT_REPERTOIRE,
    skip: reasonToSkip("ZooKeeper's Java client", hasJavaClient),
  },
  {
    name: 'Curator',
    file: 'CuratorRecipes.java',
    repertoire: CURATOR_REPERTOIRE,
    skip: reasonToSkip('Curator', hasCurator),
  },
]

for (const { name, file, repertoire, skip } of PROGRAMS) {
  const title = skip === null ? name : `${name} (${skip})`
  describe.skipIf(skip !== null)(title, { timeout: PROGRAM_TEST_MS_MAX }, () => {
    it('does on our server what applications do with it', async () => {
      await using servers = await startServers(1)
      expect(await run(java(file), [servers.addresses], servers.asks)).toEqual(repertoire)
    })

    it('moves with its session from server to server of an ensemble', async () => {
      await using servers = await startServers(3)
      expect(await run(java(file), [servers.addresses, 'moves'], servers.asks)).toEqual(['moves'])
    })
  })
}
