/** Processes that talk to each other by TLS: three of ours, their change from plain, and one of ours with real ones. */
import { join } from 'node:path'
import { mkdirSync, writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { mixedEnsemble } from '../../engines/mixed-ensemble.ts'
import { compiledPackage } from '../../engines/quorate-server.ts'
import type { CompiledPackage } from '../../engines/quorate-server.ts'
import { startQuorateEnsemble } from '../../engines/quorate-ensemble.ts'
import { reasonToSkipZooKeeper } from '../../engines/zookeeper.ts'
import { authority } from '../../support/certificates.ts'

const PATIENCE_MS = 120_000
const WAIT = { timeout: PATIENCE_MS, interval: 20 }
const SESSION_MS = 10_000
const skip = reasonToSkipZooKeeper()
const why = skip === null ? '' : ` (${skip})`

const ca = authority('ensemble')
let compiled: CompiledPackage
let files: Record<string, string>
const ends: (() => Promise<unknown>)[] = []

beforeAll(() => {
  compiled = compiledPackage()
  files = storesOf('good', ca.issue({ hosts: ['127.0.0.1', 'localhost'] }).keyStore)
}, PATIENCE_MS)
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})
afterAll(() => {
  compiled.remove()
})

function storesOf(name: string, keyStore: string): Record<string, string> {
  const folder = join(compiled.path, name)
  mkdirSync(folder, { recursive: true })
  const [key, trust] = [join(folder, 'key.pem'), join(folder, 'ca.pem')]
  writeFileSync(key, keyStore)
  writeFileSync(trust, ca.certificate)
  return { 'ssl.quorum.keyStore.location': key, 'ssl.quorum.trustStore.location': trust }
}

function linesOf(sslQuorum: boolean, portUnification: boolean, stores = files): string[] {
  const settings = { sslQuorum, portUnification, ...stores }
  return Object.entries(settings).map(([key, value]) => `${key}=${value}`)
}

async function clientOf(addresses: string): Promise<Client> {
  const client = await connect(zookeeper(addresses), { sessionTimeoutMs: SESSION_MS, onError: () => undefined })
  ends.push(() => client.close().catch(() => undefined))
  return client
}

describe('three processes', () => {
  it('change from plain to TLS one by one, twice round, while a client writes', async () => {
    const ensemble = await startQuorateEnsemble(compiled, { tickTimeMs: 1_000 })
    ends.push(() => ensemble.stop())
    const client = await clientOf(ensemble.addresses)
    await client.create('/counts', '')
    const acknowledged: string[] = []
    let isOver = false
    const load = (async () => {
      for (let count = 0; !isOver; count++) {
        const made = await client.create(`/counts/${count}`, '').catch(() => null)
        if (made !== null) acknowledged.push(String(count))
      }
    })()
    for (const step of [linesOf(false, true), linesOf(true, true), linesOf(true, false)]) {
      for (const id of ensemble.ids) {
        const before = acknowledged.length
        ensemble.configure(id, step)
        ensemble.process(id).signal('SIGTERM')
        expect(await ensemble.process(id).ended).toBe(0)
        ensemble.start([id])
        await ensemble.untilServing([id])
        await expect.poll(() => acknowledged.length, WAIT).toBeGreaterThan(before)
      }
    }
    isOver = true
    await load
    const { names } = await client.children('/counts')
    expect(names).toEqual(expect.arrayContaining(acknowledged))
    // A plain one has no way back, and both sides say why.
    ensemble.configure(3, [])
    ensemble.process(3).signal('SIGTERM')
    await ensemble.process(3).ended
    ensemble.start([3])
    await expect.poll(() => ensemble.process(1).output(), WAIT).toContain('it does not speak TLS')
    expect(ensemble.process(3).output()).not.toContain('serves')
  }, PATIENCE_MS)

  it('do without one whose certificate has expired, and say so in a line', async () => {
    const ensemble = await startQuorateEnsemble(compiled, { config: linesOf(true, false) })
    ends.push(() => ensemble.stop())
    const old = ca.issue({ hosts: ['127.0.0.1'], isExpired: true })
    ensemble.process(1).signal('SIGKILL')
    ensemble.configure(1, linesOf(true, false, storesOf('old', old.keyStore)))
    ensemble.start([1])
    const lines = (): string[] => [2, 3].flatMap((id) => ensemble.process(id).output().split('\n'))
    await expect.poll(() => lines().filter((line) => line.includes('certificate has expired')), WAIT).not.toEqual([])
    const client = await clientOf(ensemble.addresses)
    await client.create('/without', '')
  }, PATIENCE_MS)

  it('do not start with files that cannot be used: the line names file and key', async () => {
    const bad = storesOf('bad', 'nothing')
    const starting = startQuorateEnsemble(compiled, { config: linesOf(true, false, bad) })
    const file = bad['ssl.quorum.keyStore.location']
    const what = `cannot use the key store ${file} (ssl.quorum.keyStore.location): there is no private key in it`
    await expect(starting).rejects.toThrow(what)
  }, PATIENCE_MS)
})

describe.skipIf(skip !== null)(`one of ours with two of ZooKeeper, by TLS${why}`, () => {
  it.each([['follows', [2, 3], 1], ['leads', [1, 3], 2]] as const)('%s', async (what, first, last) => {
    const mixed = await mixedEnsemble(compiled, { ours: [1], config: { sslQuorum: 'true', ...files } })
    ends.push(() => mixed.stop())
    // The last one follows, and of two with the same history the greater one leads.
    const [ours] = [1]
    if (what === 'follows') await mixed.start(...first)
    else await Promise.all([mixed.start(...first)])
    await mixed.start(last)
    const client = await clientOf(mixed.address(ours))
    await client.create('/by-tls', 'data')
    const other = await clientOf(mixed.address(3))
    await other.sync('/')
    expect(Buffer.from((await other.get('/by-tls')).data).toString()).toBe('data')
  }, PATIENCE_MS)
})
