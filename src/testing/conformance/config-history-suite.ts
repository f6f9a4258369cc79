/**
 * The conformance suite of a configuration's history: value and history are written together, and never disagree.
 *
 * Use       configHistorySuite({ describe, it }, { name: 'mine', connect, makeConfig: (client, path, options) => ... })
 */
import type { Client } from '../../core/client.ts'
import type { Case, Runner } from './case.ts'
import { equal, ok, rejects } from './expect.ts'
import { registerRecipe } from './recipe-world.ts'
import type { RecipeSuiteOptions, RecipeWorld } from './recipe-world.ts'

/** One value that is or was in force. */
export interface TestedHistoryEntry {
  /** Counts from 1; null for a value that somebody has written who keeps no history. */
  readonly version: number | null
  /** The value. */
  readonly value: number | undefined
  /** Who published it. */
  readonly author: string | null
  /** Why. */
  readonly comment: string | null
  /** Whether it is the stored value. */
  readonly isCurrent: boolean
}

/** The part of a configuration with a history that the suite calls. Its values are numbers. */
export interface TestedConfigHistory {
  /** Reads the value from the servers. */
  get(): Promise<number | undefined>
  /** Writes a value with its entry. */
  publish(
    value: number,
    options?: { readonly force?: boolean; readonly author?: string; readonly comment?: string },
  ): Promise<{ readonly version: number; readonly historyVersion?: number }>
  /** Changes the stored value, as often as it takes until nobody has written in between. */
  update(change: (current: number | null) => number): Promise<{ readonly value: number }>
  /** Lists what was published, the newest first. */
  history(): Promise<readonly TestedHistoryEntry[]>
  /** Publishes an older value again. */
  rollback(version: number, options?: { readonly ifVersion?: number }): Promise<unknown>
}

/** The subject and options of {@link configHistorySuite}. */
export interface ConfigHistorySuiteOptions extends RecipeSuiteOptions {
  /** Makes a client's side of the value at a path, which is stored as JSON, with so many entries at most. */
  readonly makeConfig: (client: Client, path: string, entriesMax: number) => TestedConfigHistory
}

interface HistoryWorld {
  readonly world: RecipeWorld
  readonly path: string
  readonly open: (entriesMax?: number) => Promise<{ readonly client: Client; readonly config: TestedConfigHistory }>
}

const ENTRIES_MAX = 100
const FEW = 3
const WRITERS = 3
const WRITES = 8

const CASES: readonly Case<HistoryWorld>[] = [
  {
    name: 'each published value is listed with its version, author and comment, the newest first',
    run: async ({ open }) => {
      const [{ config }, { config: other }] = [await open(), await open()]
      equal(await config.history(), [], 'the history of what was never published')
      equal((await config.publish(1, { author: 'ann', comment: 'first' })).historyVersion, 1, 'the first version')
      await other.publish(2, { force: true })
      for (const one of [config, other]) {
        equal(await listed(one), [[2, 2, null, null, true], [1, 1, 'ann', 'first', false]], 'the history')
      }
    },
  },
  {
    name: 'a value of a writer without history is listed, and recorded before the next one',
    run: async ({ open, path }) => {
      const { client, config } = await open()
      await config.publish(1)
      await client.set(path, '2')
      equal(await listed(config), [[null, 2, null, null, true], [1, 1, null, null, false]], 'before the next publish')
      await config.publish(3, { force: true })
      const versions = (await config.history()).map(({ version, value }) => [version, value])
      equal(versions, [[3, 3], [2, 2], [1, 1]], 'after the next publish')
    },
  },
  {
    name: 'a value that is deleted and made again goes on in the same history',
    run: async ({ open, path }) => {
      const { client, config } = await open()
      await config.publish(1)
      await client.delete(path)
      ok((await config.history()).every(({ isCurrent }) => !isCurrent), 'nothing is current')
      await config.publish(2, { force: true })
      equal(await listed(config), [[2, 2, null, null, true], [1, 1, null, null, false]], 'the history')
    },
  },
  {
    name: 'of several writers no value is missing in the history, and its last one is the value',
    run: async ({ open }) => {
      const writers = await Promise.all(Array.from({ length: WRITERS }, () => open()))
      await Promise.all(writers.map(async ({ config }) => {
        for (let write = 0; write < WRITES; write += 1) await config.update((current) => (current ?? 0) + 1)
      }))
      const total = WRITERS * WRITES
      const entries = await writers[0]?.config.history()
      const expected = Array.from({ length: total }, (_, index) => [total - index, total - index])
      equal(entries?.map(({ version, value }) => [version, value]), expected, 'versions and values')
      equal(entries?.map(({ isCurrent }) => isCurrent).indexOf(true), 0, 'the place of the value')
    },
  },
  {
    name: 'a rollback publishes the stored bytes of an older version again, with its comment',
    run: async ({ open, path }) => {
      const { client, config } = await open()
      await config.publish(0)
      await client.set(path, ' 1 ')
      await config.publish(2, { force: true, comment: 'a mistake' })
      await config.rollback(2)
      equal(new TextDecoder().decode((await client.get(path)).data), ' 1 ', 'the stored bytes')
      await config.rollback(3)
      const [now] = await config.history()
      equal([now?.version, now?.value, now?.comment], [5, 2, 'a mistake'], 'the newest entry')
    },
  },
  {
    name: 'a rollback to what is not kept, or over what was not seen, is refused and changes nothing',
    run: async ({ open }) => {
      const { config } = await open()
      await config.publish(1)
      await rejects(config.rollback(2), { code: 'NO_NODE', outcome: 'rejected' }, 'a rollback to what is not kept')
      const { version } = await config.publish(2)
      await config.publish(3)
      const call = config.rollback(1, { ifVersion: version })
      await rejects(call, { code: 'BAD_VERSION', outcome: 'rejected' }, 'a rollback over a newer value')
      equal([await config.get(), (await config.history()).length], [3, 3], 'the value, and the number of entries')
    },
  },
  {
    name: 'no more entries are kept than may be, and always the newest',
    run: async ({ open }) => {
      const { config } = await open(FEW)
      for (let value = 1; value <= 2 * FEW; value += 1) await config.publish(value)
      const versions = (await config.history()).map(({ version }) => version)
      equal(versions, [2 * FEW, 2 * FEW - 1, 2 * FEW - 2], 'versions')
      await rejects(config.rollback(1), { code: 'NO_NODE' }, 'a rollback to what was dropped')
    },
  },
  {
    name: 'a publisher goes on with its next session',
    needs: ['expire'],
    run: async ({ world, open }) => {
      const { client, config } = await open()
      await config.publish(1)
      await world.expire(client)
      await config.publish(2)
      equal(await listed(config), [[2, 2, null, null, true], [1, 1, null, null, false]], 'the history')
    },
  },
]

/**
 * Registers the cases that every history of a configuration has to pass.
 *
 * @param runner - `describe` and `it` of a test runner
 * @param options - the configuration to test
 */
export function configHistorySuite(runner: Runner, options: ConfigHistorySuiteOptions): void {
  registerRecipe(runner, `history of ${options.name}`, options, CASES, (world) => {
    const path = world.path('config')
    const open: HistoryWorld['open'] = async (entriesMax = ENTRIES_MAX) => {
      const client = await world.connect()
      return { client, config: options.makeConfig(client, path, entriesMax) }
    }
    return { world, path, open }
  })
}

async function listed(config: TestedConfigHistory): Promise<unknown[]> {
  const entries = await config.history()
  return entries.map(({ version, value, author, comment, isCurrent }) => [version, value, author, comment, isCurrent])
}
