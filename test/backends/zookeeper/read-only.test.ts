/** A session on a real server that has lost its majority, and finds one that has it. */
import { afterEach, describe, expect, it } from 'vitest'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { connect } from '../../../src/core/connect.ts'
import type { Client } from '../../../src/core/client.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'
import { failure } from '../../outcomes.ts'

const skip = reasonToSkipZooKeeper()
const TEST_MS_MAX = 180_000
const WAIT_MS_MAX = 60_000
const SESSION_TIMEOUT_MS = 10_000

const endings: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

async function clientOf(servers: string, readOnly: boolean): Promise<Client> {
  const backend = zookeeper(servers, { readOnly, sessionTimeoutMs: SESSION_TIMEOUT_MS })
  const client = await connect(backend, { operationTimeoutMs: WAIT_MS_MAX, connectTimeoutMs: WAIT_MS_MAX })
  endings.push(() => client.close())
  return client
}

/** Resolves when a client is connected under another id. */
function untilMoved(client: Client): Promise<void> {
  const { sessionId } = client
  return new Promise((resolve) => {
    client.onState((state) => {
      if (state.status === 'connected' && client.sessionId !== sessionId) resolve()
    })
  })
}

describe.skipIf(skip !== null)(`a session on a read-only server${skip === null ? '' : ` (${skip})`}`, () => {
  it('reads, is refused its writes, and moves to a majority by itself', { timeout: TEST_MS_MAX }, async () => {
    const zooKeeper = await startZooKeeper({
      servers: 3,
      properties: { 'readonlymode.enabled': 'true' },
      // Others are not opened by a read-only server of 3.8.0: it answers their ConnectRequest with error -119.
      config: { localSessionsEnabled: 'true', localSessionsUpgradingEnabled: 'true' },
    })
    endings.push(() => zooKeeper.stop())
    const [first, second] = zooKeeper.servers
    const writer = await clientOf(zooKeeper.connectString, false)
    await writer.create('/read-only', 'before')
    await writer.close()
    await Promise.all([first?.kill(), second?.kill()])

    const client = await clientOf(zooKeeper.connectString, true)
    const { data } = await client.get('/read-only')
    expect(new TextDecoder().decode(data)).toBe('before')
    await expect(client.set('/read-only', 'refused')).rejects.toEqual(failure('READ_ONLY', 'rejected'))
    expect(client.leaseDeadlineMs).toBe(-Infinity)
    const changed = new Promise<void>((resolve) => {
      void client.get('/read-only', { watch: () => resolve() })
    })

    const moved = untilMoved(client)
    await first?.start()
    await moved
    await client.set('/read-only', 'after')
    await changed
    await client.create('/mine', '', { mode: 'ephemeral' })
    expect((await client.exists('/mine'))?.ephemeralOwner).toBe(client.sessionId)
  })
})
