/**
 * The conformance suite of elections: who leads, how that is published, and how a leader hands over. That there is one
 * leader at a time is a matter of the lock suite, through which an election goes as well.
 *
 * Use       electionSuite({ describe, it }, { name: 'mine', connect, makeElection: (client, path, id) => ... })
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** The part of a leadership that the suite calls. */
export interface TestedLeadership {
  /** Grows strictly from leader to leader. */
  readonly token: bigint
  /** Aborted when it is lost. */
  readonly signal: AbortSignal
  /** Tells everyone something. */
  proclaim(data: string): Promise<void>
  /** Resigns in favour of a candidate, and tells whether that leads. */
  transferTo(id: string): Promise<boolean>
  /** Gives it back. Idempotent. */
  resign(): Promise<void>
}

/** A leader, as the suite reads it. */
export interface TestedLeader {
  /** Its name. */
  readonly id: string
  /** That of its leadership. */
  readonly token: bigint
  /** The data that it proclaims. */
  readonly data: string | undefined
}

/** The part of an election that the suite calls. */
export interface TestedElection {
  /** Waits until this candidate leads. */
  campaign(options?: { readonly signal?: AbortSignal; readonly waitMs?: number }): Promise<TestedLeadership>
  /** Leads whenever it can, until the signal ends that. */
  run(
    work: (leadership: TestedLeadership, signal: AbortSignal) => Promise<void>,
    options: { readonly signal: AbortSignal },
  ): Promise<void>
  /** Who leads. */
  leader(): Promise<TestedLeader | null>
  /** Who stands, the leader first. */
  candidates(): Promise<readonly { readonly id: string; readonly leads: boolean }[]>
  /** Each change of the leader. */
  watch(): AsyncIterable<{ readonly leader: TestedLeader | null }>
}

/** The subject and options of {@link electionSuite}. */
export interface ElectionSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the election at a path, for a candidate with this id. */
  readonly makeElection: (client: Client, path: string, id: string) => TestedElection
}

interface ElectionWorld {
  readonly world: RecipeWorld
  /** A candidate on a client of its own. */
  readonly candidate: (id: string) => Promise<{ readonly client: Client; readonly election: TestedElection }>
}

/** Waits until a candidate stands at a place in line. */
async function standing(world: RecipeWorld, election: TestedElection, ids: readonly string[]): Promise<void> {
  const isSame = async (): Promise<boolean> => {
    return (await election.candidates()).map(({ id }) => id).join() === ids.join()
  }
  await world.eventually(isSame, `the candidates are ${ids.join()}`)
}

