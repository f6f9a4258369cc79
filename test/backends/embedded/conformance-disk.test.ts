/** The suite of the contract on servers that keep their data on disk, and what only they can do. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { connect } from '../../../src/core/connect.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { StorageError, embedded } from '../../../src/backends/embedded/index.ts'
import type { Ensemble, EnsembleEvent } from '../../../src/backends/embedded/index.ts'
import { backendSuite } from '../../../src/testing/index.ts'
import type { Subject } from '../../../src/testing/index.ts'
import { recipeSuites } from '../../testing/recipe-suites.ts'
import { ABILITIES } from '../abilities.ts'
import { TICK_MS, controlOf, subjectOf, suiteEnsemble } from './subject.ts'

const folders: string[] = []

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'quorate-disk-'))
  folders.push(made)
  return made
}

afterAll(() => {
  for (const made of folders) rmSync(made, { recursive: true, force: true })
})

for (const servers of [1, 3]) {
  const name = `${servers} ${servers === 1 ? 'server' : 'servers'} on disk`
  const create = (): Promise<Subject> => Promise.resolve(subjectOf(suiteEnsemble(servers, folder())))
  backendSuite({ describe, it, afterAll }, { name, create, abilities: ABILITIES })
}

describe('recipes on three embedded servers on disk', () => {
  const ensemble = suiteEnsemble(3, folder())
  afterAll(() => ensemble.close())
  recipeSuites(ensemble, controlOf(ensemble))
})

describe.each([1, 3])('an ensemble of %i on disk', (servers) => {
  const open: Ensemble[] = []
  const started = async (dataDir: string): Promise<Ensemble> => {
    const ensemble = embedded({ servers, tickMs: TICK_MS, dataDir })
    open.push(ensemble)
    await ensemble.start()
    return ensemble
  }

  afterEach(async () => {
    await Promise.all(open.splice(0).map((ensemble) => ensemble.close()))
  })

  it('has its nodes and goes on with its tokens after the end of its process', async () => {
    const dataDir = folder()
    const tokens: bigint[] = []
    for (let life = 0; life < 3; life++) {
      const ensemble = await started(dataDir)
      expect(ensemble.capabilities.durability).toBe('disk')
      const client = await connect(ensemble)
      expect((await client.children('/')).names.filter((name) => name.startsWith('kept'))).toHaveLength(life)
      await client.create(`/kept-${life}`, 'value')
      const lease = await new FairLock(client, '/lock').acquire()
      tokens.push(lease.token)
      await lease.release()
      await client.close()
      await ensemble.close()
    }
    expect(tokens).toEqual([...tokens].sort((a, b) => (a < b ? -1 : 1)))
    expect(new Set(tokens).size).toBe(3)
  })

  it('is used by one ensemble at a time', async () => {
    const dataDir = folder()
    const first = await started(dataDir)
    await expect(embedded({ servers, dataDir }).start()).rejects.toThrow(StorageError)
    await first.close()
    await started(dataDir)
  })
})

describe('a server of three whose files are damaged', () => {
  it('puts them aside, learns from the others, and has all that was acknowledged', async () => {
    const dataDir = folder()
    const events: EnsembleEvent['event'][] = []
    await using ensemble = embedded({ servers: 3, tickMs: TICK_MS, dataDir })
    ensemble.onEvent(({ server, event }) => {
      if (server === 2) events.push(event)
    })
    const client = await connect(ensemble)
    for (let i = 0; i < 20; i++) await client.create(`/n-${i}`, 'value')
    ensemble.crash(2)
    const version2 = join(dataDir, '2', 'version-2')
    const log = join(version2, readdirSync(version2).find((name) => name.startsWith('log.')) ?? '')
    const bytes = readFileSync(log)
    bytes[200] = (bytes[200] ?? 0) ^ 1
    writeFileSync(log, bytes)
    await client.create('/while-it-was-away', 'value')
    ensemble.restart(2)
    await expect.poll(() => ensemble.status()[1]?.role, { timeout: 10_000 }).toBe('FOLLOWING')
    expect(events.find((event) => event.type === 'damaged')).toMatchObject({ error: { file: log } })
    expect(readdirSync(join(dataDir, '2')).sort()).toEqual(['version-2', 'version-2.damaged-1'])
    await expect.poll(() => ensemble.status()[1]?.zxid).toBe(ensemble.status()[0]?.zxid)
    expect(ensemble.status()[1]?.nodes).toBe(ensemble.status()[0]?.nodes)
    await client.close()
  })

  it('does not vote with an epoch that it never promised: it learns from the others', async () => {
    const dataDir = folder()
    const events: EnsembleEvent['event'][] = []
    await using ensemble = embedded({ servers: 3, tickMs: TICK_MS, dataDir })
    ensemble.onEvent(({ server, event }) => {
      if (server === 2) events.push(event)
    })
    const client = await connect(ensemble)
    await client.create('/before', 'value')
    ensemble.crash(2)
    writeFileSync(join(dataDir, '2', 'version-2', 'currentEpoch'), '7')
    await client.create('/while-it-was-away', 'value')
    ensemble.restart(2)
    await expect.poll(() => ensemble.status()[1]?.role, { timeout: 10_000 }).toBe('FOLLOWING')
    const said = events.flatMap((event) => (event.type === 'damaged' ? [String(event.error)] : []))
    expect(said).toEqual([expect.stringMatching(/currentEpoch holds 7/)])
    expect(readdirSync(join(dataDir, '2')).sort()).toEqual(['version-2', 'version-2.damaged-1'])
    await expect.poll(() => ensemble.status()[1]?.nodes).toBe(ensemble.status()[0]?.nodes)
    await client.close()
  })

  it('does not start alone with an epoch that it never promised', async () => {
    const dataDir = folder()
    const ensemble = embedded({ servers: 1, tickMs: TICK_MS, dataDir })
    await ensemble.start()
    await ensemble.close()
    writeFileSync(join(dataDir, 'version-2', 'currentEpoch'), '7')
    const again = embedded({ servers: 1, tickMs: TICK_MS, dataDir, onError: () => undefined })
    await expect(again.start()).rejects.toThrow(/currentEpoch holds 7, .* restore a backup/)
    await again.close()
  })

  it('does not start if it is alone, and says why', async () => {
    const dataDir = folder()
    const ensemble = embedded({ servers: 1, tickMs: TICK_MS, dataDir })
    const client = await connect(ensemble)
    await client.create('/n', 'value')
    await client.close()
    await ensemble.close()
    const version2 = join(dataDir, 'version-2')
    const log = join(version2, readdirSync(version2).find((name) => name.startsWith('log.')) ?? '')
    const bytes = readFileSync(log)
    bytes[100] = (bytes[100] ?? 0) ^ 1
    writeFileSync(log, bytes)
    const errors: unknown[] = []
    const again = embedded({ servers: 1, tickMs: TICK_MS, dataDir, onError: (error) => errors.push(error) })
    await expect(again.start()).rejects.toThrow(/log\.\w+: at byte \d+: /)
    expect(errors.map(String)).toEqual([expect.stringMatching(/log\.\w+: at byte \d+: /)])
    await again.close()
  })
})
