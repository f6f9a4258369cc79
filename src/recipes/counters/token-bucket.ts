/**
 * Token bucket, as arithmetic: the tokens of a bucket, and when they can be had.
 *
 * Model     a bucket of `burst` tokens, into which `limit` drop per `perMs`. Its whole state is one instant, the one at
 *           which it is full again if nobody takes any more: tokens that are taken move it on by the time that it takes
 *           to replace them. So there is nothing that has to be refilled by anybody.
 * Debt      tokens may be taken before they are there: the bucket says when they will be. Later takers wait
 *           longer, so takers are served in the order in which they took.
 * Source    the generic cell rate algorithm (ITU-T I.371), whose theoretical arrival time this is.
 */
import { CoordinationError } from '../../core/errors.ts'

/** The error of sums of times since 1970 with fractions, in milliseconds. */
const ROUNDING_MS = 1e-3

/** How many tokens come, and how many may be had at once. */
export interface Rate {
  /** Tokens per `perMs`. */
  readonly limit: number
  /** The period, in milliseconds. */
  readonly perMs: number
  /** The most that a rested bucket holds. */
  readonly burst: number
}

/** A bucket. */
export interface Bucket {
  readonly rate: Rate
  /** When it is full, in milliseconds since 1970 by the fleet's clock; in the past if it is. */
  readonly fullAtMs: number
  /** When it was written, by the fleet's clock as its writer knew it; a write's own time may be earlier. */
  readonly atMs: number
}

/** A bucket after tokens were taken from it. */
export interface Taken {
  readonly bucket: Bucket
  /** When the tokens are there; not later than now if they are there already. */
  readonly readyAtMs: number
}

/** Takes tokens, be they there already or not. */
export function takeFrom({ rate, fullAtMs }: Bucket, tokens: number, nowMs: number): Taken {
  const fullAfterMs = Math.max(fullAtMs, nowMs) + refillMs(rate, tokens)
  return { bucket: { rate, fullAtMs: fullAfterMs, atMs: nowMs }, readyAtMs: fullAfterMs - refillMs(rate, rate.burst) }
}

/** How many whole tokens are there; negative while some that were taken are not. */
export function tokensIn({ rate, fullAtMs }: Bucket, nowMs: number): number {
  return Math.floor(rate.burst - Math.max(fullAtMs - nowMs - ROUNDING_MS, 0) / refillMs(rate, 1))
}

/** Puts another rate in place, with as many tokens as there are, or as fit. */
export function changeRate(bucket: Bucket, rate: Rate, nowMs: number): Bucket {
  const missing = Math.max(rate.burst - tokensIn(bucket, nowMs), 0)
  return { rate, fullAtMs: nowMs + refillMs(rate, missing), atMs: nowMs }
}

function refillMs({ limit, perMs }: Rate, tokens: number): number {
  return (tokens * perMs) / limit
}

/** Makes the bytes of a bucket. */
export function encodeBucket({ rate, fullAtMs, atMs }: Bucket): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ ...rate, fullAtMs, atMs }))
}

/**
 * Reads the bytes of a bucket.
 *
 * @throws CoordinationError `INVALID_VALUE` with outcome `corrupt` if they are of none
 */
export function decodeBucket(path: string, data: Uint8Array): Bucket {
  const text = new TextDecoder().decode(data)
  try {
    const { limit, perMs, burst, fullAtMs, atMs } = Object(JSON.parse(text)) as Record<string, unknown>
    if ([limit, perMs, burst].every(isPositive) && [fullAtMs, atMs].every(isTime)) {
      return { rate: { limit, perMs, burst }, fullAtMs, atMs } as Bucket
    }
  } catch {
    // Told below.
  }
  const message = `${path} must hold the bucket of a rate limiter, got ${String(data.length)} bytes of something else`
  throw new CoordinationError('INVALID_VALUE', message, { outcome: 'corrupt', path })
}

/** A time that no sum here rounds: one out of bounds would stay in every clock that has read it. */
function isTime(value: unknown): boolean {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER
}

function isPositive(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value > 0
}
