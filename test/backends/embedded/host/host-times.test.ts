/** A server's measurements of its own work, in `mntr`. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { connect } from '../../../../src/core/connect.ts'
import { embedded } from '../../../../src/backends/embedded/index.ts'
import { HostTimes } from '../../../../src/backends/embedded/host/host-times.ts'
import { RawClient, answerTo } from './clients/raw-client.ts'

let dataDir: string | null = null

afterEach(() => {
  vi.useRealTimers()
  if (dataDir !== null) rmSync(dataDir, { recursive: true })
  dataDir = null
})

async function numbersOf(port: number): Promise<(name: string) => number> {
  const lines = (await answerTo(port, 'mntr')).split('\n').map((line) => line.split('\t'))
  const values = new Map(lines.map(([key = '', value]) => [key, Number(value)]))
  return (name) => values.get(`zk_${name}`) ?? NaN
}

describe('the times of a server', () => {
  it('an election lasts from the last beginning to its decision', () => {
    vi.useFakeTimers({ toFake: ['performance'] })
    const times = new HostTimes()
    const looking = { type: 'looking', round: 1, reason: 'it starts' } as const
    const vote = { leader: 1, peerEpoch: 0, zxid: 0n }
    times.heard(looking)
    vi.advanceTimersByTime(1_000)
    times.heard(looking)
    vi.advanceTimersByTime(120)
    times.heard({ type: 'elected', vote, supporters: [1, 2], round: 1 })
    expect([times.looks, times.election.times.count, times.election.times.sum]).toEqual([2, 1, 120])
    times.heard({ type: 'expired', sessionId: 1n })
    times.reset()
    expect([times.looks, times.expiredSessions, times.election.times.count]).toEqual([2, 1, 0])
  })

  it('mntr has syncs, snapshots, the start and clients of a server on its disk', async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'quorate-times-'))
    const options = { servers: 1, clientPorts: [0], fourLetterWords: ['mntr', 'srst'], dataDir }
    const first = embedded({ ...options, snapCount: 8 })
    const client = await connect(first)
    for (let count = 0; count < 20; count++) await client.create(`/n-${count}`, '')
    const [port = 0] = first.clientPorts
    await vi.waitFor(async () => expect((await numbersOf(port))('cnt_snapshottime')).toBeGreaterThan(0))
    const numbers = await numbersOf(port)
    expect(numbers('cnt_fsynctime')).toBeGreaterThanOrEqual(20)
    expect(numbers('max_fsynctime')).toBeLessThanOrEqual(numbers('sum_fsynctime'))
    expect([numbers('cnt_startup_snap_load_time'), numbers('sum_startup_txns_loaded')]).toEqual([1, 0])
    expect([numbers('looking_count'), numbers('cnt_election_time')]).toEqual([0, 0])
    await answerTo(port, 'srst')
    expect((await numbersOf(port))('cnt_fsynctime')).toBe(0)
    await client.close()
    await first.close()

    await using again = embedded(options)
    await again.start()
    const [newPort = 0] = again.clientPorts
    const before = await numbersOf(newPort)
    // Some of the 22 transactions are in a snapshot.
    expect(before('sum_startup_txns_loaded')).toBeGreaterThan(0)
    expect(before('sum_startup_txns_loaded')).toBeLessThan(22)
    expect(before('connection_request_count')).toBe(0)
    await (await RawClient.open(newPort)).drop()
    expect((await numbersOf(newPort))('connection_request_count')).toBe(1)
  })

  it('a leader counts the sessions that it has ended, and each server its elections', async () => {
    await using three = embedded({ servers: 3, clientPorts: [0, 0, 0], fourLetterWords: ['mntr'] })
    await three.start()
    const client = await connect(three)
    three.expireSession(client.sessionId ?? 0n)
    const ports = three.clientPorts
    await vi.waitFor(async () => {
      const all = await Promise.all(ports.map(numbersOf))
      const expired = all.map((numbers) => numbers('stale_sessions_expired'))
      expect(expired.reduce((sum, count) => sum + count)).toBe(1)
      expect(expired[(three.leader ?? 0) - 1]).toBe(1)
      for (const numbers of all) expect(numbers('looking_count')).toBeGreaterThanOrEqual(1)
      for (const numbers of all) expect(numbers('cnt_election_time')).toBeGreaterThanOrEqual(1)
    })
    await client.close()
  })
})
