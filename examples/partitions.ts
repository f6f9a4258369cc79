/**
 * Partitions: three workers share out twelve tenants, and each tenant's counter is kept by one of them at a time.
 *
 * Use       `node dist-examples/examples/partitions.js` after `npm run build:examples`
 * Story     three servers and three workers. A fourth worker comes. The session of one is killed in the middle of its
 *           work. One leaves in order. Each counter refuses a smaller token than it has seen.
 * Checks    no use of a counter is by an owner who has let go of it; nothing moves between workers that
 *           stay; every tenant has one owner at each rest; tokens grow from owner to owner.
 * Status    0; 1 if any check fails.
 */
import { realpathSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { connect, Partitioner } from 'quorate'
import type { Assignment, Client } from 'quorate'
import { embedded } from 'quorate/embedded'

/** The result of a run. */
export interface PartitionsReport {
  /** Each check, and whether it holds. */
  readonly checks: Readonly<Record<string, boolean>>
  /** The owner of each tenant at each rest. */
  readonly rests: readonly ReadonlyMap<string, string>[]
  /** How often a counter was used, and how often one refused an old token. */
  readonly used: number
  readonly refused: number
}

const TENANTS = 12
const POLL_MS = 5
const REST_MS_MAX = 30_000
const REVOKE_MS = 10
const PATH = '/partitions/tenants'

/** The counter of one tenant, which guards itself. */
class Counter {
  used = 0
  refused = 0
  /** Uses by two owners with one token. */
  shared = 0
  #latest = { owner: '', token: -1n }

  /** Counts, unless a later owner was here before. */
  add(owner: string, token: bigint): void {
    if (token < this.#latest.token) {
      this.refused += 1
      return
    }
    if (token === this.#latest.token && owner !== this.#latest.owner) this.shared += 1
    this.#latest = { owner, token }
    this.used += 1
  }
}

/** One worker: it uses the counters of the tenants that it owns, turn by turn. */
class Worker {
  readonly name: string
  readonly client: Client
  readonly partitioner: Partitioner
  /** How often it worked on something that it had let go of. */
  strays = 0
  readonly #counters: ReadonlyMap<string, Counter>
  /** Tokens of what it has let go of. */
  readonly #released = new Set<bigint>()
  #isOver = false

  constructor(name: string, client: Client, counters: ReadonlyMap<string, Counter>) {
    this.name = name
    this.client = client
    this.#counters = counters
    const onRevoke = async ({ token }: Assignment): Promise<void> => {
      await delay(REVOKE_MS)
      this.#released.add(token)
    }
    this.partitioner = new Partitioner(client, PATH, { id: name, count: TENANTS, onRevoke })
    void this.#work()
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.partitioner.stop()
    await this.client.close()
  }

  async #work(): Promise<void> {
    while (!this.#isOver) {
      for (const assignment of this.partitioner.assignments.values()) this.#use(assignment)
      await delay(1)
    }
  }

  #use({ item, token, state }: Assignment): void {
    if (state !== 'held') return
    if (this.#released.has(token)) this.strays += 1
    this.#counters.get(item)?.add(this.name, token)
  }
}

/**
 * Runs the story on three servers of its own.
 *
 * @returns the result of the run
 */
export async function runPartitions(): Promise<PartitionsReport> {
  await using ensemble = embedded({ servers: 3 })
  const counters = new Map(Array.from({ length: TENANTS }, (_, index) => [String(index), new Counter()]))
  const hire = async (name: string): Promise<Worker> => {
    const worker = new Worker(name, await connect(ensemble), counters)
    await worker.partitioner.start()
    return worker
  }
  const workers = await Promise.all(['ann', 'bob', 'cid'].map(hire))
  const first = await rest(workers)
  workers.push(await hire('dan'))
  const second = await rest(workers)
  const [victim] = workers
  const lost = [...(victim?.partitioner.assignments.values() ?? [])]
  ensemble.expireSession(victim?.client.sessionId ?? 0n)
  await until(() => lost.every(({ signal }) => signal.aborted), 'the victim is told')
  const third = await rest(workers)
  const leaver = workers.pop()
  await leaver?.stop()
  const fourth = await rest(workers)
  await Promise.all(workers.map((worker) => worker.stop()))

  const rests = [first, second, third, fourth]
  const all = [...counters.values()]
  const moved = (before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] => {
    return [...after].filter(([item, owner]) => before.get(item) !== owner).map(([item]) => item)
  }
  const everyone = [...workers, ...(leaver === undefined ? [] : [leaver])]
  return {
    checks: {
      'every tenant has one owner at each rest': rests.every(({ size }) => size === TENANTS),
      'who comes takes from the others, and nothing else moves':
        moved(first, second).length > 0 && moved(first, second).every((item) => second.get(item) === 'dan'),
      'after a killed session everything is where it was': moved(second, third).length === 0,
      'who leaves gives to the others, and nothing else moves':
        moved(third, fourth).every((item) => third.get(item) === 'dan'),
      'no two owners have one token': all.every(({ shared }) => shared === 0),
      'nobody works on what it has let go of': everyone.every(({ strays }) => strays === 0),
      'every counter was used, and none refused a token': all.every(({ used, refused }) => used > 0 && refused === 0),
    },
    rests,
    used: all.reduce((sum, { used }) => sum + used, 0),
    refused: all.reduce((sum, { refused }) => sum + refused, 0),
  }
}

/** Waits until every tenant is owned, and by the same workers for a while, and tells by whom. */
async function rest(workers: readonly Worker[]): Promise<ReadonlyMap<string, string>> {
  const owned = (): readonly (readonly [string, string])[] => {
    return workers.flatMap(({ name, partitioner }) => {
      return [...partitioner.assignments.keys()].map((item) => [item, name] as const)
    })
  }
  let [seen, sinceMs] = ['', 0]
  await until(() => {
    const now = String(owned())
    if (now !== seen) [seen, sinceMs] = [now, performance.now()]
    return owned().length === TENANTS && performance.now() - sinceMs > 100 * POLL_MS
  }, 'every tenant is owned')
  return new Map(owned())
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + REST_MS_MAX
  while (!condition()) {
    if (performance.now() > endMs) throw new Error(`still not so after ${REST_MS_MAX} ms: ${what}`)
    await delay(POLL_MS)
  }
}

// A link may lead here.
const [, program] = process.argv
if (program !== undefined && realpathSync(program) === fileURLToPath(import.meta.url)) {
  const { checks, used } = await runPartitions()
  for (const [check, holds] of Object.entries(checks)) console.log(`${holds ? 'ok  ' : 'FAIL'} ${check}`)
  console.log(`${used} uses of ${TENANTS} counters`)
  process.exitCode = Object.values(checks).every(Boolean) ? 0 : 1
}
