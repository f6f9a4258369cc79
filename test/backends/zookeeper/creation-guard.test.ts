import { afterEach, describe, expect, it, vi } from 'vitest'
import { CheckedMulti } from '../../../src/backends/zookeeper/checked-multi.ts'
import { CreationGuard, OVERTAKEN_MAX, checksCreation } from '../../../src/backends/zookeeper/creation-guard.ts'
import type { GuardedRequests } from '../../../src/backends/zookeeper/creation-guard.ts'
import type { Operation, OperationResult, Session, Stat } from '../../../src/core/backend.ts'
import { CoordinationError } from '../../../src/core/errors.ts'
import { modelBackend } from '../../../src/testing/index.ts'
import { openSession } from '../../support/model-sessions.ts'

const NO_DATA = new Uint8Array()
/** The parent, the node, and the multi. */
const CALLS_OF_A_GUARDED_MULTI = 3
/** The call of a guarded multi that is refused if the count has changed. */
const COUNTED = 2

/** A session that owns no node, so that all goes by counts. */
const NOTHING_OWNED = { plan: () => null, known: () => null, counted: () => undefined, distrust: () => undefined }

afterEach(() => {
  vi.restoreAllMocks()
})

interface Scene {
  readonly owner: Session
  readonly other: Session
  readonly guard: CreationGuard
  /** How many plain multis were asked for. */
  readonly multis: () => number
  /** How many were asked for by what the session owns alone, without the count. */
  readonly unguarded: () => number
  readonly distrusted: () => boolean
  /** The counts that the guard has told of. */
  readonly counted: readonly Counted[]
}

type Counted = readonly [parent: string, count: number | null]

/**
 * @param before - is awaited before each request of the guard takes effect; told how many came before it
 */
async function scene(
  before: (call: number, other: Session) => Promise<void> = async () => undefined,
  ownership: 'none' | 'kept' | 'denied' = 'kept',
  known: GuardedRequests['known'] = () => null,
): Promise<Scene> {
  const backend = modelBackend()
  const [owner, other] = [await openSession(backend), await openSession(backend)]
  let calls = 0
  let multis = 0
  let unguarded = 0
  let isDistrusted = false
  const counted: Counted[] = []
  // As on a real session, each request takes effect after those that were asked for earlier.
  let last: Promise<unknown> = Promise.resolve()
  const inOrder = <T>(run: () => Promise<T>): Promise<T> => {
    const call = calls++
    const result = last.then(async () => {
      await before(call, other)
      return run()
    })
    last = result.catch(() => undefined)
    return result
  }
  const session = {
    exists: (path: string) => inOrder(() => owner.exists(path)),
    sync: (path: string) => inOrder(() => owner.sync(path)),
  }
  const guard = new CreationGuard({
    ...session,
    plan: (operations) => (ownership === 'none' ? null : CheckedMulti.of(operations)),
    known,
    counted: (parent, count) => void counted.push([parent, count]),
    distrust: () => {
      isDistrusted = true
    },
    multi: (operations) => {
      expect(checksCreation(operations)).toBe(false)
      multis += 1
      // A write ahead of the deletion is by what the session owns.
      const at = operations.findIndex(({ type }) => type === 'set')
      const isGuarded = operations[0]?.type === 'create'
      if (at >= 0 && !isGuarded) unguarded += 1
      const denied = new CoordinationError('NO_AUTH', 'none', { outcome: 'rejected', index: at })
      return inOrder(() => (ownership === 'denied' && at >= 0 ? Promise.reject(denied) : owner.multi(operations)))
    },
  })
  const told = { multis: () => multis, unguarded: () => unguarded, distrusted: () => isDistrusted, counted }
  return { owner, other, guard, ...told }
}

function plain(session: Session, path: string): Promise<{ readonly path: string; readonly stat: Stat }> {
  return session.create(path, NO_DATA, { mode: 'persistent' })
}

