/**
 * The promises of each recipe while its engine fails: the suite behind docs/guarantees.md. Each fault strikes three
 * clients at work; each recipe's part of the record is a test of its own.
 */
import { describe, expect, it } from 'vitest'
import type { Client } from '../../src/index.ts'
import { eventually } from '../../src/testing/conformance/expect.ts'
import { steps } from '../../src/testing/conformance/case.ts'
import { ITEMS } from './kept-story.ts'
import { MEMBERS, runStory } from './recipe-story.ts'
import type { LockRecord, StoryRecord } from './recipe-story.ts'
import { PARTS } from './stories/parts.ts'

/** An engine that can be struck. */
export interface StruckEngine {
  /** Connects a client, with the session time-out of this suite. */
  readonly connect: () => Promise<Client>
  /** Injects the fault while the clients work; resolves when it is over. */
  readonly strike: (clients: readonly Client[]) => Promise<void>
  /** Ends it. */
  readonly close: () => Promise<void>
}

/** Options of {@link recipeFaults}. */
export interface FaultOptions {
  /** Why it is not run, or null. */
  readonly skipped?: string | null
  /** Whether subscribers may be told an older value again, since acknowledged writes can be lost. */
  readonly losesWrites?: boolean
}

/** The session time-out of the clients: long enough for a busy machine, and short enough to wait for. */
export const SESSION_TIMEOUT_MS = 2_000

const PATIENCE_MS = 60_000
const TEST_MS_MAX = 120_000
const CUTS = 25

/**
 * Registers a test per recipe for its promises under a fault.
 *
 * @param title - the fault
 * @param start - starts the engine; called when the first test runs
 */
export function recipeFaults(title: string, start: () => Promise<StruckEngine>, options: FaultOptions = {}): void {
  const { skipped = null, losesWrites = false } = options
  let told: Promise<StoryRecord> | null = null
  const story = (): Promise<StoryRecord> => (told ??= tell(start))
  const reason = skipped === null ? '' : ` (skipped: ${skipped})`
  describe.skipIf(skipped !== null)(`${title}${reason}`, { timeout: TEST_MS_MAX }, () => {
    it('FairLock has one holder by token, serves everyone again, and leaves no node', async () => {
      judgeLock((await story()).fair)
    })

    it('ExclusiveLock has one holder by token, serves everyone again, and leaves no node', async () => {
      judgeLock((await story()).exclusive)
    })

    it('LeaderElection has one leader by token, serves everyone again, and leaves no node', async () => {
      judgeLock((await story()).leader)
    })

    it('AtomicCounter tells no step twice, and loses none that it confirmed', async () => {
      const { befores, unknown, last } = (await story()).counter
      expect(befores.length).toBeGreaterThan(0)
      if (losesWrites) return
      expect(new Set(befores).size).toBe(befores.length)
      expect(Number(last)).toBeGreaterThanOrEqual(befores.length)
      expect(Number(last)).toBeLessThanOrEqual(befores.length + unknown)
    })

    it('ConfigCenter brings every subscriber to the last value', async () => {
      const { values, lastValue } = await story()
      for (const seen of values) {
        expect(seen.at(-1)).toBe(lastValue)
        if (!losesWrites) expect(seen).toEqual([...seen].sort((a, b) => a - b))
      }
    })

    it('GroupMembership brings everyone to the same members, and leaves no node', async () => {
      const { members, membersLeftBehind } = await story()
      expect(members).toEqual(MEMBERS.map(() => MEMBERS))
      expect(membersLeftBehind).toEqual([])
    })

    it('PersistentNode is there again with its data, and leaves no node', async () => {
      const { kept, keptLeftBehind } = await story()
      expect(kept.nodes).toEqual(MEMBERS.map(() => 'registered'))
      expect(keptLeftBehind.nodes).toEqual([])
    })

    it('ServiceRegistry brings everyone to the same instances, and leaves no node', async () => {
      const { kept, keptLeftBehind } = await story()
      expect(kept.services).toEqual(MEMBERS.map(() => MEMBERS))
      expect(keptLeftBehind.services).toEqual([])
    })

    it('Partitioner has one owner per item by token, has every item owned again, and leaves no node', async () => {
      const { kept, keptLeftBehind } = await story()
      expect(kept.partitions).toEqual({ items: ITEMS, refused: 0, repeated: 0 })
      expect(keptLeftBehind.items).toEqual([])
    })

    for (const part of PARTS) {
      it(part.title, async () => {
        expect((await story()).book.problems(part)).toEqual([])
      })
    }
  })
}

/** Cuts connections again and again, at another moment in each round. */
export async function cutOften(clients: readonly Client[], cut: () => void): Promise<void> {
  for (let round = 0; round < CUTS; round++) {
    await steps(round)
    cut()
    const isBack = (): boolean => clients.every(({ state }) => state.status === 'connected')
    await eventually(isBack, 'everyone is connected again', PATIENCE_MS)
  }
}

/** Cuts a client off, as `isolate` does, until it has lost its session and has another. */
export async function cutOff(client: Client | undefined, isolate: (sessionId: bigint) => void): Promise<void> {
  const sessionId = client?.sessionId
  if (client === undefined || typeof sessionId !== 'bigint') throw new Error('there is nobody to cut off')
  isolate(sessionId)
  const isAnother = (): boolean => client.sessionId !== null && client.sessionId !== sessionId
  await eventually(isAnother, 'the client that was cut off has another session', PATIENCE_MS)
}

/** Freezes a server for twice the session time-out. */
export async function freezeTwice(freeze: () => void, thaw: () => void): Promise<void> {
  freeze()
  await new Promise((resolve) => setTimeout(resolve, 2 * SESSION_TIMEOUT_MS))
  thaw()
}

async function tell(start: () => Promise<StruckEngine>): Promise<StoryRecord> {
  const engine = await start()
  try {
    return await runStory({ ...engine, patienceMs: PATIENCE_MS })
  } finally {
    await engine.close()
  }
}

function judgeLock({ resource, roundsBehind, leftBehind }: LockRecord): void {
  expect({ refused: resource.refused, repeated: resource.repeated }).toEqual({ refused: 0, repeated: 0 })
  expect(resource.tokens).toEqual([...resource.tokens].sort((a, b) => (a < b ? -1 : 1)))
  expect(Math.min(...roundsBehind)).toBeGreaterThan(0)
  expect(leftBehind).toEqual([])
}
