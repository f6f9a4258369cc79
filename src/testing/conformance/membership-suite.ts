/**
 * The conformance suite of group membership: who is there, and that everyone comes to the same view.
 *
 * Use       membershipSuite({ describe, it }, { name: 'mine', connect, makeGroup: (client, path) => ... })
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** A member as others see it. */
export interface TestedMemberInfo {
  /** Its name. */
  readonly id: string
  /** Its data; undefined if there are none. */
  readonly data: string | undefined
  /** Grows from registration to registration. */
  readonly incarnation: bigint
}

/** A member's own handle. */
export interface TestedMember {
  /** Grows from registration to registration. */
  readonly incarnation: bigint
  /** `joined` while it is registered. */
  readonly state: string
  /** Says something else of itself. */
  update(data: string): Promise<void>
  /** Ends the registration. Idempotent. */
  leave(): Promise<void>
}

/** A change, as a subscriber gets it. */
export interface TestedGroupChange {
  /** All members. */
  readonly members: readonly TestedMemberInfo[]
  /** Those who were not there before. */
  readonly joined: readonly TestedMemberInfo[]
  /** Those who are not there any more. */
  readonly left: readonly TestedMemberInfo[]
  /** Those with new data or a new incarnation. */
  readonly updated: readonly TestedMemberInfo[]
}

/** The part of a group that the suite calls. The data of members are strings. */
export interface TestedGroup {
  /** Registers a member; rejects with `MEMBER_EXISTS` if another has the id. */
  join(id: string, options?: { readonly data?: string }): Promise<TestedMember>
  /** Reads the members, sorted by id. */
  members(): Promise<readonly TestedMemberInfo[]>
  /** Listens; the present members come first, as joined. */
  subscribe(listener: (change: TestedGroupChange) => void): () => void
}

/** The subject and options of {@link membershipSuite}. */
export interface MembershipSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the group at a path; nothing may be there yet. */
  readonly makeGroup: (client: Client, path: string) => TestedGroup
}

interface GroupWorld {
  readonly world: RecipeWorld
  /** Connects a client, and makes its side of the group of this case. */
  readonly open: () => Promise<{ readonly client: Client; readonly group: TestedGroup }>
}

const MEMBERS = 8
const ROUNDS = 6

