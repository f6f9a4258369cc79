/**
 * Storage in files, on a machine whose calls of the system fail: one scripted life, and a failure at each of its calls
 * in turn, of each kind, once or from then on.
 *
 * Checked   after the failure the server ends. A start after it, in the same process, in another one or after a crash
 *           of the machine, finds all that was acknowledged, once, and a prefix of the rest; the storage goes on
 *           from there. A state that a start has found is durable: a crash of the machine after it takes nothing away.
 *           A disk that is full for some calls, and then has room, takes nothing; nor does a crash soon after.
 */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FileStorage } from '../../../../../src/backends/embedded/host/storage/files.ts'
import { isDamage, recover } from '../../../../../src/backends/embedded/host/storage/recovery.ts'
import { isNoRoom } from '../../../../../src/backends/embedded/host/storage/room.ts'
import type { PersistOperation } from '../../../../../src/backends/embedded/server/zab/journal.ts'
import { zxidOf } from '../../../../../src/backends/embedded/server/zab/zxid.ts'
import { SeededRandom } from '../../../../../src/testing/simulation/random.ts'
import { LossyFileSystem } from '../../../../../src/testing/simulation/lossy-file-system.ts'
import type { CallFailure } from '../../../../../src/testing/simulation/lossy-file-system.ts'
import { NEW, after, described, outcomes, readable } from '../../../../../src/testing/simulation/durable-model.ts'
import type { Model } from '../../../../../src/testing/simulation/durable-model.ts'
import { entryOf, stateAt } from './storage-model.ts'

type Kind = CallFailure & { readonly lasts: boolean }

/** A write that is short, and a call whose work was done though it failed, are among them. */
const KINDS: readonly Kind[] = [
  { code: 'EIO', done: 0, lasts: false },
  { code: 'EIO', done: 0.5, lasts: false },
  { code: 'EIO', done: 1, lasts: false },
  { code: 'EMFILE', done: 0, lasts: false },
  { code: 'ENOSPC', done: 0, lasts: true },
  { code: 'ENOSPC', done: 0.5, lasts: true },
]

/** As a server promises: one thing at a time. */
const epochs = (acceptedEpoch: number, currentEpoch: number, votes = true): PersistOperation => {
  return { type: 'epochs', acceptedEpoch, currentEpoch, votes }
}

const append = (epoch: number, first: number, count: number): PersistOperation => {
  const entries = Array.from({ length: count }, (_, i) => entryOf(zxidOf(epoch, first + i), i))
  return { type: 'append', entries }
}

/** Batches, and zxids of snapshots that are taken between them. */
const SCRIPT: readonly (readonly PersistOperation[] | bigint)[] = [
  [epochs(0, 0)],
  [epochs(1, 0)],
  [epochs(1, 1)],
  [append(1, 1, 1)],
  [append(1, 2, 1)],
  zxidOf(1, 1),
  [append(1, 3, 1)],
  [epochs(2, 1), { type: 'truncate', zxid: zxidOf(1, 2) }],
  [epochs(2, 2), append(2, 1, 1)],
  zxidOf(2, 1),
  [{ type: 'install', zxid: zxidOf(2, 5), chunks: stateAt(zxidOf(2, 5)) }],
  [append(2, 6, 1)],
  [append(2, 7, 1)],
  zxidOf(2, 6),
  [append(2, 8, 1)],
]

/** A server's storage that ends with its first failure. */
class Life {
  readonly files: LossyFileSystem
  storage: FileStorage
  model: Model = NEW
  under: readonly PersistOperation[] = []
  #applied = 0n
  /** One that waits for room ends here as well. */
  onFull = (): void => void setImmediate(() => void this.storage.close().catch(() => undefined))

  constructor(seed: number) {
    this.files = new LossyFileSystem(new SeededRandom(seed))
    this.storage = this.newStorage()
  }

