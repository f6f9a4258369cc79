/** Stretches of time in which something was held for certain, by the monotonic clock that all processes share. */
import { isCoordinationError } from 'quorate'
import { pause } from './part.ts'

/** From one instant to another, in milliseconds. */
export interface Span {
  readonly fromMs: number
  readonly toMs: number
}

/** A holding. */
export interface Hold extends Span {
  /** The thing that is held. */
  readonly place: string
  /** How much of it. */
  readonly weight: number
  /** The token of the lease, in decimal digits. */
  readonly token: string
}

const HOLD_MS = 20

/** The time, in milliseconds. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/**
 * Holds a lease for a moment. It looks at the clock before it asks the lease: a process that is frozen in between has
 * held it at the instant that it names.
 *
 * @returns when it was held for certain
 * @throws CoordinationError `LEASE_LOST` if it was lost before
 */
export async function held(lease: { throwIfLost(): void }): Promise<Span> {
  const fromMs = now()
  lease.throwIfLost()
  await pause(HOLD_MS)
  const toMs = now()
  try {
    lease.throwIfLost()
  } catch (error) {
    if (!isCoordinationError(error, 'LEASE_LOST')) throw error
    return { fromMs, toMs: fromMs }
  }
  return { fromMs, toMs }
}

/** Sentences about the instants at which more of a place was held than there is. */
export function overfull(holds: readonly Hold[], limit: number): string[] {
  return byPlace(holds).flatMap(([place, own]) => {
    return own.flatMap(({ fromMs }) => {
      const beside = own.filter((other) => other.fromMs <= fromMs && fromMs <= other.toMs)
      const weight = beside.reduce((sum, other) => sum + other.weight, 0)
      const tokens = beside.map(({ token }) => token).join(' and ')
      return weight > limit ? [`${weight} of ${limit} of ${place} are held by ${tokens}`] : []
    })
  })
}

/** Sentences about a place with one holder at a time where a token is not greater than that before it. */
export function tokensBack(holds: readonly Hold[]): string[] {
  return byPlace(holds).flatMap(([place, own]) => {
    return own.flatMap(({ token }, index) => {
      const before = own[index - 1]
      const isBack = before !== undefined && BigInt(token) <= BigInt(before.token)
      return isBack ? [`${place} was given to ${token} after ${before.token}`] : []
    })
  })
}

/** The holds of each place, one after the other. */
function byPlace(holds: readonly Hold[]): [place: string, holds: Hold[]][] {
  const places = new Map<string, Hold[]>()
  for (const hold of [...holds].sort((a, b) => a.fromMs - b.fromMs)) {
    places.set(hold.place, [...(places.get(hold.place) ?? []), hold])
  }
  return [...places]
}
