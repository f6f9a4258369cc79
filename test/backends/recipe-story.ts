/**
 * Three clients at work with all recipes while something happens to their engine, and the record of it.
 *
 * Locks     each client takes both locks in turns, and uses what they guard twice each time: right after it got the
 *           lock, and a turn of the event loop later. Before each use it asks its lease whether it is still held.
 * Leaders   likewise: whoever leads uses what leaders use, and resigns.
 * Counters  each client adds one again and again to one counter.
 * Config    one client publishes a number after the other, all subscribe.
 * Members   each client joins, all subscribe.
 * Kept      see kept-story.ts.
 * Parts     all other recipes: see stories/part.ts.
 */
import { ConfigCenter, ExclusiveLock, FairLock, GroupMembership, isCoordinationError } from '../../src/index.ts'
import { AtomicCounter, LeaderElection } from '../../src/index.ts'
import type { Client } from '../../src/index.ts'
import { eventually, within } from '../../src/testing/conformance/expect.ts'
import { KEPT_PATHS, KeptActs } from './kept-story.ts'
import type { KeptRecord } from './kept-story.ts'
import type { Book } from './stories/book.ts'
import { Cast } from './stories/cast.ts'
import { tolerated } from './stories/part.ts'

/** A resource that a lock guards: it takes down who used it, and refuses a token below one that it has seen. */
export class Resource {
  /** Leases by their tokens, in the order of their first use. */
  readonly tokens: bigint[] = []
  /** Uses whose token was overtaken. */
  refused = 0
  /** Tokens that were given to two leases. */
  repeated = 0

  /** Uses it; `isFirst` for the first use under a lease. */
  use(token: bigint, isFirst: boolean): void {
    const greatest = this.tokens.at(-1) ?? -1n
    if (isFirst && this.tokens.includes(token)) this.repeated += 1
    if (token < greatest) this.refused += 1
    else if (isFirst) this.tokens.push(token)
  }
}

/** The record of a lock. */
export interface LockRecord {
  readonly resource: Resource
  /** How often each client got it after the fault. */
  readonly roundsBehind: readonly number[]
  /** Nodes under its path when every client was closed. */
  readonly leftBehind: readonly string[]
}

/** The record of a counter. */
export interface CounterRecord {
  /** The numbers before each step that was confirmed. */
  readonly befores: readonly bigint[]
  /** How many steps it is not known of whether they were made. */
  readonly unknown: number
  /** The number in the end. */
  readonly last: bigint
}

/** The record of all recipes. */
export interface StoryRecord {
  readonly fair: LockRecord
  readonly exclusive: LockRecord
  readonly leader: LockRecord
  readonly counter: CounterRecord
  /** The values that each subscriber was told. */
  readonly values: readonly (readonly number[])[]
  /** The value that was published last. */
  readonly lastValue: number
  /** The members that each client saw at last, by id. */
  readonly members: readonly (readonly string[])[]
  /** Nodes under the path of the group when every client was closed. */
  readonly membersLeftBehind: readonly string[]
  readonly kept: KeptRecord
  /** Nodes under each path of what is kept when every client was closed, by recipe. */
  readonly keptLeftBehind: Readonly<Record<keyof typeof KEPT_PATHS, readonly string[]>>
  /** The problems of all parts. */
  readonly book: Book
}

/** The engine of a story, and the fault. */
export interface Stage {
  /** Connects a client. */
  readonly connect: () => Promise<Client>
  /** Injects the fault; resolves when it is over. */
  readonly strike: (clients: readonly Client[]) => Promise<void>
  /** How long the story waits for what has to happen, in milliseconds. */
  readonly patienceMs: number
}

/** Ids of the members. */
export const MEMBERS: readonly string[] = ['member-1', 'member-2', 'member-3']

const FAIR_PATH = '/story/fair'
const EXCLUSIVE_PATH = '/story/exclusive'
const LEADER_PATH = '/story/leader'
const COUNTER_PATH = '/story/counter'
const CONFIG_PATH = '/story/config'
const GROUP_PATH = '/story/group'
/** How often everyone gets each lock before the fault, and after it. */
const ROUNDS = 3
const REST_MS = 20

