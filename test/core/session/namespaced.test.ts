import { describe, expect, it } from 'vitest'
import type { Session, WatchEvent } from '../../../src/core/backend.ts'
import { Namespace, namespaced } from '../../../src/core/session/namespaced.ts'
import { modelBackend } from '../../../src/testing/index.ts'
import { openSession } from '../../support/model-sessions.ts'

const NO_BYTES = new Uint8Array()
const PERSISTENT = { mode: 'persistent' } as const

/** A session of the servers, and one under `/app` within another under `/eu`. */
async function sessions(): Promise<{ outer: Session; inner: Session }> {
  const model = modelBackend()
  const outer = await openSession(model)
  const inner = namespaced(namespaced(await openSession(model), '/eu'), '/app')
  await inner.create('/', NO_BYTES, PERSISTENT)
  return { outer, inner }
}

describe('a namespaced session', () => {
  it('is the session itself where there is nothing to translate', async () => {
    const { outer } = await sessions()
    expect(namespaced(outer, '/')).toBe(outer)
  })

  it('lives under its root, and namespaces add up', async () => {
    const { outer, inner } = await sessions()
    expect(await inner.create('/a', NO_BYTES, PERSISTENT)).toMatchObject({ path: '/a' })
    const sequential = await inner.create('/', NO_BYTES, { mode: 'persistent-sequential' })
    expect(sequential.path).toMatch(/^\/\d{10}$/)
    expect(await outer.exists(`/eu/app${sequential.path}`)).not.toBeNull()
    const results = await inner.multi([{ type: 'create', path: '/b', data: NO_BYTES, mode: 'persistent' }])
    expect(results).toMatchObject([{ type: 'create', path: '/b' }])
    expect((await outer.children('/eu/app')).names).toHaveLength(3)
  })

  it('makes its root again with the ancestors if it is created, and refuses to if it is there', async () => {
    const { outer, inner } = await sessions()
    await outer.delete('/eu/app', -1)
    await outer.delete('/eu', -1)
    await expect(inner.create('/a', NO_BYTES, PERSISTENT)).rejects.toMatchObject({ code: 'NO_NODE', path: '/a' })
    expect(await inner.create('/', NO_BYTES, PERSISTENT)).toMatchObject({ path: '/' })
    await expect(inner.create('/', NO_BYTES, PERSISTENT)).rejects.toMatchObject({ code: 'NODE_EXISTS', path: '/' })
  })

  it('does not delete its root, as nobody deletes that of the servers', async () => {
    const { outer, inner } = await sessions()
    await expect(inner.delete('/', -1)).rejects.toMatchObject({ code: 'BAD_ARGUMENTS', path: '/' })
    const both = inner.multi([
      { type: 'check', path: '/', version: 0 },
      { type: 'delete', path: '/', version: -1 },
    ])
    await expect(both).rejects.toMatchObject({ code: 'BAD_ARGUMENTS', path: '/', index: 1 })
    expect(await outer.exists('/eu/app')).not.toBeNull()
  })

  it('names the paths of its caller in errors and events', async () => {
    const { outer, inner } = await sessions()
    const error: unknown = await inner.get('/eu/app/x').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'NO_NODE', path: '/eu/app/x', message: 'there is no node /eu/app/x' })
    const events: WatchEvent[] = []
    await inner.exists('/a', (event) => void events.push(event))
    await outer.create('/eu/app/a', NO_BYTES, PERSISTENT)
    await inner.sync('/')
    await inner.exists('/a')
    expect(events).toEqual([{ type: 'created', path: '/a' }])
  })

  it('forgets a watch by the path and the function that its caller knows', async () => {
    const { outer, inner } = await sessions()
    const events: WatchEvent[] = []
    const watch = (event: WatchEvent): void => void events.push(event)
    await inner.exists('/a', watch)
    await inner.exists('/b', watch)
    inner.unwatch('/a', watch)
    await outer.create('/eu/app/a', NO_BYTES, PERSISTENT)
    await outer.create('/eu/app/b', NO_BYTES, PERSISTENT)
    await inner.sync('/')
    await inner.exists('/a')
    expect(events).toEqual([{ type: 'created', path: '/b' }])
  })
})

describe('a namespace', () => {
  it('leaves a path alone that is not in it', () => {
    const namespace = new Namespace('/app')
    expect(['/app', '/app/a', '/apple', '/'].map((path) => namespace.strip(path))).toEqual(['/', '/a', '/apple', '/'])
  })
})
