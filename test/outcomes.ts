/** How calls end, for tests that must not wait for them. */
import { expect } from 'vitest'

/** The state of a promise: empty while it is pending. */
export interface Settled {
  value?: unknown
  error?: unknown
}

/** Watches a promise, whose rejection is then handled; one that is fulfilled without a value has the value `done`. */
export function outcomeOf(promise: Promise<unknown>): Settled {
  const outcome: Settled = {}
  promise.then(
    (value) => (outcome.value = value ?? 'done'),
    (error: unknown) => (outcome.error = error),
  )
  return outcome
}

/** Matches a CoordinationError by what its callers look at. */
export function failure(code: string, outcome: string): unknown {
  return expect.objectContaining({ name: 'CoordinationError', code, outcome })
}
