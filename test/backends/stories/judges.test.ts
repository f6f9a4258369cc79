/** Each judge of a part, held against a record of a recipe that breaks its promise. */
import { describe, expect, it } from 'vitest'
import { BARRIER, COUNT_DOWN_LATCH, DOUBLE_BARRIER } from './barriers.ts'
import { CHILDREN_CACHE, NODE_CACHE } from './caches.ts'
import { CONFIG_ROLLOUT, LAYERED_CONFIG } from './configurations.ts'
import { ID_ALLOCATOR, RATE_LIMITER, SHARED_VALUE } from './counters.ts'
import { MULTI_LOCK, READ_WRITE_LOCK, REENTRANT_LOCK, SEMAPHORES } from './locks.ts'
import type { Part } from './part.ts'
import { PARTS } from './parts.ts'
import { DISTRIBUTED_QUEUE } from './queue.ts'
import { ONCE_ONLY, TRANSACT } from './transactions.ts'

const hold = (who: number, place: string, weight: number, token: number, [fromMs, toMs]: readonly number[]): object => {
  return { who, place, weight, token: String(token), fromMs, toMs }
}

const again = (token: number, more: object): object => ({ ...hold(0, '/r', 1, token, [token, token]), ...more })

/** Broken records: the part, what was said, and the beginning of a sentence about it. */
const BROKEN: readonly (readonly [part: Part, said: readonly object[], sentence: string])[] = [
  [READ_WRITE_LOCK, [
    hold(0, '/story/read-write', 3, 1, [1, 5]), hold(1, '/story/read-write', 1, 2, [4, 8]),
  ], '4 of 3 of /story/read-write are held by 1 and 2'],
  [READ_WRITE_LOCK, [
    hold(0, '/story/read-write', 3, 7, [1, 2]), hold(1, '/story/read-write', 1, 6, [4, 8]),
  ], '6 is a token from before'],
  [READ_WRITE_LOCK, [
    hold(0, 'the writers', 1, 1, [1, 5]), hold(1, 'the writers', 1, 2, [3, 4]),
  ], '2 of 1 of the writers'],
  [REENTRANT_LOCK, [again(3, { inner: '3', count: 1 })], '3 was held 1 times'],
  [REENTRANT_LOCK, [again(3, { inner: '4', count: 2 })], '3 was taken twice as two'],
  [MULTI_LOCK, [hold(0, '/m/1', 1, 5, [1, 2]), hold(1, '/m/1', 1, 5, [3, 4])], '/m/1 was given to 5 after 5'],
  [SEMAPHORES, [hold(0, '/s', 2, 1, [1, 9]), hold(1, '/s', 2, 2, [5, 6])], '4 of 3 of /s'],
  [SHARED_VALUE, [{ who: 0, type: 'set', value: 4 }, { who: 1, type: 'set', value: 4 }], 'the value 4 comes twice'],
  [SHARED_VALUE, [{ who: 1, type: 'saw', value: 4 }, { who: 1, type: 'saw', value: 3 }], '1 went from 4 back to 3'],
  [ID_ALLOCATOR, [{ who: 0, id: '9' }, { who: 2, id: '9' }], 'the id 9 comes twice'],
  [RATE_LIMITER, [0, 1, 2, 3].map((fromMs) => ({ who: 0, fromMs, toMs: fromMs + 1 })), '12 tokens were given'],
  [BARRIER, [
    { who: 0, type: 'up', fromMs: 1, toMs: 9 }, { who: 1, type: 'waited', fromMs: 2, toMs: 8 },
  ], '1 passed at 8'],
  [COUNT_DOWN_LATCH, [
    { who: 0, latch: 0, counts: 'a', atMs: 1, remaining: -1 },
    { who: 1, latch: 0, counts: 'b', atMs: 2, remaining: -1 },
    { who: 0, latch: 0, counts: null, atMs: 3, remaining: 0 },
  ], '0 passed latch 0 after a,b'],
  [DOUBLE_BARRIER, [
    { who: 0, type: 'tries', fromMs: 1, toMs: 1, isSameSession: true },
    { who: 0, type: 'in', fromMs: 1, toMs: 3, isSameSession: true },
  ], '0 came in alone'],
  [DOUBLE_BARRIER, [0, 1].flatMap((who) => [
    { who, type: 'tries', fromMs: 1, toMs: 1, isSameSession: true },
    { who, type: 'in', fromMs: 1, toMs: 3, isSameSession: true },
    { who, type: 'left', fromMs: 5 + 5 * who, toMs: 6 + 5 * who, isSameSession: true },
  ]), '0 had left at 6, and 1 was in until 10'],
  [DISTRIBUTED_QUEUE, [0, 1].map((who) => {
    return { who, type: 'held', hold: hold(who, 'i', 1, who, [1, 5]) }
  }), '2 of 1 of i'],
  [DISTRIBUTED_QUEUE, [0, 1].map((who) => {
    return { who, type: 'done', id: 'i', value: 'v', isSure: true }
  }), 'what is done i'],
  [CHILDREN_CACHE, [{ who: 0, type: 'saw', values: [1, 2] }], '0 saw 1,2 at one moment'],
  [NODE_CACHE, [{ who: 0, type: 'saw', values: [2] }, { who: 0, type: 'saw', values: [1] }], '0 went from 2 back to 1'],
  [TRANSACT, [
    { who: 0, type: 'moved', isSure: true, accounts: [{ sum: 999, moves: 0 }] },
  ], 'account 0 has 999, and by the moves it has 1000'],
  [TRANSACT, [
    { who: 0, type: 'moved', isSure: true, accounts: [] },
    { who: 0, type: 'counted', isSure: true, accounts: [{ sum: 1_000, moves: 0 }] },
  ], '0 was told of 1 moves'],
  [ONCE_ONLY, [
    ...['a', 'b'].map((value) => ({ who: 0, type: 'made', key: 1, value })),
    ...['a', 'b'].map((value) => ({ who: 0, type: 'given', key: 1, value })),
  ], '0 was given b for 1, and another a'],
  [CONFIG_ROLLOUT, [{ who: 1, type: 'has', value: 2, atMs: 1 }], '1 has 2, which was not for it'],
  [CONFIG_ROLLOUT, [
    { who: 0, type: 'published', value: 5, version: 9, isLast: false }, { who: 0, type: 'entry', value: 4, version: 9 },
  ], '5 was published as 9, which has 4'],
  [LAYERED_CONFIG, [
    { who: 0, type: 'saw', layers: { base: 3 } }, { who: 0, type: 'saw', layers: { base: 1 } },
  ], 'base at 0 went from 3 back to 1'],
]

