/**
 * Processes whose data are on a small disk, which they fill up with what they are asked to write.
 *
 * Checked   while the disk is full, no write is acknowledged, and a caller's signal ends the wait for one; of a server
 *           alone, reads are answered and sessions live on. When there is room, what waited is written and service goes
 *           on. After a kill (`kill -9`), also of servers that wait for room, every acknowledged write is there.
 */
import { readdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { CoordinationError, connect } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { startQuorateEnsemble } from '../../engines/quorate-ensemble.ts'
import type { QuorateEnsemble } from '../../engines/quorate-ensemble.ts'
import { compiledPackage } from '../../engines/quorate-server.ts'
import type { CompiledPackage } from '../../engines/quorate-server.ts'
import { reasonToSkipSmallDisks, startSmallDisk } from '../../engines/small-disk.ts'
import type { SmallDisk } from '../../engines/small-disk.ts'

const MIB = 0x10_0000
const COMPILE_MS_MAX = 180_000
const TEST_MS_MAX = 180_000
const PATIENCE = { timeout: 60_000, interval: 20 }
const NODE_BYTES = 10_000
const SESSION_TIMEOUT_MS = 2_000
const FULL = /the disk is full, and writes wait/g
const ROOM = /the disk has room again/g

const skip = reasonToSkipSmallDisks()
let compiled: CompiledPackage

beforeAll(() => {
  compiled = compiledPackage()
}, COMPILE_MS_MAX)

afterAll(() => compiled.remove())

/** Creates large nodes, one after the other. */
class Writer {
  readonly acknowledged: string[] = []
  readonly #client: Client
  readonly #ended: Promise<void>
  #isStopped = false

  constructor(client: Client) {
    this.#client = client
    this.#ended = this.#run()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ended
  }

  async #run(): Promise<void> {
    for (let count = 0; !this.#isStopped && this.#client.state.status !== 'closed'; count++) {
      const path = `/n${count}`
      try {
        await this.#client.create(path, new Uint8Array(NODE_BYTES).fill(count))
        this.acknowledged.push(path)
      } catch (error) {
        if (!(error instanceof CoordinationError)) throw error
      }
    }
  }
}

/** How often the servers have said something. */
function told(ensemble: QuorateEnsemble, what: RegExp): number {
  return ensemble.ids.reduce((sum, id) => sum + [...ensemble.process(id).output().matchAll(what)].length, 0)
}

async function expectThere(ensemble: QuorateEnsemble, paths: readonly string[]): Promise<void> {
  for (const address of ensemble.addresses.split(',')) {
    await using reader = await connect(zookeeper(address), { onError: () => undefined })
    await reader.sync('/')
    const names = new Set((await reader.children('/')).names)
    expect(paths.filter((path) => !names.has(path.slice(1)))).toEqual([])
    const [last] = paths.slice(-1)
    if (last !== undefined) expect((await reader.get(last)).data).toHaveLength(NODE_BYTES)
  }
}

/** A start on a disk without any room ends, says which file it is about, and leaves nothing. */
async function expectRefused(ensemble: QuorateEnsemble): Promise<void> {
  const before = readdirSync(ensemble.dataDir(1))
  ensemble.start()
  await ensemble.process(1).ended
  expect(ensemble.process(1).output()).toContain(`${ensemble.dataDir(1)}/`)
  expect(ensemble.process(1).output()).toContain('the disk is full: make room')
  expect(readdirSync(ensemble.dataDir(1))).toEqual(before)
}

describe.skipIf(skip !== null)(`a small disk that gets full${skip === null ? '' : ` (${skip})`}`, () => {
  async function on(servers: 1 | 3, bytes: number, run: (ensemble: QuorateEnsemble, disk: SmallDisk) => Promise<void>) {
    const disk = await startSmallDisk(bytes)
    disk.takeRoom(MIB)
    const ensemble = await startQuorateEnsemble(compiled, { servers, disk: disk.path })
    try {
      await run(ensemble, disk)
    } finally {
      await ensemble.stop()
      await disk.stop()
    }
  }

  const clientOf = ({ addresses }: QuorateEnsemble): Promise<Client> => {
    return connect(zookeeper(addresses), { sessionTimeoutMs: SESSION_TIMEOUT_MS, onError: () => undefined })
  }

  it('lets a server alone answer reads and keep sessions, and takes nothing that it acknowledged', async () => {
    await on(1, 3 * MIB, async (ensemble, disk) => {
      const [client, other] = [await clientOf(ensemble), await clientOf(ensemble)]
      await other.create('/mine', '', { mode: 'ephemeral' })
      const { sessionId } = other
      const writer = new Writer(client)
      await expect.poll(() => told(ensemble, FULL), PATIENCE).toBe(1)
      const { length } = writer.acknowledged
      expect(length).toBeGreaterThan(0)
      const endMs = performance.now() + 2 * SESSION_TIMEOUT_MS
      while (performance.now() < endMs) expect((await other.get('/n0')).data).toHaveLength(NODE_BYTES)
      expect(writer.acknowledged).toHaveLength(length)
      await expect(other.create('/refused', '', { signal: AbortSignal.timeout(100) })).rejects.toMatchObject({
        code: 'ABORTED',
      })
      disk.makeRoom()
      await expect.poll(() => told(ensemble, ROOM), PATIENCE).toBe(1)
      await expect.poll(() => writer.acknowledged.length, PATIENCE).toBeGreaterThan(length)
      expect((await other.exists('/mine'))?.ephemeralOwner).toBe(sessionId)
      await expect.poll(() => told(ensemble, FULL), PATIENCE).toBe(2)
      await ensemble.process(1).kill()
      await Promise.all([client.close(), other.close(), writer.stop()])
      await expectRefused(ensemble)
      await disk.grow(2 * MIB)
      ensemble.start()
      await ensemble.untilServing()
      await expectThere(ensemble, writer.acknowledged)
    })
  }, TEST_MS_MAX)

  it('has three servers go on when there is room, also after they were killed meanwhile', async () => {
    await on(3, 6 * MIB, async (ensemble, disk) => {
      const client = await clientOf(ensemble)
      const writer = new Writer(client)
      await expect.poll(() => told(ensemble, FULL), PATIENCE).toBeGreaterThanOrEqual(2)
      await Promise.all(ensemble.ids.map((id) => ensemble.process(id).kill()))
      // Its waits end here: were it to go on, it would fill the disk again before all serve.
      await client.close()
      await writer.stop()
      expect(writer.acknowledged.length).toBeGreaterThan(0)
      disk.makeRoom()
      ensemble.start()
      await ensemble.untilServing()
      await expectThere(ensemble, writer.acknowledged)
      await using later = await clientOf(ensemble)
      await later.create('/later', new Uint8Array(NODE_BYTES))
      await expectThere(ensemble, [...writer.acknowledged, '/later'])
    })
  }, TEST_MS_MAX)
})
