/** An ensemble for platforms that are not Node.js: what it needs of them, and that it is the same ensemble. */
import { describe, expect, it } from 'vitest'
import { memoryEnsemble } from '../../../src/backends/embedded/memory-ensemble.ts'
import { connect } from '../../../src/core/connect.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { importsOf, repository } from '../../source-files.ts'

const ENTRY = 'src/backends/embedded/memory-ensemble.ts'

/** The packages and modules of Node.js that a file needs when it is loaded, types aside. */
function neededBy(entry: string): string[] {
  const files = new Map(repository().map((file) => [file.path, file]))
  const seen = new Set<string>()
  const outside = new Set<string>()
  const visit = (path: string): void => {
    const file = files.get(path)
    if (file === undefined) outside.add(path)
    if (file === undefined || seen.has(path)) return
    seen.add(path)
    const text = file.text.replace(/^(import|export) type [^;]*? from '[^']+'$/gm, '')
    for (const { target } of importsOf({ path, text })) visit(target)
  }
  visit(entry)
  return [...outside].sort()
}

describe('an ensemble in memory', () => {
  it('needs no module of Node.js', () => {
    expect(neededBy(ENTRY)).toEqual(['p-queue', 'p-retry'])
    expect(neededBy('src/backends/embedded/index.ts')).toContain('node:net')
  })

  it('serves a lock through the crash of its leader', async () => {
    await using ensemble = memoryEnsemble({ servers: 3, tickMs: 10 })
    await using client = await connect(ensemble)
    const lock = new FairLock(client, '/locks/a')
    const first = await lock.acquire()
    ensemble.crash(ensemble.leader ?? 0)
    await first.release()
    await using second = await lock.acquire({ waitMs: 30_000 })
    expect(second.token).toBeGreaterThan(first.token)
    expect(ensemble.status().filter(({ role }) => role === 'DOWN')).toHaveLength(1)
  })

  it('begins empty again where a server is wiped', async () => {
    await using ensemble = memoryEnsemble({ servers: 3, tickMs: 10 })
    await using client = await connect(ensemble)
    await client.create('/kept')
    ensemble.crash(1)
    ensemble.restart(1, { wipe: true })
    await expect.poll(() => ensemble.status().every(({ serving }) => serving), { timeout: 30_000 }).toBe(true)
    expect(await client.exists('/kept')).not.toBeNull()
  })

  it('refuses what it has not: files and ports', () => {
    expect(() => memoryEnsemble({ dataDir: 'data' })).toThrow('no files: leave dataDir out')
    expect(() => memoryEnsemble({ clientPorts: [0, 0, 0] })).toThrow('no ports')
  })
})