/** Records in which something has not come. */
const MISSING: readonly (readonly [part: Part, said: readonly object[], sentence: string])[] = [
  [SHARED_VALUE, [{ who: 0, type: 'set', value: 4 }, { who: 1, type: 'saw', value: 3 }], '1 sees 3, and not 4'],
  [DISTRIBUTED_QUEUE, [{ who: 0, type: 'put', value: 'v' }], 'v is not done'],
  [NODE_CACHE, [{ who: 0, type: 'wrote', values: [4] }, { who: 1, type: 'saw', values: [3] }], '1 sees 3, and not 4'],
  [CONFIG_ROLLOUT, [{ who: 0, type: 'published', value: 5, version: 9, isLast: true }], '0 has not come to 5'],
  [LAYERED_CONFIG, [{ who: 0, type: 'published', layers: { base: 3 } }], '0 does not see base 3'],
  [BARRIER, [], 'nobody has met the barrier'],
]

function named(records: typeof BROKEN): { part: Part; said: readonly object[]; sentence: string }[] {
  return records.map(([part, said, sentence]) => ({ part, said, sentence }))
}

describe('a judge', () => {
  it.each(named(BROKEN))('says what is broken: $sentence ($part.title)', ({ part, said, sentence }) => {
    const found = part.broken({ said: said as never, present: [0, 1, 2] })
    expect(found.filter((one) => one.startsWith(sentence))).not.toEqual([])
  })

  it.each(named(MISSING))('says what is missing: $sentence ($part.title)', ({ part, said, sentence }) => {
    const found = part.missing?.({ said: said as never, present: [0, 1] }) ?? []
    expect(found.filter((one) => one.startsWith(sentence))).not.toEqual([])
  })

  it('has nothing to say of a part in which nothing was said', () => {
    for (const part of PARTS) expect(part.broken({ said: [], present: [0, 1, 2] })).toEqual([])
  })
})
