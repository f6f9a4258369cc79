/** Staged roll-outs by chance: values that only grow, checks that take their time, and connections that are cut. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import { ConfigCenter } from '../../../src/recipes/config/config-center.ts'
import { closeAll, newRig, pass, run, sessionOf, useVirtualTime } from '../rig.ts'
import type { StandardSchema } from '../../../src/recipes/engine/standard-schema.ts'
import { wentBack } from '../../backends/stories/part.ts'
import type { Rig } from '../rig.ts'

useVirtualTime()

const PATH = '/config/rates'
const IDS = ['a', 'b'] as const
const RUNS = 150
/** Longer than all that is still on its way, in milliseconds. */
const SETTLE_MS = 20_000

type Id = (typeof IDS)[number]

/** A new value: for all, or for one process first; then a pause, in which one may be cut off for a while. */
interface Step {
  readonly to: Id | 'all'
  readonly isPromoted: boolean
  readonly pauseMs: number
  readonly cut: { readonly id: Id; readonly forMs: number } | null
}

const STEP: fc.Arbitrary<Step> = fc.record({
  to: fc.constantFrom(...IDS, 'all' as const),
  isPromoted: fc.boolean(),
  pauseMs: fc.constantFrom(0, 20, 300, 1_500),
  cut: fc.option(fc.record({ id: fc.constantFrom(...IDS), forMs: fc.constantFrom(10, 200, 1_000) }), { freq: 3 }),
})
/** How long the checks of values take, in milliseconds: by the value, so that each is the same wherever it is read. */
const DELAYS = fc.array(fc.constantFrom(0, 0, 200, 1_000), { minLength: 3, maxLength: 7 })

function slowSchema(delays: readonly number[]): StandardSchema<number> {
  const validate = async (given: unknown): Promise<{ readonly value: number }> => {
    const value = Number(given)
    const delayMs = delays[value % delays.length] ?? 0
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs))
    return { value }
  }
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

/** A process that takes part, and the values that it was told. */
interface Follower {
  readonly id: Id
  readonly client: Client
  readonly values: number[]
}

async function followerOf(rig: Rig, id: Id, delays: readonly number[]): Promise<Follower> {
  const client = await rig.connect()
  const values: number[] = []
  new ConfigCenter<number>(client, PATH, { member: { id }, schema: slowSchema(delays) }).subscribe(({ value }) => {
    if (value !== undefined) values.push(value)
  })
  return { id, client, values }
}

/** Publishes numbers that grow, and promotes one that is staged before the next is: nobody has a reason to go back. */
class Publisher {
  readonly #config: ConfigCenter<number>
  readonly #forAll = new Set([0])
  readonly #chosen = new Map<number, Id>()
  #value = 0
  #isStaged = false

  constructor(client: Client) {
    this.#config = new ConfigCenter<number>(client, PATH, { history: { author: 'ops' } })
  }

  get value(): number {
    return this.#value
  }

  isFor(value: number, id: Id): boolean {
    return this.#forAll.has(value) || this.#chosen.get(value) === id
  }

  async publish(to: Id | 'all'): Promise<void> {
    if (to !== 'all') await this.promote()
    this.#value += 1
    if (to === 'all') this.#forAll.add(this.#value)
    else this.#chosen.set(this.#value, to)
    this.#isStaged = to !== 'all'
    const rest = to === 'all' ? {} : { rollout: { members: [to] } }
    await run(this.#config.publish(this.#value, { force: true, staged: 'withdraw', ...rest }))
  }

  async promote(): Promise<void> {
    if (!this.#isStaged) return
    this.#isStaged = false
    this.#forAll.add(this.#value)
    await run(this.#config.rollout.promote({ force: true }))
  }
}

function cutOff(rig: Rig, client: Client, forMs: number): void {
  const session = sessionOf(client)
  rig.control.disconnect(session)
  setTimeout(() => rig.control.reconnect(session), forMs)
}

/** Takes the steps; answers with what is wrong about what the processes were told. */
async function problemsOf(steps: readonly Step[], delays: readonly number[]): Promise<string[]> {
  const rig = newRig()
  const operator = await rig.connect()
  const publisher = new Publisher(operator)
  await publisher.publish('all')
  const followers = [await followerOf(rig, 'a', delays), await followerOf(rig, 'b', delays)]
  for (const { to, isPromoted, pauseMs, cut } of steps) {
    await publisher.publish(to)
    const struck = followers.find(({ id }) => id === cut?.id)
    if (struck !== undefined && cut !== null) cutOff(rig, struck.client, cut.forMs)
    await pass(pauseMs)
    if (isPromoted) await publisher.promote()
  }
  await publisher.publish('all')
  await pass(SETTLE_MS)
  const problems = followers.flatMap(({ id, values }) => [
    ...wentBack(values, id),
    ...values.filter((value) => !publisher.isFor(value, id)).map((value) => `${id} had ${value}, not for it`),
    ...(values.at(-1) === publisher.value ? [] : [`${id} ended with ${String(values.at(-1))}`]),
  ])
  return [...problems, ...(await closeAll(rig, operator, ...followers.map(({ client }) => client)))]
}

it('never takes a process back, whatever comes between', async () => {
  await fc.assert(fc.asyncProperty(fc.array(STEP, { minLength: 2, maxLength: 8 }), DELAYS, async (steps, delays) => {
    expect(await problemsOf(steps, delays)).toEqual([])
  }), { numRuns: RUNS })
}, 60_000)
