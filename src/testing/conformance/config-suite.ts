/**
 * The conformance suite of configuration: one value, many readers, writers that do not undo each other.
 *
 * Use       configSuite({ describe, it }, { name: 'mine', connect, makeConfig: (client, path, schema) => ... })
 * Source    core/backend.ts gives one order of writes, so subscribers can and must agree on it.
 */
import type { Client } from '../../core/client.ts'
import { isCoordinationError } from '../../core/errors.ts'
import type { StandardSchema } from '../../recipes/engine/standard-schema.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** A change, as a subscriber gets it. */
export interface TestedConfigChange {
  /** The value in force from now on; undefined if there is none. */
  readonly value: number | undefined
  /** Its version; null if there is no value. */
  readonly version: number | null
  /** zxid of its write; null if there is no value. */
  readonly zxid: bigint | null
  /** Whether all was read again after a reconnect, so that this may be no news. */
  readonly resync: boolean
}

/** The part of a configuration that the suite calls. Its values are numbers. */
export interface TestedConfig {
  /** The latest valid value. */
  readonly current: number | undefined
  /** Its version. */
  readonly version: number | null
  /** Whether it may be older than what the servers have. */
  readonly stale: boolean
  /** Waits until the value was read once. */
  ready(): Promise<number | undefined>
  /** Reads the value from the servers. */
  get(): Promise<number | undefined>
  /** Writes a value if the version is the one seen last, or the one given, or whatever it is. */
  publish(
    value: number,
    options?: { readonly ifVersion?: number | null; readonly force?: boolean },
  ): Promise<{ readonly version: number; readonly zxid: bigint }>
  /** Changes the stored value, as often as it takes until nobody has written in between. */
  update(change: (current: number | null) => number): Promise<{ readonly value: number; readonly version: number }>
  /** Listens, from the present value on. */
  subscribe(listener: (change: TestedConfigChange) => void): () => void
  /** Iterates, from the present value on. */
  watch(options?: { readonly signal?: AbortSignal }): AsyncIterable<TestedConfigChange>
  /** Listens to stored values that were refused. */
  onInvalid(listener: (invalid: { readonly version: number }) => void): () => void
  /** Ends it. */
  close(): Promise<void>
}

/** The subject and options of {@link configSuite}. */
export interface ConfigSuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the value at a path, which is stored as JSON and accepted by a schema. */
  readonly makeConfig: (client: Client, path: string, schema: StandardSchema<number>) => TestedConfig
}

interface ConfigWorld {
  readonly world: RecipeWorld
  /** Where the value of this case is. */
  readonly path: string
  /** Connects a client, and makes its side of the value of this case. */
  readonly open: () => Promise<{ readonly client: Client; readonly config: TestedConfig }>
}

const READERS = 3
const WRITERS = 3
const WRITES = 10

/** Numbers from 0 on. */
const SCHEMA: StandardSchema<number> = {
  '~standard': {
    version: 1,
    vendor: 'quorate',
    validate: (value) => {
      if (typeof value === 'number' && value >= 0) return { value }
      return { issues: [{ message: `must be a number from 0 on, got ${JSON.stringify(value)}` }] }
    },
  },
}

