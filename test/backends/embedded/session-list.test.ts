/** The open sessions of an ensemble, as it lists them. */
import { describe, expect, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { connect } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'

const hex = ({ sessionId }: Client): string => `0x${sessionId?.toString(16) ?? ''}`

describe('the list of sessions', () => {
  it('is empty before the ensemble has started', () => {
    expect(embedded({ servers: 3 }).sessions()).toEqual([])
  })

  const modes = ['off', 'upgradeable'] as const
  it.each(modes)('has each with what goes with it, where local sessions are %s', async (localSessions) => {
    await using ensemble = embedded({ servers: 3, tickMs: 10, localSessions })
    await using plain = await connect(ensemble.at(1), { sessionTimeoutMs: 4_000 })
    await using owner = await connect(ensemble.at(2), { sessionTimeoutMs: 8_000 })
    for (const path of ['/b', '/a']) await owner.create(path, '', { mode: 'ephemeral' })
    await owner.sync('/')
    const sessions = ensemble.sessions()
    const told = sessions.map(({ id, timeoutMs, server, address, ephemerals }) => [
      id, timeoutMs, server, address, ephemerals,
    ])
    expect(told.sort(([a], [b]) => (a === hex(plain) ? -1 : b === hex(plain) ? 1 : 0))).toEqual([
      [hex(plain), 4_000, 1, '', []],
      [hex(owner), 8_000, 2, '', ['/a', '/b']],
    ])
    const [first, second] = sessions.map(({ id }) => BigInt(id))
    expect(first).toBeLessThan(second as bigint)
    for (const { expiresInMs } of sessions) expect(expiresInMs).toBeGreaterThan(0)
  })
})
