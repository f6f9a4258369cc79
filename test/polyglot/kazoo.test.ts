import { describe, expect, it } from 'vitest'
import { reasonToSkip } from '../engines/process.ts'
import { PROGRAM_TEST_MS_MAX, hasKazoo, python, run } from './programs.ts'
import { startServers } from './servers.ts'

const REPERTOIRE = [
  'nodes',
  'permissions',
  'transactions',
  'watches',
  'locks and semaphores',
  'elections',
  'barriers',
  'counters',
  'parties and queues',
  'reconnects',
  'lives',
]

const skip = reasonToSkip('kazoo', hasKazoo)

describe.skipIf(skip !== null)(`kazoo${skip === null ? '' : ` (${skip})`}`, { timeout: PROGRAM_TEST_MS_MAX }, () => {
  it('does on our server what applications do with it', async () => {
    await using servers = await startServers(1)
    const works = await run(python('kazoo_repertoire.py'), [servers.addresses], servers.asks)
    expect(works).toEqual(REPERTOIRE)
  })

  it('moves with its session from server to server of an ensemble', async () => {
    await using servers = await startServers(3)
    const works = await run(python('kazoo_repertoire.py'), [servers.addresses, 'moves'], servers.asks)
    expect(works).toEqual(['moves'])
  })
})
