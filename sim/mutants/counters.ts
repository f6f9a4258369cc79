/**
 * Mutants of counters and rates.
 */
import type { Mutant } from './mutant.ts'

const BUCKET = 'recipes/counters/token-bucket.ts'
const LIMITER = 'recipes/counters/rate-limiter.ts'
const CLOCK = 'recipes/counters/fleet-clock.ts'

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
    name: 'paid-by-an-old-clock',
    breaks: 'A client that was away takes tokens by the time at which the bucket was written last.',
    kin: 'state that is judged by the time of its last write: two who come after a rest each find the bucket full',
    edits: [{ file: LIMITER, from: 'if (!this.#clock.isSet)', to: 'if (Object.is(this.#clock.isSet, null))' }],
    workload: 'sharing',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'time-that-is-not-noted',
    breaks: 'Who comes new goes by the time of the last write alone, though its writer knew a later one.',
    kin: 'ZooKeeper, mtime of a leader whose clock is behind that of the one before',
    edits: [{ file: CLOCK, from: 'return Math.max(mtime, notedMs)', to: 'return mtime' }],
    expected: { test: 'test/recipes/counters/rate-limiter.test.ts', named: 'whose clock is behind' },
  },
  {
    name: 'clock-set-by-one-look',
    breaks: 'The first version that is read sets the clock, however old it is.',
    kin: 'the Date header of a cached answer, taken for the time',
    edits: [{ file: CLOCK, from: 'mzxid > first', to: 'mzxid >= first' }],
    expected: { test: 'test/recipes/counters/fleet-clock.test.ts', named: 'is not set by what was there before' },
  },
  {
    name: 'tokens-put-back-over-others',
    breaks: 'Who gives up a wait puts the bucket back as it was, also if others have taken tokens since.',
    kin: 'an undo that restores a whole state and not a step',
    edits: [{
      file: LIMITER,
      from: 'encodeBucket(this.#dated(before)), expected, signal',
      to: "encodeBucket(this.#dated(before)), 'any', signal",
    }],
    workload: 'sharing',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
  {
    name: 'tokens-given-before-they-are-there',
    breaks: 'Who has taken tokens goes on at once, whether they are there or not.',
    kin: 'golang.org/x/time/rate, Reserve without a look at Delay',
    edits: [{ file: LIMITER, from: 'if (leftMs > 0)', to: 'if (leftMs > Infinity)' }],
    workload: 'sharing',
    profile: 'recipes',
    expected: { seeds: 20, seedsWithoutAssertions: 20 },
  },
]