function check(path: string, czxid: bigint): Operation {
  return { type: 'check', path, version: -1, czxid }
}

function remove(path: string): Operation {
  return { type: 'delete', path, version: -1 }
}

describe('a guarded multi', () => {
  it('answers as if the servers compared creations, and leaves nothing but its effect', async () => {
    const { owner, guard } = await scene()
    await plain(owner, '/p')
    const { stat } = await plain(owner, '/p/n')
    const set: Operation = { type: 'set', path: '/p/n', data: Uint8Array.of(1), version: 0 }
    const results = await guard.multi([check('/p/n', stat.czxid), set])
    expect(results).toMatchObject([{ type: 'check' }, { type: 'set', stat: { version: 1 } }])
    const removed = await guard.multi([check('/p/n', stat.czxid), remove('/p/n')])
    expect(removed).toEqual([{ type: 'check' }, { type: 'delete' }])
    expect((await owner.children('/p')).names).toEqual([])
  })

  it.each(Array.from({ length: CALLS_OF_A_GUARDED_MULTI }, (_, call) => [call]))(
    'never touches a node that is made again before its request %i',
    async (moment) => {
      const { owner, other, guard } = await scene(async (call) => {
        if (call !== moment) return
        await other.multi([remove('/p/n'), { type: 'create', path: '/p/n', data: NO_DATA, mode: 'ephemeral' }])
      })
      await plain(owner, '/p')
      const { stat } = await plain(owner, '/p/n')
      const removal = guard.multi([check('/p/n', stat.czxid), remove('/p/n')])
      const refused = { code: 'BAD_VERSION', index: 0, path: '/p/n', outcome: 'rejected' }
      await expect(removal).rejects.toMatchObject(refused)
      expect(await other.exists('/p/n')).not.toBeNull()
    },
  )

  it('ends with what to do where others create children beside a node that is not owned without end', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(0)
    let isCrowded = true
    const { owner, other, guard, multis } = await scene(async (call) => {
      if (isCrowded) await plain(other, `/p/other-${String(call)}`)
    }, 'none')
    await plain(owner, '/p')
    await plain(owner, '/q')
    const { stat } = await plain(owner, '/p/n')
    const calm = await plain(owner, '/q/n')
    const removal = guard.multi([check('/p/n', stat.czxid), remove('/p/n')])
    const next = guard.multi([check('/q/n', calm.stat.czxid), remove('/q/n')])
    const message = expect.stringContaining('children of /p') as string
    const refused = { code: 'THROTTLED', index: 0, path: '/p/n', outcome: 'rejected', message }
    await expect(removal).rejects.toMatchObject(refused)
    expect(multis()).toBeLessThanOrEqual(OVERTAKEN_MAX + 1)
    expect((await owner.exists('/p/n'))?.czxid).toBe(stat.czxid)
    expect(await next).toHaveLength(2)
    isCrowded = false
    expect(await guard.multi([check('/p/n', stat.czxid), remove('/p/n')])).toHaveLength(2)
  })

  it('tries again while others create children beside the node', async () => {
    const { owner, other, guard, multis } = await scene(async (call) => {
      if (call < 12) await plain(other, `/p/other-${String(call)}`)
    }, 'none')
    await plain(owner, '/p')
    const { stat } = await plain(owner, '/p/n')
    await guard.multi([check('/p/n', stat.czxid), remove('/p/n')])
    expect(await owner.exists('/p/n')).toBeNull()
    expect(multis()).toBeGreaterThan(2)
    expect((await owner.children('/p')).names).toHaveLength(12)
  })

  it('goes by what the session owns once others create beside the node', async () => {
    const { owner, other, guard, unguarded, multis } = await scene(async (call) => {
      if (call === COUNTED) await plain(other, '/p/other')
    })
    await plain(owner, '/p')
    const { stat } = await plain(owner, '/p/n')
    await guard.multi([check('/p/n', stat.czxid), remove('/p/n')])
    expect([multis(), unguarded()]).toEqual([2, 1])
    expect(await owner.exists('/p/n')).toBeNull()
    const { stat: again } = await plain(owner, '/p/n')
    await guard.multi([check('/p/n', again.czxid), remove('/p/n')])
    expect([multis(), unguarded()]).toEqual([3, 2])
  })

  it('tells that the servers do not keep what the session owns, once the count has shown the node', async () => {
    const { owner, other, guard, unguarded, distrusted } = await scene(async (call) => {
      if (call === COUNTED) await plain(other, '/p/other')
    }, 'denied')
    await plain(owner, '/p')
    const { stat } = await plain(owner, '/p/n')
    await guard.multi([check('/p/n', stat.czxid), remove('/p/n')])
    expect([unguarded(), distrusted()]).toEqual([0, true])
    expect(await owner.exists('/p/n')).toBeNull()
  })

  it('takes one request where the count since the creation is known', async () => {
    const asked: number[] = []
    const ofParent = new Map([['/p', 1]])
    const note = async (call: number): Promise<void> => void asked.push(call)
    const { owner, guard, counted, unguarded } = await scene(note, 'kept', () => ofParent)
    await plain(owner, '/p')
    const { stat } = await plain(owner, '/p/n')
    await guard.multi([check('/p/n', stat.czxid), remove('/p/n')])
    expect([asked, unguarded(), counted]).toEqual([[0], 0, [['/p', 1]]])
    expect(await owner.exists('/p/n')).toBeNull()
  })

  it('looks at a node whose count was overtaken, unless a watch that stands on it is known to be told', async () => {
    for (const isWatched of [false, true]) {
      const asked: number[] = []
      const known: GuardedRequests['known'] = (_, isCrowded) => {
        if (!isCrowded('/p')) return new Map([['/p', 1]])
        return isWatched ? new Map() : null
      }
      const note = async (call: number): Promise<void> => void asked.push(call)
      const { owner, guard, counted, unguarded } = await scene(note, 'kept', known)
      await plain(owner, '/p')
      const { stat } = await plain(owner, '/p/n')
      await plain(owner, '/p/other')
      await guard.multi([check('/p/n', stat.czxid), remove('/p/n')])
      expect(asked).toHaveLength(isWatched ? 2 : 4)
      expect([unguarded(), counted]).toEqual([1, [['/p', null]]])
      expect(await owner.exists('/p/n')).toBeNull()
    }
  })

  it('never touches a node that was made again since its count was known', async () => {
    const { owner, other, guard } = await scene(undefined, 'kept', (_, isCrowded) => {
      return isCrowded('/p') ? null : new Map([['/p', 1]])
    })
    await plain(owner, '/p')
    const { stat } = await plain(owner, '/p/n')
    await other.multi([remove('/p/n'), { type: 'create', path: '/p/n', data: NO_DATA, mode: 'ephemeral' }])
    const removal = guard.multi([check('/p/n', stat.czxid), remove('/p/n')])
    await expect(removal).rejects.toMatchObject({ code: 'BAD_VERSION', index: 0, path: '/p/n', outcome: 'rejected' })
    expect(await other.exists('/p/n')).not.toBeNull()
  })

  it('refuses a check of a node that the same multi creates, and one whose parent is gone', async () => {
    const { owner, guard } = await scene()
    const { stat } = await plain(owner, '/n')
    const again: Operation = { type: 'create', path: '/n', data: NO_DATA, mode: 'persistent' }
    const replaced = guard.multi([remove('/n'), again, check('/n', stat.czxid)])
    await expect(replaced).rejects.toMatchObject({ code: 'BAD_VERSION', index: 2 })
    const gone = guard.multi([check('/gone/n', 1n), remove('/gone/n')])
    await expect(gone).rejects.toMatchObject({ code: 'NO_NODE', index: 0, path: '/gone/n' })
    expect((await owner.exists('/n'))?.czxid).toBe(stat.czxid)
  })

  it('syncs before it refuses, since a server that lags may not know the node yet', async () => {
    const backend = modelBackend()
    const owner = await openSession(backend)
    const { stat } = await plain(owner, '/n')
    let isSynced = false
    const session = {
      exists: (path: string) => (isSynced || path === '/' ? owner.exists(path) : Promise.resolve(null)),
      sync: async (path: string) => {
        await owner.sync(path)
        isSynced = true
      },
    }
    const multi = (operations: readonly Operation[]): Promise<OperationResult[]> => owner.multi(operations)
    const guard = new CreationGuard({ ...session, ...NOTHING_OWNED, multi })
    await guard.multi([check('/n', stat.czxid), remove('/n')])
    expect(await owner.exists('/n')).toBeNull()
  })

  it('leaves with others in one multi, and one that is refused fails alone', async () => {
    const { owner, guard, multis } = await scene()
    await plain(owner, '/p')
    const made = await Promise.all(Array.from({ length: 100 }, (_, i) => plain(owner, `/p/${String(i)}`)))
    await owner.set('/p/50', NO_DATA, -1)
    const removals = made.map(({ path, stat }) => {
      return guard.multi([check(path, stat.czxid), { type: 'delete', path, version: 0 }])
    })
    const results = await Promise.allSettled(removals)
    const refused: unknown[] = []
    for (const [i, result] of results.entries()) if (result.status === 'rejected') refused.push([i, result.reason])
    expect(refused).toMatchObject([[50, { code: 'BAD_VERSION', index: 1, path: '/p/50', outcome: 'rejected' }]])
    expect((await owner.children('/p')).names).toEqual(['50'])
    expect(multis()).toBeLessThan(6)
  })

  it('gives the error of a lost connection to everyone, without a path or a place of its own', async () => {
    const { owner } = await scene()
    const lost = new CoordinationError('CONNECTION_LOSS', 'lost', { outcome: 'unknown' })
    const guard = new CreationGuard({
      exists: (path) => owner.exists(path),
      sync: (path) => owner.sync(path),
      ...NOTHING_OWNED,
      multi: () => Promise.reject(lost),
    })
    const { stat } = await plain(owner, '/n')
    const both = await Promise.allSettled([1, 2].map(() => guard.multi([check('/n', stat.czxid), remove('/n')])))
    for (const result of both) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'CONNECTION_LOSS', outcome: 'unknown' } })
      expect((result as PromiseRejectedResult).reason).toMatchObject({ index: undefined, path: undefined })
    }
  })

  it.each([
    ['past 2^30 creates', 2 ** 30 + 5, '1073741829'],
    ['past the wrap', (2 ** 31 + 5) | 0, '-2147483643'],
    ['just below zero', -1, '-000000001'],
  ])('guesses the right half of a count %s', async (_, creates, suffix) => {
    // cversion is 2 * creates - children; the int32 loses the highest bit.
    const parent = { cversion: (creates * 2 - 1) | 0, numChildren: 1 } as Stat
    const node = { czxid: 7n } as Stat
    const session: Pick<Session, 'exists' | 'sync'> = {
      exists: (path) => Promise.resolve(path === '/p' ? parent : node),
      sync: () => Promise.resolve(),
    }
    let attempts = 0
    const multi = (operations: readonly Operation[]): Promise<OperationResult[]> => {
      attempts += 1
      const [create, guarded] = operations
      expect(create?.type).toBe('create')
      const isRight = guarded?.path === `${create?.path ?? ''}${suffix}`
      if (isRight) return Promise.resolve(operations.map(() => ({ type: 'delete' })))
      return Promise.reject(new CoordinationError('NO_NODE', 'none', { outcome: 'rejected', index: 1 }))
    }
    const guard = new CreationGuard({ ...session, ...NOTHING_OWNED, multi })
    expect(await guard.multi([check('/p/n', 7n), remove('/p/n')])).toHaveLength(2)
    expect(attempts).toBeLessThanOrEqual(2)
  })
})
