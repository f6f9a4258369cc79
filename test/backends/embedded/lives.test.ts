/** Ensembles in memory that end and begin again, and the clients that come back to them. */
import { FairLock, connect } from 'quorate'
import type { Client } from 'quorate'
import { embedded } from 'quorate/embedded'
import type { Ensemble } from 'quorate/embedded'
import { zookeeper } from 'quorate/zookeeper'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { firstEpoch, newEpoch, noteEpoch } from '../../../src/backends/embedded/host/epochs.ts'

/** Much longer than it takes to connect again: whoever hears nothing finds out by waiting for it. */
const SESSION_TIMEOUT_MS = 30_000
const TOLD_MS_MAX = 5_000

const clients: Client[] = []
let ensemble: Ensemble | null = null

async function begin(ports: readonly number[]): Promise<readonly number[]> {
  ensemble = embedded({ servers: ports.length, clientPorts: ports, tickMs: 20 })
  await ensemble.start()
  return ensemble.clientPorts
}

afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await ensemble?.close()
})

function expired(client: Client): Promise<void> {
  return new Promise((resolve) => {
    client.onState(({ status }) => {
      if (status === 'expired') resolve()
    })
  })
}

describe('a new life of an ensemble in memory', () => {
  it.each([[[0]], [[0, 0, 0]]])('tells earlier clients at once that their sessions are over: %j', async (any) => {
    const ports = await begin(any)
    const addresses = ports.map((port) => `127.0.0.1:${port}`).join(',')
    const client = await connect(zookeeper(addresses), { sessionTimeoutMs: SESSION_TIMEOUT_MS })
    clients.push(client)
    const lease = await new FairLock(client, '/lock').acquire()
    for (let i = 0; i < 20; i++) await client.set('/lock', `${i}`)
    const before = ensemble?.status()[0]
    const isOver = expired(client)
    await ensemble?.close()
    await begin(ports)
    const begunMs = performance.now()
    await isOver
    expect(performance.now() - begunMs).toBeLessThan(TOLD_MS_MAX)
    expect(lease.signal.aborted).toBe(true)
    const again = await new FairLock(client, '/lock').acquire({ waitMs: TOLD_MS_MAX })
    expect(again.token).toBeGreaterThan(lease.token)
    expect(ensemble?.status()[0]?.epoch).toBeGreaterThan(before?.epoch ?? 0)
  })
})

describe('the epoch of a new life', () => {
  it('is later than every earlier one of the process, also if that had elections', () => {
    const first = firstEpoch()
    expect(firstEpoch()).toBeGreaterThan(first)
    noteEpoch(first + 1_000)
    expect(firstEpoch()).toBeGreaterThan(first + 1_000)
  })

  it('is later than that of a process that began before, with room in 31 bits for elections until 2060', async () => {
    vi.useFakeTimers({ now: Date.UTC(2059, 11, 30, 23, 59, 59, 900) })
    const first = firstEpoch()
    let hasBegun = false
    const begins = newEpoch().then(() => {
      hasBegun = true
    })
    await vi.advanceTimersByTimeAsync(99)
    expect(hasBegun).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    await begins
    expect(firstEpoch()).toBe(first + 1)
    expect(first + 1_000_000).toBeLessThan(2 ** 31)
    vi.setSystemTime(Date.UTC(2100, 0))
    expect(firstEpoch()).toBeLessThan(2 ** 31 - 1_000_000)
  })
})
