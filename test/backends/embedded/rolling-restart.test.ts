/** Three processes under load, each ended by SIGTERM and started again: what that costs their clients. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AtomicCounter, FairLock, connect } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { compiledPackage } from '../../engines/quorate-server.ts'
import type { CompiledPackage } from '../../engines/quorate-server.ts'
import { startQuorateEnsemble } from '../../engines/quorate-ensemble.ts'
import type { QuorateEnsemble } from '../../engines/quorate-ensemble.ts'

const PATIENCE_MS = 120_000
/** Of the configuration: half of ZooKeeper's default. A follower that waits for a silent leader waits for five. */
const TICK_TIME_MS = 1_000
const GAP_MS_MAX = 2 * TICK_TIME_MS
const LOOK_MS = 2
const CLIENTS = 3

let compiled: CompiledPackage
let ensemble: QuorateEnsemble
let clients: Client[] = []

beforeAll(async () => {
  compiled = compiledPackage()
  ensemble = await startQuorateEnsemble(compiled, { tickTimeMs: TICK_TIME_MS })
  const options = { sessionTimeoutMs: 10_000, onError: () => undefined }
  clients = await Promise.all(Array.from({ length: CLIENTS }, () => connect(zookeeper(ensemble.addresses), options)))
}, PATIENCE_MS)

afterAll(async () => {
  await Promise.all(clients.map((client) => client.close()))
  await ensemble.stop()
  compiled.remove()
})

/** Does one thing again and again until it is stopped, and keeps what fails. */
class Load {
  readonly failures: unknown[] = []
  done = 0
  #isStopped = false
  readonly #ended: Promise<void>

  constructor(step: (count: number) => Promise<unknown>) {
    this.#ended = this.#run(step)
  }

  async #run(step: (count: number) => Promise<unknown>): Promise<void> {
    for (let count = 0; !this.#isStopped; count++) {
      await step(count).then(() => (this.done += 1), (error: unknown) => this.failures.push(error))
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ended
  }
}

/** When the output of one of these servers says this so many times, on `performance.now()`. */
async function whenSaid(ids: readonly number[], text: RegExp, count = 1): Promise<number> {
  const said = (id: number): number => [...ensemble.process(id).output().matchAll(text)].length
  await expect.poll(() => ids.some((id) => said(id) >= count), { timeout: PATIENCE_MS, interval: LOOK_MS }).toBe(true)
  return performance.now()
}

/** Ends the leader as an operator would. Resolves with how long nobody led, in milliseconds. */
async function endLeader(leader: number): Promise<number> {
  const others = ensemble.ids.filter((id) => id !== leader)
  const epochs = [...ensemble.process(leader).output().matchAll(/serves, LEADING, epoch (\d+)/g)]
  const next = Number(epochs.at(-1)?.[1]) + 1
  const process = ensemble.process(leader)
  process.signal('SIGTERM')
  const [leftMs, ledMs] = await Promise.all([
    whenSaid([leader], /makes way for another leader/g),
    whenSaid(others, new RegExp(`serves, LEADING, epoch ${next}\\b`, 'g')),
  ])
  expect(await process.ended).toBe(0)
  return ledMs - leftMs
}

async function endFollower(id: number): Promise<void> {
  const process = ensemble.process(id)
  process.signal('SIGTERM')
  expect(await process.ended).toBe(0)
}

describe('a rolling restart of three processes under load', () => {
  it('fails nothing that is safe to repeat, loses no write, and has no leader for two ticks at most', async () => {
    const [first, second, third] = clients as [Client, Client, Client]
    await first.create('/writes', '')
    const acknowledged: string[] = []
    const counter = new AtomicCounter(second, '/counter')
    const lock = new FairLock(third, '/lock')
    const safe = [
      ...clients.map((client) => new Load(() => client.get('/writes'))),
      ...clients.map((client) => new Load(() => client.sync('/writes'))),
      new Load(() => counter.get()),
      new Load(async () => {
        await using lease = await lock.acquire()
        lease.signal.throwIfAborted()
      }),
    ]
    const writes = new Load(async (count) => {
      const path = `/writes/${count}`
      await first.create(path, 'x')
      acknowledged.push(path)
    })
    const gaps: number[] = []
    const restart = async (id: number): Promise<void> => {
      if (id === ensemble.leader) gaps.push(await endLeader(id))
      else await endFollower(id)
      ensemble.start([id])
      await ensemble.untilServing([id])
    }
    for (const id of ensemble.ids) await restart(id)
    await restart(ensemble.leader)
    for (const load of [...safe, writes]) await load.stop()
    expect(safe.flatMap(({ failures }) => failures)).toEqual([])
    for (const { done } of safe) expect(done).toBeGreaterThan(20)
    await first.sync('/')
    const names = new Set((await first.children('/writes')).names.map((name) => `/writes/${name}`))
    expect(acknowledged.filter((path) => !names.has(path))).toEqual([])
    // A write that was on its way may or may not be done, and its caller is told so.
    for (const error of writes.failures) expect(error).toMatchObject({ code: 'CONNECTION_LOSS', outcome: 'unknown' })
    expect(gaps.length).toBeGreaterThanOrEqual(2)
    expect(Math.max(...gaps)).toBeLessThanOrEqual(GAP_MS_MAX)
  }, PATIENCE_MS)
})