  newStorage(): FileStorage {
    return new FileStorage(this.files, {
      dataDir: '/data',
      dataLogDir: '/log',
      snapRetainCount: 1,
      preallocateBytes: 4_096,
      onTornTail: () => undefined,
      onFull: () => this.onFull(),
      onRoom: () => undefined,
    })
  }

  async live(): Promise<void> {
    await recover(this.storage)
    for (const step of SCRIPT) {
      if (typeof step === 'bigint') await this.#snapshot(step)
      else await this.#persist(step)
    }
    await this.storage.close()
  }

  async #persist(operations: readonly PersistOperation[]): Promise<void> {
    this.under = operations
    await this.storage.persist(operations)
    for (const operation of operations) this.model = after(this.model, operation)
    this.under = []
  }

  async #snapshot(zxid: bigint): Promise<void> {
    this.#applied = zxid
    const sink = this.storage.createSnapshot(zxid)
    try {
      for (const chunk of stateAt(zxid)) await sink.write(chunk)
      await sink.commit()
    } catch (error) {
      sink.abort()
      // As the host does: the next one is due later.
      if (!isNoRoom(error)) throw error
    }
  }

  /** Reads the storage as a start does; the state must be one of the possible ones. */
  async expectFound(storage: FileStorage, where: string): Promise<Model> {
    const { acceptedEpoch, currentEpoch, votes, base, entries } = await recover(storage)
    const result = { acceptedEpoch, currentEpoch, votes, base, entries }
    const possible = readable(outcomes(this.model, this.under), base, this.#applied)
    const expected = possible.map(({ model }) => described(model, base))
    expect(expected, where).toContain(described(result, base))
    return possible[expected.indexOf(described(result, base))]?.model as Model
  }

  /** Checks that the found state is durable, and that the next transaction can follow it. */
  async goOn(storage: FileStorage, found: Model, where: string): Promise<void> {
    this.model = found
    this.under = []
    this.files.crash()
    await this.expectFound(this.newStorage(), `${where}, and a crash after it`)
    if (storage !== this.storage) await storage.close()
    const next = this.newStorage()
    await this.expectFound(next, `${where}, once more`)
    const epoch = Math.max(this.model.acceptedEpoch, this.model.currentEpoch) + 1
    await this.#goOnWith(next, epoch)
    this.files.crash()
    const last = this.newStorage()
    await this.expectFound(last, `${where}, and one more transaction`)
    await last.close()
    await next.close()
  }

  async #goOnWith(storage: FileStorage, epoch: number): Promise<void> {
    const { storage: former } = this
    this.storage = storage
    const { currentEpoch, votes } = this.model
    await this.#persist([epochs(epoch, currentEpoch, votes), epochs(epoch, epoch, votes), append(epoch, 1, 1)])
    this.storage = former
  }
}

/** Lives until the call of this number fails, in this way; false if there are not so many calls. */
async function livedUntil(life: Life, failing: number, { code, done, lasts }: Kind): Promise<boolean> {
  let calls = 0
  life.files.failureOf = () => {
    calls += 1
    return calls === failing || (lasts && calls > failing) ? { code, done } : null
  }
  let error: unknown = null
  try {
    await life.live()
  } catch (raised) {
    error = raised
  }
  if (calls < failing) {
    expect(error).toBeNull()
    return false
  }
  return true
}

/** So many say what is wrong; more are not looked for. */
const PROBLEMS_MAX = 3
const STARTS = ['in the same process', 'in another process', 'after a crash of the machine'] as const

async function startsAgain(life: Life, start: (typeof STARTS)[number], where: string): Promise<void> {
  await life.storage.close().catch(() => undefined)
  life.files.failureOf = () => null
  expect(life.files.openFiles, `${where}: files that stay open`).toBe(0)
  if (start === 'in the same process') {
    try {
      const found = await life.expectFound(life.storage, where)
      await life.storage.close()
      await life.goOn(life.storage, found, where)
    } catch (error) {
      if (!isDamage(error)) throw error
      expect(String(error), where).toMatch(/a sync failed/)
    }
    return
  }
  if (start === 'after a crash of the machine') life.files.crash()
  const storage = life.newStorage()
  const found = await life.expectFound(storage, where)
  await life.goOn(storage, found, where)
}

