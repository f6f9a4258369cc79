/**
 * Processes with their data on disk that are killed (`kill -9`) under load, again and again: a server alone; one of
 * three servers and all of them at once, in turns.
 *
 * Checked   after each kill, on each server: every node whose creation was acknowledged is there, and none that was
 *           refused. On one, also: each has the data that was written, and was created in the order in which its
 *           session asked; a node that is set again and again has the last value that was acknowledged, or one that was
 *           asked for later. The nodes of a round are still there so many kills later, and are removed then: a start
 *           should not take the longer the longer this goes on.
 * Run       10 times each by default; `QUORATE_KILLS=500` makes it 500.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { CoordinationError, connect } from '../../../src/index.ts'
import type { Client } from '../../../src/index.ts'
import { startQuorateEnsemble } from '../../engines/quorate-ensemble.ts'
import type { QuorateEnsemble } from '../../engines/quorate-ensemble.ts'
import { compiledPackage } from '../../engines/quorate-server.ts'
import type { CompiledPackage } from '../../engines/quorate-server.ts'

const KILLS = Number(process.env['QUORATE_KILLS'] ?? 10)
const MS_EACH_MAX = 30_000
const COMPILE_MS_MAX = 180_000
/** A long run says how far it is. */
const KILLS_A_LINE = 25
const PATIENCE = { timeout: MS_EACH_MAX, interval: 5 }
const WRITERS = 4
const IN_FLIGHT = 8
/** Under load for so long before a kill, at most. */
const LOAD_MS_MAX = 400
/** So many more writes are acknowledged after it. */
const WRITES_AFTER = 20
const SESSION_TIMEOUT_MS = 20_000
const READS_AT_A_TIME = 64
const SET_NAME = 'set'
/** The nodes of so many rounds are there. */
const ROUNDS_KEPT = 20

/** A session that creates one node after the other, with some in flight at a time, and sets one again and again. */
class Writer {
  readonly #created = { acknowledged: new Set<number>(), refused: new Set<number>(), asked: 0 }
  /** By number, the session in which it was asked for and answered; two sessions have no order. */
  readonly #sessions = new Map<number, bigint>()
  /** -1 until there is the node. */
  readonly #set = { acknowledged: -1, asked: -1 }
  readonly #client: Client
  readonly #folder: string
  #isStopped = false
  readonly #ended: Promise<unknown>

  constructor(client: Client, folder: string) {
    this.#client = client
    this.#folder = folder
    this.#ended = Promise.all([this.#keepSetting(), ...Array.from({ length: IN_FLIGHT }, () => this.#keepCreating())])
  }

  get acknowledged(): number {
    return this.#created.acknowledged.size
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ended
  }

