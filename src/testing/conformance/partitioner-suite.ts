/**
 * The conformance suite of partitioners: each item has one owner at a time, everything is owned when it is calm, and
 * little moves.
 *
 * Use       partitionerSuite({ describe, it }, { name: 'mine', connect, makePartitioner: (client, path, o) => ... })
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** An item that a member owns. */
export interface TestedAssignment {
  /** The item. */
  readonly item: string
  /** Grows from owner to owner. */
  readonly token: bigint
  /** Aborted when it is lost or given away. */
  readonly signal: AbortSignal
}

/** One member of those that share out items. */
export interface TestedPartitioner {
  /** Its present assignments, by item. */
  readonly assignments: ReadonlyMap<string, TestedAssignment>
  /** Joins; rejects with `MEMBER_EXISTS` if another has the id. */
  start(): Promise<void>
  /** Lets go of everything, and leaves. Idempotent. */
  stop(): Promise<void>
}

/** How a partitioner is made. */
export interface TestedPartitionerOptions {
  /** The member's name. */
  readonly id: string
  /** The items, or `count`. */
  readonly items?: readonly string[]
  /** How many items there are, or `items`. */
  readonly count?: number
  /** Called and waited for before an item is let go of. */
  readonly onRevoke?: (assignment: TestedAssignment) => void | Promise<void>
}

/** The subject and options of {@link partitionerSuite}. */
export interface PartitionerSuiteOptions extends RecipeSuiteOptions {
  /** Makes a member's side of the partitioner at a path; nothing may be there yet. */
  readonly makePartitioner: (client: Client, path: string, options: TestedPartitionerOptions) => TestedPartitioner
}

interface ShareWorld {
  readonly world: RecipeWorld
  /** Connects a client, makes its member and starts it. */
  readonly open: (options: TestedPartitionerOptions) => Promise<Opened>
}

interface Opened {
  readonly client: Client
  readonly member: TestedPartitioner
}

const COUNT = 16
const MEMBERS = 4

const peaceCases: readonly Case<ShareWorld>[] = [
  {
    name: 'one member owns every item',
    run: async ({ world, open }) => {
      const { member } = await open({ id: 'a', items: ['x', 'y', 'z'] })
      await world.eventually(() => itemsOf(member) === 'x y z', 'it owns all')
    },
  },
  {
    name: 'several members own every item, each item once, and no token comes twice',
    run: async ({ world, open }) => {
      const opened = await openMany(open, MEMBERS)
      await untilCalm(world, opened)
      const owned = opened.flatMap(({ member }) => [...member.assignments.values()])
      equal(new Set(owned.map(({ token }) => token)).size, COUNT, 'number of tokens')
      ok(opened.every(({ member }) => member.assignments.size > 0), 'nobody is idle')
    },
  },
  {
    name: 'who comes takes its share from the others, and nothing moves between those',
    run: async ({ world, open }) => {
      const opened = await openMany(open, MEMBERS - 1)
      await untilCalm(world, opened)
      const before = ownersOf(opened)
      const all = [...opened, await open({ id: 'late', count: COUNT })]
      await untilCalm(world, all)
      const after = ownersOf(all)
      const moved = [...after].filter(([item, owner]) => before.get(item) !== owner)
      ok(moved.length > 0 && moved.length < COUNT, 'some items move, and not all')
      equal(moved.filter(([, owner]) => owner !== MEMBERS - 1), [], 'items that moved between those who stay')
    },
  },
  {
    name: 'who stops gives its items to the others, and nothing else moves',
    run: async ({ world, open }) => {
      const opened = await openMany(open, MEMBERS)
      await untilCalm(world, opened)
      const before = ownersOf(opened)
      const [first, ...rest] = opened
      await Promise.all([first?.member.stop(), first?.member.stop()])
      equal(first?.member.assignments.size, 0, 'number of items of who stopped')
      await untilCalm(world, rest)
      const after = ownersOf(rest)
      const moved = [...after].filter(([item, owner]) => before.get(item) !== owner + 1)
      equal(moved.filter(([item]) => before.get(item) !== 0), [], 'items of others that moved')
    },
  },
  {
    name: 'an item is not handed over before onRevoke has ended, and its token grows',
    run: async ({ world, open }) => {
      const revoking = new Map<string, () => void>()
      const onRevoke = ({ item }: TestedAssignment): Promise<void> => {
        return new Promise((resolve) => void revoking.set(item, () => resolve()))
      }
      const { member: slow } = await open({ id: 'slow', count: COUNT, onRevoke })
      await world.eventually(() => slow.assignments.size === COUNT, 'the first owns all')
      const before = new Map(slow.assignments)
      const { member: next } = await open({ id: 'next', count: COUNT })
      await world.eventually(() => revoking.size > 0, 'the first is asked to let go')
      const [item = ''] = revoking.keys()
      const held = before.get(item)
      await world.connect()
      equal([held?.signal.aborted, next.assignments.has(item)], [false, false], 'lost, and owned by the next')
      for (const end of revoking.values()) end()
      await world.eventually(() => next.assignments.has(item), 'the next owns it')
      ok((next.assignments.get(item)?.token ?? 0n) > (held?.token ?? 0n), 'the token grows')
      equal(held?.signal.aborted, true, 'the signal of the first one')
    },
  },
  {
    name: 'an id that is taken is refused',
    run: async ({ open }) => {
      await open({ id: 'a', count: COUNT })
      await rejects(open({ id: 'a', count: COUNT }), { code: 'MEMBER_EXISTS' }, 'a second member of the same id')
    },
  },
  {
    name: 'an item that one member alone knows is its own, while they disagree',
    run: async ({ world, open }) => {
      const { member: old } = await open({ id: 'old', count: 4 })
      const { member: young } = await open({ id: 'young', count: COUNT })
      const isNew = (item: string): boolean => Number(item) >= 4
      await world.eventually(() => old.assignments.size + young.assignments.size === COUNT, 'every item is owned')
      equal([...young.assignments.keys()].filter(isNew).length, COUNT - 4, 'number of items that one alone knows')
    },
  },
  {
    name: 'who stops leaves no node',
    run: async ({ world, open }) => {
      const opened = await openMany(open, MEMBERS)
      await untilCalm(world, opened)
      await Promise.all(opened.map(({ member }) => member.stop()))
      equal(await world.ephemerals(await world.connect()), [], 'ephemeral nodes')
    },
  },
]

