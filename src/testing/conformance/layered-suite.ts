/**
 * The conformance suite of layered configurations: one value made of several nodes, and followed.
 *
 * Use       layeredSuite({ describe, it }, { name: 'mine', connect, makeLayered: (client, paths) => ... })
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** The part of a layered configuration that the suite calls. Its layers are JSON. */
export interface TestedLayered {
  /** The merged value; undefined if no layer has one. */
  readonly current: unknown
  /** Resolves with the merged value when all layers were read once. */
  ready(): Promise<unknown>
  /** Calls a listener with every merged value. */
  subscribe(listener: (change: { readonly value: unknown }) => void): () => void
}

/** The subject and options of {@link layeredSuite}. */
export interface LayeredSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the value whose layers are at these paths, the base first. */
  readonly makeLayered: (client: Client, paths: readonly string[]) => TestedLayered
}

interface LayeredWorld {
  readonly world: RecipeWorld
  readonly paths: readonly [string, string]
  readonly open: () => Promise<{ readonly client: Client; readonly layered: TestedLayered }>
}

const WRITES = 10

const CASES: readonly Case<LayeredWorld>[] = [
  {
    name: 'an overlay merges objects, replaces arrays, and removes by null',
    run: async ({ world, paths: [base, overlay], open }) => {
      const writer = await world.connect()
      await writer.create(base, '{"a":1,"b":[1,2],"c":{"d":1,"e":1}}')
      await writer.create(overlay, '{"b":[3],"c":{"d":null,"f":{"g":null}}}')
      const { layered } = await open()
      const value = await world.answer(layered.ready(), 'the first reading')
      equal(value, { a: 1, b: [3], c: { e: 1, f: {} } }, 'the merged value')
    },
  },
  {
    name: 'a layer that comes, changes or goes changes the value everywhere',
    run: async ({ world, paths: [base, overlay], open }) => {
      const [one, other, writer] = [await open(), await open(), await world.connect()]
      equal(await world.answer(one.layered.ready(), 'the first reading'), undefined, 'a value without layers')
      const steps: readonly (readonly [() => Promise<unknown>, unknown])[] = [
        [() => writer.create(overlay, '{"b":2}'), { b: 2 }],
        [() => writer.create(base, '{"a":1,"b":1}'), { a: 1, b: 2 }],
        [() => writer.set(overlay, '{"a":3}'), { a: 3, b: 1 }],
        [() => writer.delete(overlay), { a: 1, b: 1 }],
        [() => writer.delete(base), undefined],
      ]
      for (const [step, value] of steps) {
        await step()
        const has = ({ layered }: typeof one): boolean => isEqual(layered.current, value)
        await world.eventually(() => has(one) && has(other), `both have ${JSON.stringify(value)}`)
      }
    },
  },
  {
    name: 'nobody goes back to an older write of a layer, and everybody ends at the last',
    run: async ({ world, paths: [base, overlay], open }) => {
      const writer = await world.connect()
      await writer.create(base, '{"base":0}')
      await writer.create(overlay, '{"overlay":0}')
      const { layered } = await open()
      const sums: number[] = []
      layered.subscribe(({ value }) => {
        const { base: a = 0, overlay: b = 0 } = value as Readonly<Record<string, number>>
        sums.push(a + b)
      })
      for (let write = 1; write <= WRITES; write += 1) {
        await writer.set(base, JSON.stringify({ base: write }))
        await writer.set(overlay, JSON.stringify({ overlay: write }))
      }
      await world.eventually(() => sums.at(-1) === 2 * WRITES, 'it ends at the last values')
      equal([...sums].sort((a, b) => a - b), sums, 'the sums, in the order in which they were told')
    },
  },
  {
    name: 'it goes on with the next session',
    needs: ['expire'],
    run: async ({ world, paths: [base], open }) => {
      const writer = await world.connect()
      await writer.create(base, '{"a":1}')
      const { client, layered } = await open()
      await world.answer(layered.ready(), 'the first reading')
      await world.expire(client)
      await writer.set(base, '{"a":2}')
      await world.eventually(() => isEqual(layered.current, { a: 2 }), 'it has the new value')
    },
  },
]

/**
 * Registers the cases that every layered configuration has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the configuration to test
 */
export function layeredSuite(runner: Runner, options: LayeredSuiteOptions): void {
  registerRecipe(runner, `layers of ${options.name}`, options, CASES, (world) => {
    const paths = [world.path('base'), world.path('overlay')] as const
    const open: LayeredWorld['open'] = async () => {
      const client = await world.connect()
      return { client, layered: options.makeLayered(client, paths) }
    }
    return { world, paths, open }
  })
}

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
