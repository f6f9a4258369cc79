/**
 * V8's own microtask checkpoint, for draining promises between two events of the simulation without a turn of the real
 * event loop. It works from a macrotask only, which is where the kernel runs its slices.
 */
import { setFlagsFromString } from 'node:v8'

/**
 * Makes the function that drains all microtasks.
 *
 * @throws Error if this runtime does not offer it; then the portable draining has to be used
 */
export function nativeDrain(): () => void {
  setFlagsFromString('--allow-natives-syntax')
  // The syntax is not JavaScript's, so it can only stand in a string.
  const drain: unknown = Function('%PerformMicrotaskCheckpoint()')
  setFlagsFromString('--no-allow-natives-syntax')
  if (typeof drain !== 'function') throw new Error('no microtask checkpoint')
  return () => {
    Reflect.apply(drain, undefined, [])
  }
}