/** Runs the story. Rejects if anyone waits too long. */
export async function runStory({ connect, strike, patienceMs }: Stage): Promise<StoryRecord> {
  const until = (condition: () => boolean | Promise<boolean>, promise: string): Promise<void> => {
    return eventually(condition, promise, patienceMs)
  }
  const clients = await Promise.all(MEMBERS.map(() => connect()))
  const fair = new Contest(clients.map((client) => new FairLock(client, FAIR_PATH)))
  const exclusive = new Contest(clients.map((client) => new ExclusiveLock(client, EXCLUSIVE_PATH)))
  const leader = new Contest(clients.map((client) => {
    const election = new LeaderElection(client, LEADER_PATH, { data: 'it leads' })
    return { acquire: () => election.campaign() }
  }))
  const [publisher, ...rest] = clients.map((client) => new ConfigCenter<number>(client, CONFIG_PATH))
  const values = [publisher, ...rest].map((config) => valuesOf(config))
  const publishing = new Publishing(publisher)
  const counting = new Counting(clients)
  const views = await Promise.all(clients.map((client, index) => joinAndWatch(client, MEMBERS[index] ?? '')))
  const contests = [fair, exclusive, leader]
  const kept = await KeptActs.begin(clients, MEMBERS)
  const cast = await Cast.begin(clients, patienceMs)

  await until(() => contests.every((contest) => contest.isServed), 'everyone gets the locks before the fault')
  await until(() => kept.isSettled, 'all that is kept is there before the fault')
  await cast.served('before the fault')
  for (const contest of contests) contest.contendOn()
  await strike(clients)
  for (const contest of contests) contest.contend(ROUNDS)
  await until(() => contests.every((contest) => contest.isServed), 'everyone gets the locks behind the fault')
  await cast.served('after the fault')
  await cast.conclude()
  await within(counting.end(), 'the last step of the counter', patienceMs)
  const lastValue = await within(publishing.end(), 'the last publication', patienceMs)
  await until(() => values.every((told) => told.at(-1) === lastValue), 'subscribers converge')
  await until(() => views.every((view) => String(view.members) === String(MEMBERS)), 'everyone sees all members')
  const members = views.map((view) => [...view.members])
  await until(() => kept.isSettled, 'all that is kept is there after the fault')
  const keptRecord = kept.record
  kept.end()
  await within(Promise.all(contests.map((contest) => contest.end())), 'the end of the work', patienceMs)
  await within(Promise.all(clients.map((client) => client.close())), 'the close of all clients', patienceMs)
  await within(cast.ended(), 'the end of all parts', patienceMs)

  const look = await connect()
  const left = async (path: string): Promise<readonly string[]> => {
    // A session that was closed out of touch ends at its time-out.
    await until(async () => (await namesUnder(look, path)).length === 0, 'nothing is left').catch(() => undefined)
    return namesUnder(look, path)
  }
  const record = {
    fair: { ...fair.record, leftBehind: await left(FAIR_PATH) },
    exclusive: { ...exclusive.record, leftBehind: await left(EXCLUSIVE_PATH) },
    leader: { ...leader.record, leftBehind: await left(LEADER_PATH) },
    membersLeftBehind: await left(GROUP_PATH),
    counter: { ...counting.steps, last: await new AtomicCounter(look, COUNTER_PATH).get() },
    kept: keptRecord,
    keptLeftBehind: {
      nodes: await left(KEPT_PATHS.nodes),
      services: await left(KEPT_PATHS.services),
      items: await left(KEPT_PATHS.items),
    },
  }
  const book = await cast.close(look)
  await look.close()
  return { ...record, values, lastValue, members, book }
}

/** The lock that a contest is about. */
interface Prize {
  acquire(): Promise<AsyncDisposable & { readonly token: bigint; throwIfLost(): void }>
}

/**
 * Clients that take one lock in turns: each so many times, or on and on. An exclusive lock has no order, so whoever has
 * had its share stands back.
 */
