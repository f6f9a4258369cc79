/**
 * Caches in use: clients follow a small tree and the children of its root, while they create, write, delete and move
 * its nodes, one at a time and several at once.
 *
 * Callbacks  some followers are slow and miss states; some close their cache from within a listener beside them, and
 *            begin again.
 * End        everybody has the last state, in time.
 */
import type { Operation } from '../../src/core/backend.ts'
import type { Client } from '../../src/core/client.ts'
import type { CacheChange } from '../../src/recipes/caches/cache-base.ts'
import { ChildrenCache } from '../../src/recipes/caches/children-cache.ts'
import { TreeCache } from '../../src/recipes/caches/tree-cache.ts'
import { CachesCheck } from '../checks/caches.ts'
import type { CacheFollower, CacheKind } from '../checks/caches.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { ClientLife, MakeWorkload } from '../workload.ts'
import { attempt, eventually } from './attempt.ts'
import { Ear } from './ear.ts'

/** Times are in ticks. */
const PAUSE_TICKS_MAX = 6
const SLOW_TICKS_MAX = 10
const SLOW_CHANCE = 0.1
const MISCHIEF_CHANCE = 0.03
/** How long a follower may take to the last state once there is service. */
const CONVERGED_TICKS = 2_000
const ROOT = '/cached'
/** Parents stand before their children. */
const PATHS: readonly string[] = Object.freeze([ROOT, `${ROOT}/a`, `${ROOT}/a/1`, `${ROOT}/a/2`, `${ROOT}/b`])
const KINDS: readonly CacheKind[] = Object.freeze(['tree', 'children'])

const encoder = new TextEncoder()

/** Makes the workload `caches`. */
export const makeCaches: MakeWorkload = ({ ledger, probes }) => {
  const check = new CachesCheck(ledger, ROOT)
  const program = (client: Client, life: ClientLife): Promise<void> => new CacheUser(client, life, check, probes).run()
  return { name: 'caches', checks: [check], hunted: ROOT, program }
}

/** A cache, and who follows it. */
interface Following {
  readonly cache: TreeCache | ChildrenCache
  readonly follower: CacheFollower
  readonly ears: readonly Ear<CacheChange>[]
}

/** One life of one client. */
class CacheUser {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #check: CachesCheck
  readonly #probes: Probes
  readonly #followings: Following[] = []
  #caches = 0
  #writes = 0

  constructor(client: Client, life: ClientLife, check: CachesCheck, probes: Probes) {
    this.#client = client
    this.#life = life
    this.#check = check
    this.#probes = probes
  }

  async run(): Promise<void> {
    const { random } = this.#life
    for (const kind of KINDS) this.#follow(kind)
    while (!this.#life.isEnding()) {
      await attempt(() => this.#write())
      if (random.chance(0.02)) await this.#followAnew(random.pick(this.#followings))
      const isInTouch = this.#client.state.status === 'connected'
      for (const { follower, cache } of this.#followings) this.#check.looked(follower, cache.stale, isInTouch)
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
    const { name } = this.#check
    for (const { follower } of this.#followings) {
      const describe = (): string => `CC1: ${follower.name} was not told of the last state`
      await eventually(name, CONVERGED_TICKS * this.#life.tickMs, () => this.#check.isUpToDate(follower), describe)
    }
  }

  /** Writes something, which may be refused: nobody knows for sure what is there. */
  async #write(): Promise<void> {
    const { random } = this.#life
    const path = random.pick(PATHS)
    const writes: (() => Promise<unknown>)[] = [
      () => this.#client.create(path, this.#text()),
      () => this.#client.set(path, this.#text()),
      () => this.#client.delete(path),
      () => this.#client.multi(PATHS.map((each) => this.#set(each))),
      () => this.#client.multi([{ type: 'delete', path, version: -1 }, this.#create(path)]),
      () => this.#client.multi(PATHS.map((each) => this.#create(each))),
      () => this.#client.multi([...PATHS].reverse().map((each) => ({ type: 'delete', path: each, version: -1 }))),
    ]
    await random.pick(writes)()
  }

  #set(path: string): Operation {
    return { type: 'set', path, data: encoder.encode(this.#text()), version: -1 }
  }

  #create(path: string): Operation {
    return { type: 'create', path, data: encoder.encode(this.#text()), mode: 'persistent' }
  }

  #text(): string {
    this.#writes += 1
    return `${this.#life.node.name}-${this.#writes}`
  }

  #follow(kind: CacheKind): void {
    const { random, node } = this.#life
    this.#caches += 1
    const cache = kind === 'tree' ? new TreeCache(this.#client, ROOT) : new ChildrenCache(this.#client, ROOT)
    const name = `${node.name}'s follower ${this.#caches} of the ${kind}`
    const follower = { name, kind, moment: -1, nodes: new Map<string, string>() }
    const told = new Ear<CacheChange>(name, async (change) => {
      if (change.resync) this.#probes.hit('cache-resync')
      if (change.removed.some(({ path }) => change.added.some((made) => made.path === path))) {
        this.#probes.hit('cache-node-remade')
      }
      this.#check.told(follower, change)
      if (random.chance(SLOW_CHANCE)) await this.#life.sleep(random.unit() * SLOW_TICKS_MAX)
    })
    const mischievous = new Ear<CacheChange>(`a listener beside ${name}`, () => {
      if (random.chance(MISCHIEF_CHANCE) && !this.#life.isEnding()) void this.#followAnew(following)
    })
    const ears = random.chance(0.5) ? [told, mischievous] : [mischievous, told]
    for (const ear of ears) cache.subscribe(ear.hear)
    const following = { cache, follower, ears }
    this.#followings.push(following)
  }

  async #followAnew(following: Following): Promise<void> {
    const index = this.#followings.indexOf(following)
    if (index === -1) return
    const closing = following.cache.close()
    for (const ear of following.ears) ear.over()
    this.#followings.splice(index, 1)
    this.#follow(following.follower.kind)
    await closing
  }
}