const CASES: readonly Case<ElectionWorld>[] = [
  {
    name: 'everyone is told the same leader, and the next one when that resigns',
    run: async ({ world, candidate }) => {
      const [a, b, c] = [await candidate('a'), await candidate('b'), await candidate('c')]
      equal(await c.election.leader(), null, 'the leader before anybody stands')
      const first = await a.election.campaign()
      const campaign = b.election.campaign()
      await standing(world, c.election, ['a', 'b'])
      for (const { election } of [a, b, c]) {
        const leader = await election.leader()
        equal([leader?.id, leader?.token], ['a', first.token], 'id and token of the leader')
      }
      equal((await c.election.candidates()).map(({ leads }) => leads), [true, false], 'who of the two leads')
      await first.resign()
      const second = await world.answer(campaign, 'the campaign after a resignation')
      ok(second.token > first.token, 'the next token is greater')
      equal((await c.election.leader())?.id, 'b', 'id of the next leader')
      await second.resign()
      equal(await c.election.leader(), null, 'the leader when all have resigned')
      equal(await world.ephemerals(c.client), [], 'ephemeral nodes in the end')
    },
  },
  {
    name: 'what a leader proclaims is told of it as long as it leads, and not of the next one',
    run: async ({ world, candidate }) => {
      const [a, b] = [await candidate('a'), await candidate('b')]
      const first = await a.election.campaign()
      await first.proclaim('at one')
      await first.proclaim('at another')
      for (const { election } of [a, b]) {
        equal((await election.leader())?.data, 'at another', 'what the leader proclaims')
      }
      const campaign = b.election.campaign()
      await standing(world, a.election, ['a', 'b'])
      await first.resign()
      const second = await world.answer(campaign, 'the campaign after a resignation')
      const leader = await a.election.leader()
      equal([leader?.id, leader?.data], ['b', undefined], 'the next leader, and what it proclaims')
      await rejects(first.proclaim('too late'), { code: 'LEASE_LOST', outcome: 'lost' }, 'a proclamation after the end')
      await second.proclaim('at b')
      equal((await a.election.leader())?.data, 'at b', 'what the next leader proclaims')
      await second.resign()
      equal(await world.ephemerals(a.client), [], 'ephemeral nodes in the end')
    },
  },
  {
    name: 'a leader whose node somebody deleted proclaims nothing any more',
    run: async ({ world, candidate }) => {
      const [a, b] = [await candidate('a'), await candidate('b')]
      const first = await a.election.campaign()
      const campaign = b.election.campaign()
      await standing(world, b.election, ['a', 'b'])
      const [path = ''] = (await world.ephemerals(b.client)).filter((one) => one.endsWith('0000000000'))
      const deleting = b.client.delete(path)
      // In one turn: the leader does not know yet.
      const proclaiming = first.proclaim('stale').then(() => 'done', () => 'refused')
      await deleting
      const second = await world.answer(campaign, 'the campaign after the deletion')
      await world.answer(proclaiming, 'the proclamation')
      equal((await b.election.leader())?.data, undefined, 'what the next leader proclaims')
      await world.eventually(() => first.signal.aborted, 'the first leader is told')
      await Promise.all([first.resign(), second.resign()])
      await world.eventually(async () => (await world.ephemerals(b.client)).length === 0, 'nothing is left')
    },
  },
  {
    name: 'a leader hands over to whom it names, past those who came before',
    run: async ({ world, candidate }) => {
      const [a, b, c] = [await candidate('a'), await candidate('b'), await candidate('c')]
      const first = await a.election.campaign()
      const next = b.election.campaign()
      await standing(world, a.election, ['a', 'b'])
      const chosen = c.election.campaign()
      await standing(world, a.election, ['a', 'b', 'c'])
      await rejects(first.transferTo('nobody'), { code: 'NO_NODE' }, 'a transfer to nobody')
      equal(await world.answer(first.transferTo('c'), 'the transfer'), true, 'whether the chosen one leads')
      const second = await world.answer(chosen, 'the campaign of the chosen one')
      equal((await a.election.leader())?.id, 'c', 'id of the leader')
      await standing(world, a.election, ['c', 'b'])
      await second.resign()
      await (await world.answer(next, 'the campaign of who stood back')).resign()
      equal(await world.ephemerals(a.client), [], 'ephemeral nodes in the end')
    },
  },
  {
    name: 'whoever watches is told the leaders one after the other',
    run: async ({ world, candidate }) => {
      const [a, b] = [await candidate('a'), await candidate('b')]
      const leaders = b.election.watch()[Symbol.asyncIterator]()
      const untilLeader = async (id: string | undefined): Promise<void> => {
        for (;;) {
          const next = await leaders.next()
          if (next.done === true) return ok(false, 'the watching goes on')
          if (next.value.leader?.id === id) return
        }
      }
      await world.answer(untilLeader(undefined), 'that nobody leads')
      const first = await a.election.campaign()
      await world.answer(untilLeader('a'), 'that a leads')
      await first.resign()
      await world.answer(untilLeader(undefined), 'that nobody leads again')
      await leaders.return?.()
    },
  },
  {
    name: 'a run leads again on its next session, and ends with its signal',
    needs: ['expire'],
    run: async ({ world, candidate }) => {
      const a = await candidate('a')
      const stop = new AbortController()
      const tokens: bigint[] = []
      const running = a.election.run(async ({ token }, signal) => {
        tokens.push(token)
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
      }, { signal: stop.signal })
      await world.eventually(() => tokens.length === 1, 'it leads')
      await world.expire(a.client)
      await world.eventually(() => tokens.length === 2, 'it leads again')
      stop.abort()
      await world.answer(running, 'the end of the run')
      ok((tokens[1] ?? 0n) > (tokens[0] ?? 0n), 'the next token is greater')
      await world.eventually(async () => (await world.ephemerals(a.client)).length === 0, 'nothing is left')
    },
  },
]

/**
 * Registers the cases that every election has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the election to test
 */
export function electionSuite(runner: Runner, options: ElectionSuiteOptions): void {
  registerRecipe(runner, `election ${options.name}`, options, CASES, (world) => {
    const candidate: ElectionWorld['candidate'] = async (id) => {
      const client = await world.connect()
      return { client, election: options.makeElection(client, world.path('election'), id) }
    }
    return { world, candidate }
  })
}
