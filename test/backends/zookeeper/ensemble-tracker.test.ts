/** Clients follow the servers of an ensemble as they are reconfigured. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { EnsembleMember } from '../../../src/backends/embedded/index.ts'
import { EnsembleTracker } from '../../../src/backends/zookeeper/ensemble-tracker.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { CoordinationError } from '../../../src/core/errors.ts'
import { connect } from '../../../src/index.ts'
import { CHANGEABLE, change, memberTexts, portOf, rolesOf, startThree } from '../embedded/members.ts'

const PATIENCE = { timeout: 10_000, interval: 5 }

const cleanUps: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp()
})

/** A server that leads, and two others. */
async function threeMembers(): Promise<ReturnType<typeof rolesOf>> {
  const members = await startThree(await memberTexts(3), CHANGEABLE)
  cleanUps.push(() => Promise.all(members.map((member) => member.close())))
  return rolesOf(members)
}

async function remove({ myid }: EnsembleMember, by: EnsembleMember): Promise<void> {
  expect(await change({ leavingServers: String(myid) }, portOf(by))).toBe(0)
}

/** A session whose configuration is these texts, one after the other; undefined refuses the read. */
function sessionWith(texts: readonly (string | undefined)[]) {
  let watcher = (): void => undefined
  const told = {
    reads: 0,
    change: () => watcher(),
    session: {
      get: (_path: string, watch: () => void) => {
        const text = texts[told.reads]
        told.reads += 1
        watcher = watch
        if (text === undefined) return Promise.reject(new CoordinationError('NO_AUTH', 'no', { outcome: 'rejected' }))
        return Promise.resolve({ data: new TextEncoder().encode(text) })
      },
    },
  }
  return told
}

const line = (id: number, end = ''): string => `server.${id}=app-${id}:2888:3888:participant${end}`

describe('a client that follows its ensemble', () => {
  it('moves when its server is removed, without a call that fails, and knows the others from then on', async () => {
    const [, removed, kept] = await threeMembers()
    const backend = zookeeper(removed.clientAddress ?? '', { ensembleTracker: true, sessionTimeoutMs: 5_000 })
    const client = await connect(backend)
    cleanUps.push(() => client.close())
    const { sessionId } = client
    expect(removed.status().connections).toBe(1)
    await client.create('/count', '0')
    let isMoving = true
    const writing = (async () => {
      for (let count = 0; isMoving; count++) await client.set('/count', String(count))
    })()
    await remove(removed, kept)
    await vi.waitFor(() => expect(removed.status().connections).toBe(0), PATIENCE)
    isMoving = false
    await writing
    await removed.close()
    await client.set('/count', 'done')
    expect(client.sessionId).toBe(sessionId)
    await using another = await connect(backend)
    expect(new TextDecoder().decode((await another.get('/count')).data)).toBe('done')
  })

  it('stays where it is without the option', async () => {
    const [, removed, kept] = await threeMembers()
    await using client = await connect(zookeeper(removed.clientAddress ?? ''))
    await remove(removed, kept)
    await client.create('/a', '')
    expect(removed.status().connections).toBe(1)
  })

  it('takes newer configurations alone, that were made by a change and name ports for clients', async () => {
    const texts = [
      `${line(1, ';2181')}\nversion=0`,
      `${line(1, ';2181')}\n${line(2, ';0.0.0.0:2182')}\n${line(3, ';10.0.0.3:2183')}\n${line(4)}\nversion=100000005`,
      `${line(1, ';2181')}\nversion=100000004`,
      `${line(1)}\nversion=100000006`,
      'server.1=nonsense\nversion=100000007',
      undefined,
    ]
    const told = sessionWith(texts)
    const tracker = new EnsembleTracker([{ host: 'given', port: 1 }])
    const seen: string[] = []
    tracker.follow(told.session, {
      replace: (servers) => seen.push(servers.map(({ host, port }) => `${host}:${port}`).join(',')),
    })
    for (let count = 1; count <= 5; count++) {
      await vi.waitFor(() => expect(seen).toHaveLength(count))
      told.change()
    }
    await vi.waitFor(() => expect(told.reads).toBe(6))
    const three = 'app-1:2181,app-2:2182,10.0.0.3:2183'
    expect(seen).toEqual(['given:1', three, three, three, three])
    expect(tracker.servers).toHaveLength(3)
  })

  it('cannot be one that speaks TLS', () => {
    expect(() => zookeeper('a:1', { ensembleTracker: true, tls: true })).toThrow('names the ports without TLS')
    expect(() => zookeeper('a:1', { ensembleTracker: 1 as never })).toThrow('ensembleTracker must be')
  })
})