class Contest {
  readonly #resource = new Resource()
  readonly #rounds: number[]
  readonly #loops: readonly Promise<void>[]
  #share = ROUNDS
  #isOver = false

  constructor(locks: readonly Prize[]) {
    this.#rounds = locks.map(() => 0)
    this.#loops = locks.map((lock, index) => this.#work(lock, index))
  }

  /** Whether everyone has had its share. */
  get isServed(): boolean {
    return this.#rounds.every((rounds) => rounds >= this.#share)
  }

  /** Everyone takes the lock again and again. */
  contendOn(): void {
    this.#share = Infinity
  }

  /** Everyone takes the lock so many times from here. */
  contend(share: number): void {
    this.#rounds.fill(0)
    this.#share = share
  }

  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#loops)
  }

  get record(): Omit<LockRecord, 'leftBehind'> {
    return { resource: this.#resource, roundsBehind: [...this.#rounds] }
  }

  async #work(lock: Prize, index: number): Promise<void> {
    while (!this.#isOver) {
      if ((this.#rounds[index] ?? 0) < this.#share) await tolerated(() => this.#round(lock, index))
      await rest()
    }
  }

  async #round(lock: Prize, index: number): Promise<void> {
    await using lease = await lock.acquire()
    lease.throwIfLost()
    this.#resource.use(lease.token, true)
    await turn()
    lease.throwIfLost()
    this.#resource.use(lease.token, false)
    this.#rounds[index] = (this.#rounds[index] ?? 0) + 1
  }
}

/** Clients that add to one counter, on and on. */
class Counting {
  readonly steps = { befores: [] as bigint[], unknown: 0 }
  readonly #loops: readonly Promise<void>[]
  #isOver = false

  constructor(clients: readonly Client[]) {
    this.#loops = clients.map((client) => this.#count(new AtomicCounter(client, COUNTER_PATH)))
  }

  async end(): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#loops)
  }

  async #count(counter: AtomicCounter): Promise<void> {
    while (!this.#isOver) {
      try {
        this.steps.befores.push((await counter.add(1)).before)
      } catch (error) {
        if (!isCoordinationError(error)) throw error
        if (error.outcome === 'unknown') this.steps.unknown += 1
      }
      await rest()
    }
  }
}

/** Publishes one number after the other. */
class Publishing {
  readonly #config: ConfigCenter<number>
  readonly #loop: Promise<void>
  #value = 0
  #isOver = false

  constructor(config: ConfigCenter<number> | undefined) {
    if (config === undefined) throw new TypeError('there is nobody to publish')
    this.#config = config
    this.#loop = this.#run()
  }

  /** Publishes a last number, however often that takes, and returns it. */
  async end(): Promise<number> {
    this.#isOver = true
    await this.#loop
    const last = this.#value + 1
    while (!(await tolerated(() => this.#config.publish(last)))) await turn()
    return last
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      this.#value += 1
      await tolerated(() => this.#config.publish(this.#value))
      await rest()
    }
  }
}

/** Subscribes, and takes down what it is told. */
function valuesOf(config: ConfigCenter<number> | undefined): readonly number[] {
  const told: number[] = []
  config?.subscribe(({ value }) => {
    if (value !== undefined) told.push(value)
  })
  return told
}

async function joinAndWatch(client: Client, id: string): Promise<{ readonly members: readonly string[] }> {
  const group = new GroupMembership(client, GROUP_PATH)
  const view: { members: readonly string[] } = { members: [] }
  group.subscribe(({ members }) => {
    view.members = members.map((member) => member.id).sort()
  })
  await group.join(id)
  return view
}

async function namesUnder(client: Client, path: string): Promise<readonly string[]> {
  try {
    await client.sync()
    return (await client.children(path)).names
  } catch (error) {
    // A container that became empty is gone.
    if (isCoordinationError(error, 'NO_NODE')) return []
    throw error
  }
}

/** All of them share one process: nobody keeps it to itself, least of all one whose calls fail at once. */
function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, REST_MS))
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0))
}