const lossCases: readonly Case<ShareWorld>[] = [
  {
    name: 'the items of a client that closes go to the others',
    run: async ({ world, open }) => {
      const [first, ...rest] = await openMany(open, MEMBERS)
      await world.answer(first?.client.close() ?? Promise.resolve(), 'close')
      await untilCalm(world, rest)
    },
  },
  {
    name: 'who loses its session is told by the signals, and everything is owned again by one each',
    needs: ['expire'],
    run: async ({ world, open }) => {
      const opened = await openMany(open, MEMBERS)
      await untilCalm(world, opened)
      const [victim] = opened
      const lost = [...(victim?.member.assignments.values() ?? [])]
      if (victim !== undefined) await world.expire(victim.client)
      await world.eventually(() => lost.every(({ signal }) => signal.aborted), 'its signals fire')
      await untilCalm(world, opened)
      const tokens = new Map(lost.map(({ item, token }) => [item, token]))
      for (const { item, token } of opened.flatMap(({ member }) => [...member.assignments.values()])) {
        ok(token > (tokens.get(item) ?? 0n), `the token of ${item} has grown`)
      }
    },
  },
  {
    name: 'a connection that breaks for a moment moves nothing',
    needs: ['disconnect'],
    run: async ({ world, open }) => {
      const opened = await openMany(open, 2)
      await untilCalm(world, opened)
      const before = tokensOf(opened)
      const [first] = opened
      if (first !== undefined) await world.interrupt(first.client)
      await untilCalm(world, opened)
      equal(tokensOf(opened), before, 'tokens')
    },
  },
]

/**
 * Registers the cases that every partitioner has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the partitioner to test
 */
export function partitionerSuite(runner: Runner, options: PartitionerSuiteOptions): void {
  registerRecipe(runner, `partitioner ${options.name}`, options, [...peaceCases, ...lossCases], (world) => {
    const open: ShareWorld['open'] = async (made) => {
      const client = await world.connect()
      const member = options.makePartitioner(client, world.path('shares'), made)
      await member.start()
      return { client, member }
    }
    return { world, open }
  })
}

function openMany(open: ShareWorld['open'], members: number): Promise<Opened[]> {
  return Promise.all(Array.from({ length: members }, (_, index) => open({ id: `member-${index}`, count: COUNT })))
}

/** Waits until every item is owned by the member that it belongs to: until then some are owned, and will move. */
async function untilCalm(world: RecipeWorld, opened: readonly Opened[]): Promise<void> {
  const isComplete = (): boolean => ownersOf(opened).size === COUNT && ownedIn(opened) === COUNT
  await world.eventually(isComplete, 'every item is owned, and once')
  for (let before = ''; before !== String(tokensOf(opened)); await restOf(opened)) {
    before = String(tokensOf(opened))
    await world.eventually(isComplete, 'every item is owned, and once')
  }
}

/** Lets everyone hear of what has happened up to now, several times over. */
async function restOf(opened: readonly Opened[]): Promise<void> {
  for (let round = 0; round < MEMBERS * MEMBERS; round++) {
    await Promise.all(opened.map(({ client }) => client.sync('/')))
    await new Promise((resolve) => setTimeout(resolve, MEMBERS))
  }
}

function ownersOf(opened: readonly Opened[]): ReadonlyMap<string, number> {
  return new Map(opened.flatMap(({ member }, index) => [...member.assignments.keys()].map((item) => [item, index])))
}

function ownedIn(opened: readonly Opened[]): number {
  return opened.reduce((sum, { member }) => sum + member.assignments.size, 0)
}

function tokensOf(opened: readonly Opened[]): string[] {
  return opened.flatMap(({ member }, index) => {
    return [...member.assignments.values()].map(({ item, token }) => `${item} ${index} ${token}`)
  })
}

function itemsOf(member: TestedPartitioner): string {
  return [...member.assignments.keys()].sort().join(' ')
}