describe('a call of the system that fails', () => {
  it.each(STARTS)('takes nothing that was acknowledged from a start %s', async (start) => {
    let lives = 0
    const problems: string[] = []
    for (const kind of KINDS) {
      for (let failing = 1; problems.length < PROBLEMS_MAX; failing++) {
        const life = new Life(failing)
        if (!(await livedUntil(life, failing, kind))) break
        lives += 1
        const name = `call ${failing}: ${kind.code}, ${kind.done} done, ${kind.lasts ? 'and all after it' : 'once'}`
        await startsAgain(life, start, `${name}; start ${start}`).catch((error: unknown) => {
          problems.push(`${name}: ${String(error)}`)
        })
      }
    }
    expect(problems).toEqual([])
    expect(lives).toBeGreaterThan(KINDS.length * 100)
  }, 120_000)
})

/** Calls that a disk without room refuses. */
const NEED_ROOM: ReadonlySet<string> = new Set(['create', 'write', 'grow', 'shrink', 'rename'])
const FULL_CALLS = [1, 3]
const PARTS = [0, 0.5]
/** Crashes come so many calls after the disk was found full. */
const CRASH_AFTER = [1, 2, 3, 4, 5, 6, 8, 10, 12]

describe('a disk that is full for a while', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** @returns how it ended; null if there are not so many calls that need room */
  async function livedThrough(
    life: Life,
    full: { readonly from: number; readonly calls: number; readonly done: number },
    crashAfter: number,
  ): Promise<'whole' | 'crashed' | 'not begun' | null> {
    let [calls, left, isOver] = [0, crashAfter, false]
    let crash = (): void => undefined
    const crashed = new Promise<'crashed'>((resolve) => (crash = () => resolve('crashed')))
    const isFull = (): boolean => calls >= full.from && calls < full.from + full.calls
    life.files.failureOf = (name) => {
      if (!NEED_ROOM.has(name)) return null
      calls += 1
      return isFull() ? { code: 'ENOSPC', done: name === 'write' ? full.done : 0 } : null
    }
    life.files.onCall = () => {
      if (calls >= full.from) left -= 1
      if (left > 0) return undefined
      crash()
      return new Promise(() => undefined)
    }
    life.onFull = () => {
      const pass = (): void => {
        if (!isOver) vi.runOnlyPendingTimers()
        if (!isOver && isFull()) setImmediate(pass)
      }
      setImmediate(pass)
    }
    const lived = life.live().then(() => 'whole' as const, (error: unknown) => {
      // Nobody waits for the first files of a server, and the end of its storage.
      if (!isNoRoom(error) || life.under.length > 0) throw error
      return life.model === NEW ? 'not begun' as const : 'whole' as const
    })
    const end = await Promise.race([lived, crashed])
    isOver = true
    if (calls < full.from) return null
    // Whatever else was under way comes to its next call, and stays there.
    await new Promise((resolve) => setImmediate(resolve))
    life.files.onCall = () => undefined
    life.files.failureOf = () => null
    life.files.crash()
    return end
  }

  it.each([Infinity, ...CRASH_AFTER])('costs nothing, with a crash %d calls later', async (crashAfter) => {
    const ends = { whole: 0, crashed: 0, 'not begun': 0 }
    for (const calls of FULL_CALLS) {
      for (const done of PARTS) {
        for (let from = 1; ; from++) {
          const life = new Life(from)
          const end = await livedThrough(life, { from, calls, done }, crashAfter)
          if (end === null) break
          ends[end] += 1
          const where = `${calls} calls from ${from} on, ${done} done, ${end}`
          const storage = life.newStorage()
          await life.expectFound(storage, where)
          await storage.close()
        }
      }
    }
    expect(ends[crashAfter === Infinity ? 'whole' : 'crashed']).toBeGreaterThan(100)
  })
})
