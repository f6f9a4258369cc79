/** The arithmetic of a token bucket. */
import { expect, it } from 'vitest'
import { changeRate, decodeBucket, encodeBucket } from '../../../src/recipes/counters/token-bucket.ts'
import { takeFrom, tokensIn } from '../../../src/recipes/counters/token-bucket.ts'
import type { Bucket, Rate } from '../../../src/recipes/counters/token-bucket.ts'

const RATE: Rate = { limit: 10, perMs: 1_000, burst: 5 }
const NOW_MS = 1_700_000_000_000

function after(bucket: Bucket, ...takes: readonly (readonly [tokens: number, atMs: number])[]): number[] {
  let current = bucket
  return takes.map(([tokens, atMs]) => {
    const { bucket: next, readyAtMs } = takeFrom(current, tokens, NOW_MS + atMs)
    current = next
    return readyAtMs - NOW_MS
  })
}

it('gives a burst at once, and then one token after the other', () => {
  const full: Bucket = { rate: RATE, fullAtMs: 0, atMs: 0 }
  expect(after(full, [4, 0], [1, 0], [1, 0], [1, 0], [3, 50])).toEqual([-100, 0, 100, 200, 500])
})

it('fills in time, and never above its brim', () => {
  const full: Bucket = { rate: RATE, fullAtMs: NOW_MS - 86_400_000, atMs: 0 }
  expect(tokensIn(full, NOW_MS)).toBe(5)
  const { bucket } = takeFrom(full, 5, NOW_MS)
  expect([0, 99, 100, 250, 500, 9_000].map((ms) => tokensIn(bucket, NOW_MS + ms))).toEqual([0, 0, 1, 2, 5, 5])
  expect(tokensIn(takeFrom(bucket, 3, NOW_MS).bucket, NOW_MS)).toBe(-3)
})

it.each([0.1, 0.3, 0.7, 123.456])('has what was left when it was written, to the fraction: %d', (fraction) => {
  const rate: Rate = { limit: 3, perMs: 1_000, burst: 5 }
  const { bucket } = takeFrom({ rate, fullAtMs: 0, atMs: 0 }, 3, NOW_MS + fraction)
  expect(bucket.atMs).toBe(NOW_MS + fraction)
  expect(tokensIn(bucket, bucket.atMs)).toBe(2)
})

it('never gives out more than a burst and what drops in, in any time, whoever takes how much', () => {
  let [bucket, atMs, seed]: [Bucket, number, number] = [{ rate: RATE, fullAtMs: 0, atMs: 0 }, NOW_MS, 1]
  const given: { readonly readyAtMs: number; readonly tokens: number }[] = []
  for (let round = 0; round < 400; round += 1) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff
    const tokens = (seed >>> 8) % RATE.burst + 1
    atMs += (seed >>> 12) % 300
    const taken = takeFrom(bucket, tokens, atMs)
    bucket = taken.bucket
    given.push({ readyAtMs: Math.max(taken.readyAtMs, atMs), tokens })
  }
  for (const [first, { readyAtMs: fromMs }] of given.entries()) {
    let sum = 0
    for (const { readyAtMs, tokens } of given.slice(first)) {
      sum += tokens
      expect(sum).toBeLessThanOrEqual(RATE.burst + (readyAtMs - fromMs) * RATE.limit / RATE.perMs + 1e-6)
    }
  }
})

it('takes another rate with the tokens that there are', () => {
  const { bucket } = takeFrom({ rate: RATE, fullAtMs: 0, atMs: 0 }, 3, NOW_MS)
  expect(tokensIn(changeRate(bucket, { limit: 1, perMs: 1_000, burst: 10 }, NOW_MS), NOW_MS)).toBe(2)
  expect(tokensIn(changeRate(bucket, { limit: 1, perMs: 1_000, burst: 1 }, NOW_MS), NOW_MS)).toBe(1)
})

it('is read as it was written, and nothing else is', () => {
  const bucket: Bucket = { rate: RATE, fullAtMs: NOW_MS + 0.25, atMs: NOW_MS + 0.5 }
  expect(decodeBucket('/r', encodeBucket(bucket))).toEqual(bucket)
  for (const text of ['', '5', 'null', '{}', '{"limit":1,"perMs":1,"burst":1,"fullAtMs":1}', '{"limit":1',
    '{"limit":1,"perMs":1,"burst":1,"fullAtMs":1,"atMs":1e300}']) {
    expect(() => decodeBucket('/r', new TextEncoder().encode(text))).toThrow(/\/r must hold the bucket/)
  }
})