const peaceCases: readonly Case<GroupWorld>[] = [
  {
    name: 'a group that nobody joined has no members',
    run: async ({ world, open }) => {
      const { group } = await open()
      equal(await group.members(), [], 'members')
      const view = viewOf(group)
      await world.eventually(() => view.changes === 1, 'a subscriber is told so')
      equal([...view.members], [], 'members that are told')
    },
  },
  {
    name: 'who joins is seen by everyone, with what it says of itself',
    run: async ({ world, open }) => {
      const [{ group: a }, { group: b }] = [await open(), await open()]
      const view = viewOf(b)
      const member = await a.join('worker-2', { data: 'two' })
      await b.join('worker-1', { data: 'one' })
      const members = await a.members()
      equal(members.map(({ id, data }) => [id, data]), [['worker-1', 'one'], ['worker-2', 'two']], 'members, sorted')
      equal([members[1]?.incarnation, member.state], [member.incarnation, 'joined'], 'incarnation and state')
      await world.eventually(() => view.members.size === 2, 'a subscriber is told of both')
    },
  },
  {
    name: 'who leaves is gone when that is answered, for everyone, and may leave again',
    run: async ({ world, open }) => {
      const [{ group: a }, { client, group: b }] = [await open(), await open()]
      const view = viewOf(b)
      const member = await a.join('worker', { data: '' })
      await world.eventually(() => view.members.has('worker'), 'a subscriber is told of it')
      await Promise.all([member.leave(), member.leave()])
      equal([member.state, await b.members()], ['left', []], 'state and members')
      await world.eventually(() => !view.members.has('worker'), 'a subscriber is told that it left')
      equal(await world.ephemerals(client), [], 'ephemeral nodes')
    },
  },
  {
    name: 'an id that is taken is refused and its member left alone; it is free when that has left',
    run: async ({ open }) => {
      const [{ group: a }, { group: b }] = [await open(), await open()]
      const member = await a.join('worker', { data: 'first' })
      await rejects(b.join('worker', { data: 'second' }), { code: 'MEMBER_EXISTS' }, 'a join of another process')
      await rejects(a.join('worker', { data: 'second' }), { code: 'MEMBER_EXISTS' }, 'a join of the same process')
      equal((await b.members()).map(({ data }) => data), ['first'], 'data of the members')
      await member.leave()
      await b.join('worker', { data: 'second' })
      equal((await a.members()).map(({ data }) => data), ['second'], 'data of the members after the leave')
    },
  },
  {
    name: 'an update is told as one, and not as a leave and a join',
    run: async ({ world, open }) => {
      const [{ group: a }, { group: b }] = [await open(), await open()]
      const member = await a.join('worker', { data: 'old' })
      const view = viewOf(b)
      await world.eventually(() => view.members.get('worker') === 'old', 'a subscriber is told of the member')
      await member.update('new')
      equal((await b.members()).map(({ data }) => data), ['new'], 'data when the update is answered')
      await world.eventually(() => view.members.get('worker') === 'new', 'a subscriber is told of the update')
      equal([view.joins, view.leaves], [1, 0], 'joins and leaves that were told')
    },
  },
  {
    name: 'when all is quiet everyone has the same view, and every change on the way fits the one before',
    run: async ({ world, open }) => {
      const clients = await Promise.all(Array.from({ length: MEMBERS }, open))
      const views = clients.map(({ group }) => viewOf(group))
      const members = await Promise.all(
        clients.map(({ group }, index) => group.join(`worker-${index}`, { data: `${index}` })),
      )
      for (const { members: seen } of views) {
        await world.eventually(() => seen.size === MEMBERS, 'every subscriber is told of all who joined')
      }
      const leaving = members.filter((_, index) => index % 2 === 1)
      await Promise.all([...leaving.map((member) => member.leave()), members[0]?.update('updated')])
      const expected = [...members.keys()].filter((index) => index % 2 === 0)
      const ids = expected.map((index) => `worker-${index}`)
      for (const view of views) {
        await world.eventually(() => {
          return [...view.members.keys()].sort().join() === ids.join() && view.members.get('worker-0') === 'updated'
        }, 'every subscriber comes to the final view')
        equal(view.misfits, [], 'changes that did not fit the view before')
      }
    },
  },
  {
    name: 'the close of a client takes its members out of the group',
    run: async ({ world, open }) => {
      const [{ client, group: a }, { group: b }] = [await open(), await open()]
      const view = viewOf(b)
      await a.join('worker', { data: '' })
      await world.eventually(() => view.members.has('worker'), 'a subscriber is told of the member')
      await world.answer(client.close(), 'close')
      equal(await b.members(), [], 'members')
      await world.eventually(() => !view.members.has('worker'), 'a subscriber is told that it left')
    },
  },
]

const lossCases: readonly Case<GroupWorld>[] = [
  {
    name: 'a member that lost its session registers again by itself, with a greater incarnation',
    needs: ['expire'],
    run: async ({ world, open }) => {
      const [{ client, group: a }, { group: b }] = [await open(), await open()]
      const member = await a.join('worker', { data: 'old' })
      await member.update('new')
      const { incarnation } = member
      await world.expire(client)
      await world.eventually(() => member.state === 'joined' && member.incarnation > incarnation, 'it is joined again')
      const members = (await b.members()).map(({ id, data, incarnation: seen }) => [id, data, seen])
      equal(members, [['worker', 'new', member.incarnation]], 'members')
    },
  },
  {
    name: 'a subscriber outlives its session, and comes to the view that is',
    needs: ['expire'],
    run: async ({ world, open }) => {
      const [{ client, group: a }, { group: b }] = [await open(), await open()]
      const leaving = await b.join('leaving', { data: '' })
      const view = viewOf(a)
      await world.eventually(() => view.members.has('leaving'), 'a subscriber is told of the member')
      await world.expire(client)
      await leaving.leave()
      await b.join('coming', { data: '' })
      await world.eventually(() => [...view.members.keys()].join() === 'coming', 'the subscriber comes to the new view')
      equal(view.misfits, [], 'changes that did not fit the view before')
    },
  },
  {
    name: 'a connection that breaks for a moment costs no member its registration',
    needs: ['disconnect'],
    run: async ({ world, open }) => {
      const [{ client, group: a }, { group: b }] = [await open(), await open()]
      const member = await a.join('worker', { data: '' })
      const { incarnation } = member
      await world.interrupt(client)
      await world.eventually(() => member.state === 'joined', 'the member is joined')
      equal([member.incarnation, (await b.members()).length], [incarnation, 1], 'incarnation and number of members')
    },
  },
]