  /** Finds acknowledged names that a server lacks, and refused ones that it has. */
  complaintsOfNames(names: ReadonlySet<string>): string[] {
    const lost = [...this.#created.acknowledged].filter((number) => !names.has(String(number)))
    const done = [...this.#created.refused].filter((number) => names.has(String(number)))
    return [...lost.map((number) => `${number} is lost`), ...done.map((number) => `${number} was refused and is there`)]
  }

  /** Finds faults in the data and the order of the nodes of these names. */
  async complaintsOfNodes(reader: Client, names: ReadonlySet<string>): Promise<string[]> {
    const numbers = [...names].filter((name) => name !== SET_NAME).map(Number).sort((a, b) => a - b)
    const nodes = new Map<number, { readonly text: string; readonly czxid: bigint }>()
    await Promise.all(Array.from({ length: READS_AT_A_TIME }, async (_, first) => {
      for (let index = first; index < numbers.length; index += READS_AT_A_TIME) {
        const number = numbers[index] as number
        const { data, stat } = await reader.get(`${this.#folder}/${number}`)
        nodes.set(number, { text: Buffer.from(data).toString(), czxid: stat.czxid })
      }
    }))
    const complaints: string[] = []
    const last = new Map<bigint, bigint>()
    for (const number of numbers) {
      const { text, czxid } = nodes.get(number) ?? { text: '', czxid: -1n }
      if (text !== String(number)) complaints.push(`${number} has the data ${text}`)
      const session = this.#sessions.get(number)
      if (session === undefined) continue
      if (czxid <= (last.get(session) ?? -1n)) complaints.push(`${number} was created before an earlier one`)
      last.set(session, czxid)
    }
    const value = names.has(SET_NAME) ? await valueOf(reader, `${this.#folder}/${SET_NAME}`) : -1
    const { acknowledged, asked } = this.#set
    if (value < acknowledged || value > asked) complaints.push(`${value} was set, not ${acknowledged} to ${asked}`)
    return complaints
  }

  async #keepCreating(): Promise<void> {
    const { acknowledged, refused } = this.#created
    while (!this.#isStopped && this.#client.state.status !== 'closed') {
      const number = this.#created.asked++
      const { sessionId } = this.#client
      const outcome = await outcomeOf(this.#client.create(`${this.#folder}/${number}`, String(number)))
      if (sessionId !== null && sessionId === this.#client.sessionId) this.#sessions.set(number, sessionId)
      if (outcome === 'done') acknowledged.add(number)
      if (outcome === 'rejected' || outcome === 'not-sent') refused.add(number)
    }
  }

  async #keepSetting(): Promise<void> {
    const path = `${this.#folder}/${SET_NAME}`
    while (!this.#isStopped && this.#client.state.status !== 'closed') {
      const number = ++this.#set.asked
      const [text, isThere] = [String(number), this.#set.acknowledged >= 0]
      const outcome = await outcomeOf(isThere ? this.#client.set(path, text) : this.#client.create(path, text))
      if (outcome === 'done') this.#set.acknowledged = number
    }
  }
}

/** Removes the children of a node, some at a time. */
async function removeAll(client: Client, path: string): Promise<void> {
  const { names } = await client.children(path)
  await Promise.all(Array.from({ length: READS_AT_A_TIME }, async (_, first) => {
    for (let index = first; index < names.length; index += READS_AT_A_TIME) {
      await client.delete(`${path}/${names[index] as string}`)
    }
  }))
}

async function valueOf(reader: Client, path: string): Promise<number> {
  return Number(Buffer.from((await reader.get(path)).data).toString())
}

async function outcomeOf(write: Promise<unknown>): Promise<'done' | CoordinationError['outcome']> {
  try {
    await write
    return 'done'
  } catch (error) {
    if (error instanceof CoordinationError) return error.outcome
    throw error
  }
}

/** Kills some of an ensemble's servers under load, and looks at what there is when all of them serve again. */
class Ordeal {
  readonly #ensemble: QuorateEnsemble
  readonly #clients: readonly Client[]
  #rounds = 0
  /** By the folder of a round whose nodes are there, how many creations were acknowledged in it. */
  readonly #acknowledged = new Map<string, number>()
  #writes = 0

  constructor(ensemble: QuorateEnsemble, clients: readonly Client[]) {
    this.#ensemble = ensemble
    this.#clients = clients
  }

  async suffer(ids: readonly number[]): Promise<void> {
    const folder = `/round-${this.#rounds++}`
    const folders = this.#clients.map((_, index) => `${folder}/${index}`)
    const [maker] = this.#clients as [Client]
    await Promise.all(folders.map((path) => maker.makePath(path, { mode: 'persistent' })))
    const writers = this.#clients.map((client, index) => new Writer(client, folders[index] as string))
    const count = (): number => writers.reduce((sum, { acknowledged }) => sum + acknowledged, 0)
    await expect.poll(() => Math.min(...writers.map(({ acknowledged }) => acknowledged)), PATIENCE).toBeGreaterThan(0)
    await delay(Math.random() * LOAD_MS_MAX)
    await Promise.all(ids.map((id) => this.#ensemble.process(id).kill()))
    this.#ensemble.start(ids)
    await this.#ensemble.untilServing(ids)
    const goal = count() + WRITES_AFTER
    await expect.poll(count, PATIENCE).toBeGreaterThanOrEqual(goal)
    await Promise.all(writers.map((writer) => writer.stop()))
    this.#acknowledged.set(folder, count())
    this.#writes += count()
    await this.#everywhere(async (reader, address) => {
      for (const [index, writer] of writers.entries()) {
        const path = folders[index] as string
        const names = new Set((await reader.children(path)).names)
        const complaints = writer.complaintsOfNames(names)
        // The nodes of one server; of the others, that they have them.
        if (this.#ensemble.addresses.startsWith(address)) {
          complaints.push(...(await writer.complaintsOfNodes(reader, names)))
        }
        expect(complaints, `${path} at ${address}, after a kill of ${ids.join()}`).toEqual([])
      }
    })
  }

  /** How many creations were acknowledged. */
  get writes(): number {
    return this.#writes
  }

  /** Sees that later kills have taken nothing of earlier rounds, and removes what is left but for some rounds. */
  async retire(kept: number): Promise<void> {
    const old = [...this.#acknowledged].slice(0, Math.max(0, this.#acknowledged.size - kept))
    for (const [folder, acknowledged] of old) {
      const folders = this.#clients.map((_, index) => `${folder}/${index}`)
      await this.#everywhere(async (reader) => {
        const lists = await Promise.all(folders.map((path) => reader.children(path)))
        const found = lists.reduce((sum, { names }) => sum + names.length, 0)
        expect(found, folder).toBeGreaterThanOrEqual(acknowledged)
      })
      await Promise.all(this.#clients.map((client, index) => removeAll(client, folders[index] as string)))
      this.#acknowledged.delete(folder)
    }
  }

  async #everywhere(look: (reader: Client, address: string) => Promise<void>): Promise<void> {
    await Promise.all(this.#ensemble.addresses.split(',').map(async (address) => {
      await using reader = await connect(zookeeper(address), { onError: () => undefined })
      await reader.sync('/')
      await look(reader, address)
    }))
  }
}

let compiled: CompiledPackage

beforeAll(() => {
  compiled = compiledPackage()
}, COMPILE_MS_MAX)

afterAll(() => compiled.remove())

/** Who is killed, by the number of the kill. */
type Victims = (kill: number, ensemble: QuorateEnsemble) => number[]

async function sufferAll(servers: 1 | 3, victims: Victims): Promise<void> {
  const ensemble = await startQuorateEnsemble(compiled, { servers })
  const clients = await Promise.all(Array.from({ length: WRITERS }, () => {
    return connect(zookeeper(ensemble.addresses), { sessionTimeoutMs: SESSION_TIMEOUT_MS, onError: () => undefined })
  }))
  try {
    const ordeal = new Ordeal(ensemble, clients)
    for (let kill = 0; kill < KILLS; kill++) {
      await ordeal.suffer(victims(kill, ensemble))
      await ordeal.retire(ROUNDS_KEPT)
      const kills = `${kill + 1} kills of ${servers === 1 ? 'a server alone' : 'three servers'}`
      if ((kill + 1) % KILLS_A_LINE === 0) console.log(`${kills}: ${ordeal.writes} writes, none lost`)
    }
    await ordeal.retire(0)
  } finally {
    await Promise.all(clients.map((client) => client.close()))
    await ensemble.stop()
  }
}

describe('processes that are killed under load lose nothing that they acknowledged', () => {
  it('a server alone', () => sufferAll(1, () => [1]), KILLS * MS_EACH_MAX)

  it('three servers, of which one is killed and then all at once', () => {
    return sufferAll(3, (kill, { ids, leader }) => {
      if (kill % 2 === 1) return [...ids]
      return [kill % 4 === 0 ? leader : (ids[(kill / 2) % ids.length] ?? leader)]
    })
  }, KILLS * MS_EACH_MAX)
})
