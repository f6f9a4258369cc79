import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import type { Client } from '../../src/core/client.ts'
import { PATH_BYTES_MAX, PATH_SEGMENTS_MAX } from '../../src/core/path.ts'
import { modelBackend } from '../../src/testing/index.ts'
import type { ModelBackend } from '../../src/testing/index.ts'
import { outcomeOf } from '../outcomes.ts'

const LATENCY_MS = 10
const ROUND_TRIP_MS = 2 * LATENCY_MS

let model: ModelBackend

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'performance'] })
  model = modelBackend({ latencyMs: LATENCY_MS })
})
afterEach(() => {
  vi.useRealTimers()
})

async function connected(namespace = '/'): Promise<Client> {
  const connecting = connect(model, { namespace })
  await vi.advanceTimersByTimeAsync(200)
  return connecting
}

/** The cost of a call: requests by kind, and round trips. */
async function costOf(call: () => Promise<unknown>): Promise<{ reads: number; creates: number; roundTrips: number }> {
  model.control.resetCounts()
  const startMs = performance.now()
  let endMs = NaN
  const outcome = outcomeOf(call().finally(() => (endMs = performance.now())))
  await vi.advanceTimersByTimeAsync(60_000)
  expect(outcome.error).toBeUndefined()
  expect(outcome.value).toBeDefined()
  const [reads, creates] = [countOf('exists'), countOf('create')]
  return { reads, creates, roundTrips: (endMs - startMs) / ROUND_TRIP_MS }
}

const countOf = (kind: 'exists' | 'create'): number => model.control.requestCount({ kind })

const deep = (segments: number): string => '/seg'.repeat(segments)

describe('makePath', () => {
  it('costs one read if the path is there, and two requests if only the node is missing', async () => {
    const client = await connected()
    expect(await costOf(() => client.makePath('/a'))).toEqual({ reads: 1, creates: 1, roundTrips: 2 })
    expect(await costOf(() => client.makePath('/a/b'))).toEqual({ reads: 1, creates: 1, roundTrips: 2 })
    expect(await costOf(() => client.makePath('/a/b'))).toEqual({ reads: 1, creates: 0, roundTrips: 1 })
  })

  it('makes 500 levels in some round trips, and not in one after the other', async () => {
    const client = await connected()
    const cost = await costOf(() => client.makePath(deep(500)))
    expect(cost.reads).toBeLessThanOrEqual(1 + Math.ceil(Math.log2(500)))
    expect(cost.creates).toBe(1 + 500)
    expect(cost.roundTrips).toBeLessThanOrEqual(20)
    const rest = await costOf(() => client.makePath(`${deep(500)}/a/b`))
    expect(rest.creates).toBe(3)
    expect(rest.reads).toBeLessThanOrEqual(11)
  })

  it('takes as many segments as a path may have, and no more', async () => {
    const client = await connected()
    await costOf(() => client.makePath('/a'.repeat(PATH_SEGMENTS_MAX)))
    const long = outcomeOf(client.makePath('/a'.repeat(PATH_SEGMENTS_MAX + 1)))
    await vi.advanceTimersByTimeAsync(0)
    expect(long.error).toBeInstanceOf(RangeError)
    expect(String(long.error)).toMatch(/has 513 segments, and at most 512 are taken$/)
  })

  it('makes a namespace again that an operator has deleted, ancestors and all', async () => {
    const operator = await connected()
    const client = await connected('/apps/shop')
    await costOf(() => operator.delete('/apps/shop'))
    await costOf(() => operator.delete('/apps'))
    const cost = await costOf(() => client.makePath('/locks/a'))
    // Each level is tried before the one above it is looked for, within the namespace and above it.
    expect(cost.creates).toBeLessThanOrEqual(8)
    expect(await Promise.all([client.exists('/locks/a'), vi.advanceTimersByTimeAsync(100)])).not.toContain(null)
  })

  it('ends with the signal, and sends nothing more', async () => {
    const client = await connected()
    const controller = new AbortController()
    const making = outcomeOf(client.makePath(deep(500), { signal: controller.signal }))
    await vi.advanceTimersByTimeAsync(3 * ROUND_TRIP_MS)
    controller.abort()
    await vi.advanceTimersByTimeAsync(0)
    expect(making.error).toMatchObject({ code: 'ABORTED' })
    model.control.resetCounts()
    await vi.advanceTimersByTimeAsync(60_000)
    expect([countOf('exists'), countOf('create')]).toEqual([0, 0])
  })

  it('goes on over a connection that is lost in the middle of it', async () => {
    const client = await connected()
    const making = outcomeOf(client.makePath(deep(200)))
    await vi.advanceTimersByTimeAsync(12 * ROUND_TRIP_MS)
    const { sessionId } = client
    if (sessionId === null) throw new Error('no session')
    model.control.disconnect(sessionId)
    model.control.reconnect(sessionId)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(making).toEqual({ value: 'done' })
  })
})

describe('the length of a path', () => {
  it('is limited in bytes, with its namespace and with the number of a sequential name', async () => {
    const client = await connected('/ns')
    const call = async (path: string, sequential = false): Promise<unknown> => {
      const calling = sequential
        ? outcomeOf(client.create(path, '', { mode: 'persistent-sequential' }))
        : outcomeOf(client.exists(path))
      await vi.advanceTimersByTimeAsync(100)
      return calling.error
    }
    const room = PATH_BYTES_MAX - '/ns/'.length
    expect(await call(`/${'x'.repeat(room)}`)).toBeUndefined()
    expect(await call(`/${'x'.repeat(room + 1)}`)).toBeInstanceOf(RangeError)
    expect(await call(`/${'€'.repeat(room / 3)}`)).toBeUndefined()
    expect(await call(`/${'€'.repeat(room / 3 + 1)}`)).toBeInstanceOf(RangeError)
    expect(await call(`/${'x'.repeat(room - 11)}`, true)).toBeUndefined()
    expect(await call(`/${'x'.repeat(room - 7)}`, true)).toBeInstanceOf(RangeError)
  })
})
