import { afterEach, expect, it } from 'vitest'
import { connect } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { CONNECTION_WATCHES_MAX } from '../../../src/backends/embedded/server/watch-limits.ts'

const ensemble = embedded({ servers: 1 })
let client: Client | null = null

afterEach(async () => {
  await client?.close()
  await ensemble.close()
})

it('a watch too many is refused, and the session with all others goes on, also on a new connection', async () => {
  const reader = await connect(ensemble, { sessionTimeoutMs: 60_000 })
  client = reader
  const states: string[] = []
  client.onState(({ status }) => states.push(status))
  const fired: string[] = []
  const watch = ({ path }: { readonly path: string }): void => {
    fired.push(path)
  }
  const share = 10_000
  for (let done = 0; done < CONNECTION_WATCHES_MAX; done += share) {
    const paths = Array.from({ length: share }, (_, i) => `/none/${done + i}`)
    await Promise.all(paths.map((path) => reader.exists(path, { watch })))
  }
  const refusal = { code: 'QUOTA_EXCEEDED', path: '/one-more' }
  await expect(client.exists('/one-more', { watch })).rejects.toMatchObject(refusal)
  expect(states).toEqual([])

  ensemble.disconnectSession(client.sessionId ?? 0n)
  await client.sync('/')
  await expect(client.exists('/one-more', { watch })).rejects.toMatchObject({ code: 'QUOTA_EXCEEDED' })
  expect(states).toEqual(['suspended', 'connected'])
  expect(fired).toEqual([])
  await client.create('/none')
  await client.create('/none/7')
  await client.sync('/')
  expect(fired).toEqual(['/none/7'])
  expect(await client.exists('/one-more', { watch })).toBeNull()
})
