/** An ensemble of three processes with their data on disk: what any of their ends costs. */
import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { compiledPackage } from '../../engines/quorate-server.ts'
import type { CompiledPackage } from '../../engines/quorate-server.ts'
import { startQuorateEnsemble } from '../../engines/quorate-ensemble.ts'
import type { QuorateEnsemble } from '../../engines/quorate-ensemble.ts'

const PATIENCE_MS = 60_000
const WRITES_AFTER = 20

let compiled: CompiledPackage
let ensemble: QuorateEnsemble
let client: Client

beforeAll(async () => {
  compiled = compiledPackage()
  ensemble = await startQuorateEnsemble(compiled)
  client = await connect(zookeeper(ensemble.addresses), { sessionTimeoutMs: 10_000, onError: () => undefined })
}, PATIENCE_MS)

afterAll(async () => {
  await client.close()
  await ensemble.stop()
  compiled.remove()
})

/** Writes one node after the other until it is stopped; keeps those that were acknowledged. */
class Writer {
  readonly acknowledged: string[] = []
  readonly #parent: string
  #isStopped = false
  readonly #ended: Promise<void>

  constructor(parent: string) {
    this.#parent = parent
    this.#ended = this.#run()
  }

  async #run(): Promise<void> {
    for (let count = 0; !this.#isStopped; count++) {
      const path = `${this.#parent}/${count}`
      await client.create(path, 'x').then(() => this.acknowledged.push(path), () => undefined)
    }
  }

  /** Resolves when so many more are acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.acknowledged.length + count
    await expect.poll(() => this.acknowledged.length, { timeout: 20_000, interval: 5 }).toBeGreaterThanOrEqual(goal)
  }

  async stop(): Promise<readonly string[]> {
    this.#isStopped = true
    await this.#ended
    return this.acknowledged
  }
}

/** The children at every server, as a client of it alone reads them. */
async function childrenAt(parent: string): Promise<string[][]> {
  return Promise.all(ensemble.addresses.split(',').map(async (address) => {
    await using reader = await connect(zookeeper(address), { onError: () => undefined })
    await reader.sync('/')
    return (await reader.children(parent)).names.map((name) => `${parent}/${name}`).sort()
  }))
}

describe('three processes', () => {
  it('lose no acknowledged write when the leader is killed under writes, and take it back', async () => {
    await client.create('/killed', '')
    const writer = new Writer('/killed')
    await writer.more(WRITES_AFTER)
    const { leader } = ensemble
    await ensemble.process(leader).kill()
    await writer.more(WRITES_AFTER)
    expect(ensemble.leader).not.toBe(leader)
    ensemble.start([leader])
    await ensemble.untilServing([leader])
    const acknowledged = await writer.stop()
    const [first, ...others] = await childrenAt('/killed')
    expect(first).toEqual(expect.arrayContaining([...acknowledged]))
    for (const other of others) expect(other).toEqual(first)
  }, PATIENCE_MS)

  it('bring one back that has lost its disk, whose vote does not count before', async () => {
    const lost = ensemble.ids.find((id) => id !== ensemble.leader) ?? 0
    await ensemble.process(lost).kill()
    rmSync(`${ensemble.dataDir(lost)}/version-2`, { recursive: true })
    await client.create('/without', '')
    ensemble.start([lost])
    await ensemble.untilServing([lost])
    for (const names of await childrenAt('/without')) expect(names).toEqual([])
    expect(ensemble.process(lost).output()).toContain('votes again')
  }, PATIENCE_MS)
})
