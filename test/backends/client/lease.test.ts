/** Proofs of a lease where a server's answer to a ping is none. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { ProvenLease } from '../../../src/backends/client/lease.ts'

const TIMEOUT_MS = 12_000
const LEASE_MS = 8_000
const SPACING_MS = 3_000

/** Steps of a proof that a test lets succeed or fail, one after the other. */
class Steps {
  readonly taken: string[] = []
  #pending: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | null = null

  readonly sync = (): Promise<void> => this.#take('sync')
  readonly commit = (): Promise<void> => this.#take('commit')

  async succeed(): Promise<void> {
    this.#pending?.resolve()
    await vi.advanceTimersByTimeAsync(0)
  }

  async fail(): Promise<void> {
    this.#pending?.reject(new Error('lost'))
    await vi.advanceTimersByTimeAsync(0)
  }

  #take(step: string): Promise<void> {
    this.taken.push(step)
    return new Promise((resolve, reject) => (this.#pending = { resolve, reject }))
  }
}

describe('a lease by proofs', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** A session that was opened now, and whose lease is wanted. */
  function opened(): { steps: Steps; lease: ProvenLease; startMs: number } {
    const steps = new Steps()
    const lease = new ProvenLease(steps)
    const startMs = performance.now()
    lease.attached(startMs, TIMEOUT_MS, true)
    lease.want()
    return { steps, lease, startMs }
  }

  it('is good from the opening of the session, which is a transaction', () => {
    const { lease, startMs } = opened()
    expect(lease.deadlineMs).toBe(startMs + LEASE_MS)
  })

  it('is not moved by the answer to a ping, a write or a sync alone', () => {
    const { lease, startMs } = opened()
    vi.advanceTimersByTime(100)
    lease.ponged(performance.now())
    lease.answered()
    lease.want()
    expect(lease.deadlineMs).toBe(startMs + LEASE_MS)
  })

  it('is moved to a ping by a sync a quarter of the time-out behind it, and a commit behind that', async () => {
    const { steps, lease, startMs } = opened()
    vi.advanceTimersByTime(100)
    lease.ponged(startMs + 50)
    vi.advanceTimersByTime(SPACING_MS - 1)
    lease.want()
    expect(steps.taken).toEqual([])
    vi.advanceTimersByTime(1)
    lease.want()
    expect(steps.taken).toEqual(['sync'])
    await steps.succeed()
    expect(lease.deadlineMs).toBe(startMs + LEASE_MS)
    expect(steps.taken).toEqual(['sync', 'commit'])
    await steps.succeed()
    expect(lease.deadlineMs).toBe(startMs + 50 + LEASE_MS)
  })

  it('is moved by no proof of which a step fails, and by the next one that is complete', async () => {
    const { steps, lease, startMs } = opened()
    lease.ponged(startMs)
    lease.ponged(startMs + 1)
    vi.advanceTimersByTime(SPACING_MS)
    lease.want()
    await steps.succeed()
    await steps.fail()
    expect(lease.deadlineMs).toBe(startMs + LEASE_MS)
    lease.want()
    await steps.succeed()
    await steps.succeed()
    expect(lease.deadlineMs).toBe(startMs + 1 + LEASE_MS)
  })

  it('is moved by no proof over two connections', async () => {
    const { steps, lease, startMs } = opened()
    lease.ponged(startMs + 1)
    vi.advanceTimersByTime(SPACING_MS)
    lease.want()
    await steps.succeed()
    lease.detached()
    lease.attached(performance.now(), TIMEOUT_MS, false)
    await steps.succeed()
    expect(lease.deadlineMs).toBe(startMs + LEASE_MS)
  })

  it('needs no ping on a connection to which the leader itself has let the session move', async () => {
    const { steps, lease } = opened()
    lease.detached()
    vi.advanceTimersByTime(5_000)
    const movedMs = performance.now()
    lease.attached(movedMs, TIMEOUT_MS, false)
    lease.want()
    await steps.succeed()
    await steps.succeed()
    expect(lease.deadlineMs).toBe(movedMs + LEASE_MS)
  })

  it('costs nothing while nobody wants it', () => {
    const { steps, lease } = opened()
    for (let pings = 0; pings < 20; pings += 1) {
      vi.advanceTimersByTime(TIMEOUT_MS / 8)
      lease.ponged(performance.now())
      if (pings === 7) expect(steps.taken).toEqual(['sync'])
    }
    expect(steps.taken).toEqual(['sync'])
  })

  it('is proven by pings as they come while it is wanted, with time to spare', async () => {
    const { steps, lease } = opened()
    for (let pings = 0; pings < 40; pings += 1) {
      vi.advanceTimersByTime(TIMEOUT_MS / 8)
      const taken = steps.taken.length
      lease.ponged(performance.now())
      if (steps.taken.length > taken) {
        await steps.succeed()
        await steps.succeed()
      }
      if (pings % 4 === 0) lease.want()
      expect(lease.deadlineMs - performance.now()).toBeGreaterThan(TIMEOUT_MS / 8)
    }
  })
})
