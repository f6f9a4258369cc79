/**
 * Sessions that one server alone knows, of kazoo's clients, which know nothing of such sessions. Where they are not
 * upgraded the thread of such a client ends with an ephemeral node: kazoo has no name for the answer, -120.
 */
import { describe, expect, it } from 'vitest'
import { reasonToSkip } from '../engines/process.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../engines/zookeeper.ts'
import { PROGRAM_TEST_MS_MAX, hasKazoo, python, run } from './programs.ts'
import { startServers } from './servers.ts'

const WORKS = ['reads, writes and watches', 'is upgraded by its first ephemeral node, which goes with it']

interface Place extends AsyncDisposable {
  readonly addresses: string
}

async function theirs(): Promise<Place> {
  const config = { localSessionsEnabled: 'true', localSessionsUpgradingEnabled: 'true' }
  const servers = await startZooKeeper({ servers: 3, config })
  return { addresses: servers.connectString, [Symbol.asyncDispose]: () => servers.stop() }
}

const ours = (): Promise<Place> => startServers(3, { localSessions: 'upgradeable' })
const skipKazoo = reasonToSkip('kazoo', hasKazoo)
const PLACES = [
  { name: 'ZooKeeper', skip: skipKazoo ?? reasonToSkipZooKeeper(), start: theirs },
  { name: 'our servers', skip: skipKazoo, start: ours },
]

for (const { name, skip, start } of PLACES) {
  const title = skip === null ? `kazoo at ${name}` : `kazoo at ${name} (${skip})`
  describe.skipIf(skip !== null)(title, { timeout: PROGRAM_TEST_MS_MAX }, () => {
    it('has a session of one server until it makes an ephemeral node', async () => {
      await using servers = await start()
      expect(await run(python('kazoo_local_sessions.py'), [servers.addresses])).toEqual(WORKS)
    })
  })
}