const identityCases: readonly Case<GroupWorld>[] = [
  {
    name: 'who lost its id to another, and was not told yet, neither overwrites nor removes that member',
    run: async ({ world, open }) => {
      const [{ group: a }, { group: b }, { client: admin }] = [await open(), await open(), await open()]
      for (let round = 0; round < ROUNDS; round++) {
        const id = `worker-${round}`
        const victim = await a.join(id, { data: 'a1' })
        const deletion = await world.deletionOfEphemerals(admin)
        const deleting = deletion()
        // In one turn: it depends on the engine who is first.
        const joining = b.join(id, { data: 'b1' }).catch(() => null)
        const ending = round % 2 === 0 ? victim.update('a2') : victim.leave()
        await Promise.allSettled([deleting, ending])
        const lawful = await joining
        if (lawful !== null) {
          const members = (await a.members()).map(({ data, incarnation }) => [data, incarnation])
          equal(members, [['b1', lawful.incarnation]], 'members after the late call')
          await victim.leave()
          equal([lawful.state, (await b.members()).length], ['joined', 1], 'state of the lawful member, and members')
          await lawful.leave()
        }
        await victim.leave()
        equal(await b.members(), [], 'members in the end')
      }
    },
  },
]

const CASES: readonly Case<GroupWorld>[] = [...peaceCases, ...lossCases, ...identityCases]

/**
 * Registers the cases that every group has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the group to test
 */
export function membershipSuite(runner: Runner, options: MembershipSuiteOptions): void {
  registerRecipe(runner, `group membership ${options.name}`, options, CASES, (world) => {
    const open: GroupWorld['open'] = async () => {
      const client = await world.connect()
      return { client, group: options.makeGroup(client, world.path('group')) }
    }
    return { world, open }
  })
}

/** A view that is made of nothing but the changes that a subscriber gets. */
interface View {
  /** The data of each member, by id. */
  readonly members: ReadonlyMap<string, string | undefined>
  /** Number of changes, of joins and of leaves in them. */
  changes: number
  joins: number
  leaves: number
  /** Changes that do not fit the view before them. */
  readonly misfits: readonly string[]
}

function viewOf(group: TestedGroup): View {
  const members = new Map<string, string | undefined>()
  const misfits: string[] = []
  const view: View = { members, misfits, changes: 0, joins: 0, leaves: 0 }
  const expectKnown = (id: string, known: boolean, what: string): void => {
    if (members.has(id) !== known) misfits.push(`${what} of ${id}, which was ${known ? 'not ' : ''}there`)
  }
  group.subscribe(({ members: all, joined, left, updated }) => {
    view.changes += 1
    view.joins += joined.length
    view.leaves += left.length
    for (const { id } of joined) expectKnown(id, false, 'join')
    for (const { id } of [...left, ...updated]) expectKnown(id, true, 'leave or update')
    for (const { id } of left) members.delete(id)
    for (const { id, data } of [...joined, ...updated]) members.set(id, data)
    const [made, told] = [[...members.keys()].sort().join(), all.map(({ id }) => id).sort().join()]
    if (made !== told) misfits.push(`the changes make ${made}, the list says ${told}`)
  })
  ok(view.changes === 0, 'a listener is never called within subscribe')
  return view
}