const readingCases: readonly Case<ConfigWorld>[] = [
  {
    name: 'where nothing was published there is no value',
    run: async ({ open }) => {
      const { config } = await open()
      equal(await config.ready(), undefined, 'ready')
      equal([config.current, config.version, await config.get()], [undefined, null, undefined], 'current, version, get')
    },
  },
  {
    name: 'what one publishes comes into force everywhere',
    run: async ({ world, open }) => {
      const [writer, reader] = [await open(), await open()]
      const { version, zxid } = await writer.config.publish(1)
      ok(zxid > 0n, 'the zxid of a write is above 0')
      equal(await reader.config.get(), 1, 'what another reads at once')
      for (const { config } of [writer, reader]) {
        await world.eventually(() => config.current === 1, 'the value comes into force')
        equal([config.version, config.stale], [version, false], 'version and staleness')
      }
    },
  },
  {
    name: 'every subscriber ends at the last value, and none goes back to an older write',
    run: async ({ world, open }) => {
      const { config: writer } = await open()
      const logs = await Promise.all(Array.from({ length: READERS }, async () => changesOf((await open()).config)))
      for (let value = 1; value <= WRITES; value++) await writer.publish(value, { force: true })
      for (const log of logs) {
        await world.eventually(() => log.at(-1)?.value === WRITES, 'the last value is told')
        const zxids = log.map(({ zxid }) => zxid ?? 0n)
        equal(zxids, [...zxids].sort((a, b) => (a < b ? -1 : 1)), 'zxids in the order in which they were told')
        equal(new Set(zxids).size, zxids.length, 'number of different zxids: no write is told twice')
      }
    },
  },
  {
    name: 'an iteration begins with the present value, goes on with changes, and ends when it is closed',
    run: async ({ world, open }) => {
      const { config } = await open()
      await config.publish(1)
      await world.eventually(() => config.current === 1, 'the value comes into force')
      const values: (number | undefined)[] = []
      const iterating = (async () => {
        // After a reconnect the value is published again, marked as a resync.
        for await (const { value, resync } of config.watch()) if (!resync || value !== values.at(-1)) values.push(value)
      })()
      await world.eventually(() => values.length === 1, 'the present value comes first')
      await config.publish(2)
      await world.eventually(() => values.length === 2, 'the change comes next')
      await config.close()
      await world.answer(iterating, 'the end of the iteration')
      equal(values, [1, 2], 'values')
    },
  },
]

const writingCases: readonly Case<ConfigWorld>[] = [
  {
    name: 'a write with a version that is not there any more is refused and changes nothing',
    run: async ({ open }) => {
      const [{ config: first }, { config: second }] = [await open(), await open()]
      const { version } = await first.publish(1)
      await second.publish(2, { ifVersion: version })
      const refused = { code: 'BAD_VERSION', outcome: 'rejected' } as const
      await rejects(first.publish(3, { ifVersion: version }), refused, 'a write with an old version')
      await rejects(first.publish(3, { ifVersion: null }), refused, 'a write that needs that there is no value')
      equal(await first.get(), 2, 'the value')
      await first.publish(3, { force: true })
      equal(await second.get(), 3, 'the value after a write by force')
    },
  },
  {
    name: 'of several writers that count by compare-and-set no increment is lost',
    run: async ({ open }) => {
      const { config } = await open()
      await config.publish(0)
      const writers = await Promise.all(Array.from({ length: WRITERS }, open))
      await Promise.all(writers.map(({ config: writer }) => count(writer)))
      equal(await config.get(), WRITERS * WRITES, 'the value')
    },
  },
  {
    name: 'of several writers that count by updates no increment is lost, and each is told what it has stored',
    run: async ({ open }) => {
      const writers = await Promise.all(Array.from({ length: WRITERS }, open))
      const counting = writers.map(async ({ config }) => {
        const values: number[] = []
        while (values.length < WRITES) {
          const { value, version } = await config.update((current) => (current ?? 0) + 1)
          // Another writer may have been here already; what is in force is never older than the own update.
          ok((config.version ?? -1) >= version, 'the version in force is that of the update, or a later one')
          if (config.version === version) equal(config.current, value, 'the value in force after an update')
          values.push(value)
        }
        return values
      })
      const values = (await Promise.all(counting)).flat().sort((a, b) => a - b)
      equal(values, Array.from({ length: WRITERS * WRITES }, (_, index) => index + 1), 'all values that were stored')
    },
  },
  {
    name: 'an update that throws, or that makes a value which the schema refuses, writes nothing',
    run: async ({ open }) => {
      const { config } = await open()
      const { version } = await config.publish(1)
      const refused = { code: 'INVALID_VALUE', outcome: 'not-sent' } as const
      await rejects(config.update(() => -1), refused, 'an update to an invalid value')
      const failure = new Error('not now')
      const thrown = await config.update(() => { throw failure }).catch((error: unknown) => error)
      ok(thrown === failure, 'the update rejects with what its function threw')
      equal([await config.get(), config.version], [1, version], 'value and version')
    },
  },
  {
    name: 'a value that the schema refuses is not written',
    run: async ({ open }) => {
      const { config } = await open()
      await config.publish(1)
      const call = config.publish(-1, { force: true })
      await rejects(call, { code: 'INVALID_VALUE', outcome: 'not-sent' }, 'an invalid value')
      equal(await config.get(), 1, 'the value')
    },
  },
  {
    name: 'a stored value that is refused is told, and leaves the last good one in force until it is replaced',
    run: async ({ world, open, path }) => {
      const { client, config } = await open()
      await config.publish(1)
      await world.eventually(() => config.current === 1, 'the good value comes into force')
      const refused: number[] = []
      config.onInvalid(({ version }) => void refused.push(version))
      for (const stored of ['not JSON', '-1']) {
        const { version } = await client.set(path, stored)
        await world.eventually(() => refused.includes(version), `${stored} is told`)
        equal(config.current, 1, `the value in force after ${stored}`)
        await rejects(config.get(), { code: 'INVALID_VALUE' }, `a read of ${stored}`)
      }
      const [last] = refused.slice(-1)
      await config.publish(2, last === undefined ? {} : { ifVersion: last })
      await world.eventually(() => config.current === 2, 'the value that replaces it comes into force')
    },
  },
  {
    name: 'a value that is deleted is gone, and one that is made again is in force',
    run: async ({ world, open, path }) => {
      const [{ client, config }, { config: reader }] = [await open(), await open()]
      await config.publish(1)
      await world.eventually(() => reader.current === 1, 'the value comes into force')
      await client.delete(path)
      await world.eventually(() => reader.current === undefined, 'the value is gone')
      await config.publish(2, { force: true })
      await world.eventually(() => reader.current === 2, 'the new value comes into force')
    },
  },
]

