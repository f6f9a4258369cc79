/**
 * Mutants of counters and rates.
 */
import type { Mutant } from './mutant.ts'

const BUCKET = 'recipes/counters/token-bucket.ts'
const LIMITER = 'recipes/counters/rate-limiter.ts'
const LIMITER_TEST = 'test/recipes/counters/rate-limiter.test.ts'

/** Mutants of counters and rates. */
export const COUNTER_MUTANTS: readonly Mutant[] = [
  {
    name: 'bucket-without-a-brim',
    breaks: 'A bucket that rests fills above its brim.',
    kin: 'limiters that count tokens by the time since the last call, without a limit',
    edits: [{ file: BUCKET, from: 'Math.max(fullAtMs, nowMs) + refillMs', to: 'fullAtMs + refillMs' }],
    expected: { test: 'test/recipes/counters/token-bucket.test.ts', named: 'never above its brim' },
  },
  {
    name: 'first-tokens-free',
    breaks: 'The first caller takes its tokens at the beginning of time, from which on the bucket has filled again.',
    kin: 'limiters whose state begins at zero',
    edits: [{
      file: LIMITER,
      from: 'taking = found === null ? null : this.#takingFrom(bucket, tokens, limitMs)',
      to: 'taking = this.#takingFrom(bucket, tokens, limitMs)',
    }],
    expected: { test: LIMITER_TEST, named: 'takes nothing where it would have to' },
  },
  {
    name: 'empty-by-an-old-clock',
    breaks: 'A client that was away takes the bucket for as empty as it was when it was written last.',
    kin: 'state that is judged by the time of its last write',
    edits: [{ file: LIMITER, from: 'if (!this.#isClockSet)', to: 'if (Object.is(this.#isClockSet, null))' }],
    expected: { test: LIMITER_TEST, named: 'knows the time after a rest' },
  },
]
