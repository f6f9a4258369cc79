/**
 * Assertions of the conformance cases: they need no test runner, and their messages say what was expected of whom.
 */
import { isCoordinationError } from '../../core/errors.ts'
import type { CoordinationError, ErrorCode, Outcome } from '../../core/errors.ts'

/** A case that found the promise of a contract broken. */
export class ConformanceError extends Error {
  /** Makes an error whose message is a sentence. */
  constructor(message: string) {
    super(message)
    this.name = 'ConformanceError'
  }
}

/** How an operation should have been refused. */
interface ExpectedError {
  readonly code: ErrorCode
  readonly outcome?: Outcome
  readonly index?: number
}

/** How often a condition is looked at while it is awaited, in milliseconds. */
const POLL_MS = 5

/** Asserts that something holds; `promise` is the sentence that should be true. */
export function ok(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new ConformanceError(`not so: ${promise}`)
}

/** Asserts that two values (primitives, bytes, plain objects and arrays of them) are equal. */
export function equal(actual: unknown, expected: unknown, what: string): void {
  const [is, shouldBe] = [show(actual), show(expected)]
  if (is !== shouldBe) throw new ConformanceError(`${what}: is ${is}, should be ${shouldBe}`)
}

/** Asserts that a call rejects as it should, and returns its error. */
export async function rejects(
  call: Promise<unknown>,
  expected: ExpectedError,
  what: string,
): Promise<CoordinationError> {
  return errorIs(await rejection(call, what), expected, what)
}

/** Asserts that something that was thrown is the error that it should be, and returns it. */
export function errorIs(error: unknown, expected: ExpectedError, what: string): CoordinationError {
  if (!isCoordinationError(error)) throw new ConformanceError(`${what}: rejected with ${show(error)}`)
  for (const key of ['code', 'outcome', 'index'] as const) {
    if (expected[key] !== undefined) equal(error[key], expected[key], `${key} of the error of ${what}`)
  }
  return error
}

/** Asserts that a call rejects, with whatever, and returns that. */
export async function rejection(call: Promise<unknown>, what: string): Promise<unknown> {
  let value: unknown
  try {
    value = await call
  } catch (error) {
    return error
  }
  throw new ConformanceError(`${what}: should have been refused, answered ${show(value)}`)
}

/** Waits until a condition holds. An error of the backend counts as not yet; a promise found broken ends the wait. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  promise: string,
  patienceMs: number,
): Promise<void> {
  const deadlineMs = performance.now() + patienceMs
  let last: unknown
  do {
    try {
      if (await condition()) return
    } catch (error) {
      if (error instanceof ConformanceError) throw error
      last = error
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  } while (performance.now() < deadlineMs)
  const reason = last === undefined ? '' : ` (${show(last)})`
  throw new ConformanceError(`not so within ${patienceMs} ms: ${promise}${reason}`)
}

/** Waits for a call, and fails if it takes too long instead of letting the runner guess which one hung. */
export async function within<T>(call: Promise<T>, what: string, patienceMs: number): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLate = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new ConformanceError(`${what}: nothing within ${patienceMs} ms`)), patienceMs)
  })
  try {
    return await Promise.race([call, tooLate])
  } finally {
    clearTimeout(timer)
  }
}

/** Writes a value the same way whatever the order of its keys. */
export function show(value: unknown): string {
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Uint8Array) return `bytes(${value.join(' ')})`
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`
  if (value instanceof Error) return String(value)
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'undefined'
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{ ${entries.map(([key, field]) => `${key}: ${show(field)}`).join(', ')} }`
}