const lossCases: readonly Case<ConfigWorld>[] = [
  {
    name: 'while the connection is broken the last value stays in force and says that it is stale; then it catches up',
    needs: ['disconnect', 'reconnect'],
    run: async ({ world, open }) => {
      const [{ client, config }, { config: writer }] = [await open(), await open()]
      await writer.publish(1)
      await world.eventually(() => config.current === 1, 'the value comes into force')
      await world.disconnect(client)
      equal([config.current, config.stale], [1, true], 'value and staleness while the connection is broken')
      await writer.publish(2, { force: true })
      await world.reconnect(client)
      await world.eventually(() => config.current === 2 && !config.stale, 'it catches up')
    },
  },
  {
    name: 'a subscriber outlives its session',
    needs: ['expire'],
    run: async ({ world, open }) => {
      const [{ client, config }, { config: writer }] = [await open(), await open()]
      await writer.publish(1)
      const log = changesOf(config)
      await world.eventually(() => log.at(-1)?.value === 1, 'the value is told')
      await world.expire(client)
      await writer.publish(2, { force: true })
      await world.eventually(() => log.at(-1)?.value === 2, 'the change is told')
      await writer.publish(3, { force: true })
      await world.eventually(() => log.at(-1)?.value === 3, 'the next change is told')
    },
  },
]

const CASES: readonly Case<ConfigWorld>[] = [...readingCases, ...writingCases, ...lossCases]

/**
 * Registers the cases that every configuration of one value has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the configuration to test
 */
export function configSuite(runner: Runner, options: ConfigSuiteOptions): void {
  registerRecipe(runner, `configuration ${options.name}`, options, CASES, (world) => {
    const path = world.path('config')
    const open: ConfigWorld['open'] = async () => {
      const client = await world.connect()
      return { client, config: options.makeConfig(client, path, SCHEMA) }
    }
    return { world, path, open }
  })
}

function changesOf(config: TestedConfig): readonly TestedConfigChange[] {
  const log: TestedConfigChange[] = []
  config.subscribe((change) => void log.push(change))
  return log
}

/** Counts up as one of several: with the version that goes with the value seen, until it was the one. */
async function count(config: TestedConfig): Promise<void> {
  await config.ready()
  for (let done = 0; done < WRITES; ) {
    const { current = 0, version } = config
    try {
      await config.publish(current + 1, { ifVersion: version })
      done++
    } catch (error) {
      if (!isCoordinationError(error, 'BAD_VERSION')) throw error
    }
    // A written value comes into force by events, for which the event loop has to turn.
    await new Promise((resolve) => setTimeout(resolve, 0))
  }
}
