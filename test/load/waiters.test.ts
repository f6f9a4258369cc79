/** Crowds at one lock, on a server of ours over TCP: what they cost it, in turns, in bytes, and in what they ask. */
import { describe, expect, it } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import type { Client } from '../../src/core/client.ts'
import { embedded } from '../../src/backends/embedded/index.ts'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { heapBytes, monitored } from '../support/monitors.ts'

const PATH = '/locks/crowd'
const LIMIT_MS = 120_000
/**
 * Longest turn, in milliseconds of processor time. The clients are in this process too, and a thousand calls in one
 * turn take a quarter of a second of it.
 */
const TURN_MS_MAX = 500
/** Both ends of a connection and its session, in bytes. */
const CONNECTION_BYTES_MAX = 150_000

describe('a crowd at one lock', { timeout: LIMIT_MS }, () => {
  it('of a thousand in one client is served in order, in short turns, and harms no other lease', async () => {
    const count = 1_000
    await using ensemble = embedded({ servers: 1, clientPorts: [0] })
    await ensemble.start()
    const client = await connect(zookeeper(`127.0.0.1:${ensemble.clientPorts[0] ?? 0}`), { sessionTimeoutMs: 6_000 })
    const unrelated = await new FairLock(client, '/locks/unrelated').acquire()
    const lock = new FairLock(client, PATH)
    const order: number[] = []
    const seen = await monitored(async () => {
      await Promise.all(Array.from({ length: count }, async (_, index) => {
        const lease = await lock.acquire()
        order.push(index)
        await lease.release()
      }))
    })
    expect(order).toEqual(Array.from({ length: count }, (_, index) => index))
    expect(unrelated.state).toBe('held')
    expect(seen.longestTurnMs).toBeLessThan(TURN_MS_MAX)
    expect(seen.grownBytes).toBeLessThan(50_000_000)
    await client.close()
  })

  it('of two hundred clients costs each a bounded part of memory, and the server short turns', async () => {
    const count = 200
    await using ensemble = embedded({ servers: 1, clientPorts: [0], maxClientCnxns: count + 1 })
    await ensemble.start()
    const address = `127.0.0.1:${ensemble.clientPorts[0] ?? 0}`
    const order: number[] = []
    const clients: Client[] = []
    const before = heapBytes()
    const seen = await monitored(async () => {
      for (let i = 0; i < count; i++) clients.push(await connect(zookeeper(address), { sessionTimeoutMs: 20_000 }))
    })
    expect((heapBytes() - before) / count).toBeLessThan(CONNECTION_BYTES_MAX)
    const crowd = await monitored(async () => {
      await Promise.all(clients.map(async (client, index) => {
        const lease = await new FairLock(client, PATH).acquire()
        order.push(index)
        await lease.release()
      }))
    })
    expect(new Set(order).size).toBe(count)
    expect(Math.max(seen.longestTurnMs, crowd.longestTurnMs)).toBeLessThan(TURN_MS_MAX)
    await Promise.all(clients.map((client) => client.close()))
  })
})
