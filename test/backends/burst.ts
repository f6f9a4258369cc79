/** A burst of heavy calls by one client that holds an unrelated lease meanwhile. */
import { expect } from 'vitest'
import { connect, ExclusiveLock } from '../../src/index.ts'
import type { Backend, Client } from '../../src/index.ts'

const CHILDREN = 2_000
const CALLS = 5_000
const CREATES_PER_MULTI = 30

/** Makes a node with many children. */
async function fill(client: Client, path: string): Promise<void> {
  await client.create(path, '')
  const data = new Uint8Array()
  for (let first = 0; first < CHILDREN; first += CREATES_PER_MULTI) {
    const names = Array.from({ length: Math.min(CREATES_PER_MULTI, CHILDREN - first) }, (_, i) => `member-${first + i}`)
    await client.multi(names.map((name) => ({ type: 'create', path: `${path}/${name}`, data, mode: 'persistent' })))
  }
}

/**
 * Reads a long list very often at once, and expects that the lease is neither lost nor in doubt, at the default session
 * time-out.
 */
export async function burst(backend: Backend): Promise<void> {
  const client = await connect(backend, { operationTimeoutMs: 600_000 })
  try {
    await fill(client, '/list')
    const lease = await new ExclusiveLock(client, '/lock').acquire()
    const states: string[] = []
    let answered = 0
    client.onState(({ status }) => void states.push(status))
    await Promise.all(Array.from({ length: CALLS }, async () => {
      expect((await client.children('/list')).names).toHaveLength(CHILDREN)
      answered += 1
    }))
    expect(answered).toBe(CALLS)
    expect(states).toEqual([])
    expect(lease.signal.aborted).toBe(false)
    await lease.release()
  } finally {
    await client.close()
  }
}
