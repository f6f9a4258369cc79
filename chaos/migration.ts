/**
 * Three servers of ZooKeeper become three of ours, one after the other, each on its own data directory and while
 * clients write, read, lock and watch; then they become ZooKeeper's again.
 *
 * Steps      those of docs/operations.md: SIGTERM, the other kind with the same configuration, a check; followers
 *            first, the leader last.
 * Each step  all three serve, and each has every node whose creation was acknowledged.
 * Half way   and at the end: all trees are equal to the stat, registers are linearizable, and each client has the
 *            session that it began with, and its ephemeral node.
 * Always     no client is told of anything worse than a lost connection.
 */
import { dirname } from 'node:path/posix'
import { setTimeout as delay } from 'node:timers/promises'
import { zookeeper } from '../src/backends/zookeeper/index.ts'
import { connect } from '../src/index.ts'
import { SeededRandom } from '../src/testing/simulation/random.ts'
import type { MixedEnsemble } from '../test/engines/mixed-ensemble.ts'
import { complaintsOf, dumpOf } from './checks.ts'
import { Load } from './load.ts'
import type { LoadOptions } from './load.ts'

/** A client that is at a server that ends finds another one in much less. */
const SESSION_TIMEOUT_MS = 20_000
/** Of what kind servers are. */
const NAMES = { ours: 'Quorate', theirs: 'ZooKeeper' } as const
type Kind = keyof typeof NAMES

/** Found in a migration. */
export interface Migrated {
  readonly complaints: readonly string[]
  /** Nodes whose creation was acknowledged. */
  readonly created: number
  /** Creations that were done again, since the answer to the first attempt was lost. */
  readonly repeated: number
  /** The longest time without an acknowledged write. */
  readonly withoutMs: number
}

/** One way there and back. */
export class Migration {
  readonly #ensemble: MixedEnsemble
  readonly #load: Load
  readonly #tell: (line: string) => void
  readonly #complaints: string[] = []

  /**
   * Makes a migration of three servers of ZooKeeper that serve.
   *
   * @param tell - is called with a line for each step
   * @param load - less load than that of the chaos
   */
  constructor(
    ensemble: MixedEnsemble,
    seed: number,
    tell: (line: string) => void,
    load: Pick<LoadOptions, 'clients' | 'pauseMs'> = {},
  ) {
    this.#ensemble = ensemble
    this.#tell = tell
    const violated = (what: string): void => void this.#complaints.push(what)
    const options = { ...load, sessionTimeoutMs: SESSION_TIMEOUT_MS, isSpared: true }
    this.#load = new Load(ensemble.ids.map((id) => ensemble.address(id)), new SeededRandom(seed), violated, options)
  }

  /**
   * Goes there and back.
   *
   * @param workMs - how long clients work between two steps
   */
  async run(workMs: number): Promise<Migrated> {
    try {
      await this.#load.start()
      for (const kind of ['ours', 'theirs'] as const) {
        for (const id of await this.#followersFirst()) {
          await delay(workMs)
          await this.#become(id, kind)
        }
        await delay(workMs)
        await this.#compare(kind)
      }
      await this.#load.stop()
    } finally {
      await this.#load.close()
    }
    const { created, repeated, withoutMs } = this.#load.told
    return { complaints: this.#complaints, created: created.length, repeated, withoutMs: Math.round(withoutMs) }
  }

  async #followersFirst(): Promise<number[]> {
    const leader = await this.#ensemble.leader()
    return [...this.#ensemble.ids.filter((id) => id !== leader), leader]
  }

  async #become(id: number, kind: Kind): Promise<void> {
    const ensemble = this.#ensemble
    const before = await ensemble.role(id)
    await ensemble.end(id)
    ensemble.become(id, kind)
    await ensemble.start(id)
    await Promise.all(ensemble.ids.map((each) => ensemble.untilServing(each)))
    const acknowledged = [...this.#load.told.created]
    const lost = (await Promise.all(ensemble.ids.map((each) => missing(ensemble.address(each), acknowledged)))).flat()
    if (lost.length > 0) this.#complaints.push(`${lost.length} acknowledged nodes are lost, such as ${lost[0]}`)
    const found = `${acknowledged.length} nodes on each server, ${this.#complaints.length} found`
    this.#tell(`server ${id}, ${before}, is ${NAMES[kind]}'s now, ${await ensemble.role(id)}: ${found}`)
  }

  /** Has the clients stand still and compares all servers. */
  async #compare(kind: Kind): Promise<void> {
    await this.#load.pause()
    const { ids } = this.#ensemble
    const dumps = await Promise.all(ids.map((id) => dumpOf(this.#ensemble.address(id))))
    this.#complaints.push(...complaintsOf(dumps, this.#load.told, { present: this.#load.told.present }))
    for (const id of ids) {
      const [mismatches] = /zk_digest_mismatches_count\t[1-9]\d*/.exec(await this.#ensemble.ask(id, 'mntr')) ?? []
      if (mismatches !== undefined) this.#complaints.push(`server ${id}: ${mismatches}`)
    }
    const found = `${dumps[0]?.size ?? 0} nodes compared on each, ${this.#complaints.length} found`
    this.#tell(`three servers of ${NAMES[kind]}: ${found}`)
    this.#load.resume()
  }
}

/** The nodes that a server does not have, of those with this path, after a sync. */
async function missing(address: string, paths: readonly string[]): Promise<string[]> {
  await using client = await connect(zookeeper(address), { onError: () => undefined })
  await client.sync('/')
  const parents = new Set(paths.map((path) => dirname(path)))
  const there = new Set<string>()
  for (const parent of parents) {
    for (const name of (await client.children(parent)).names) there.add(`${parent}/${name}`)
  }
  return paths.filter((path) => !there.has(path)).map((path) => `${path} on ${address}`)
}
