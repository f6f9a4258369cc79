/**
 * V8's own microtask checkpoint, for draining promises between two events of the simulation without a turn of the real
 * event loop. It works from a macrotask only, which is where the kernel runs its slices.
 */
import { setFlagsFromString } from 'node:v8'
import { runInThisContext } from 'node:vm'

/**
 * Makes the function that drains all microtasks.
 *
 * @throws Error if this runtime does not offer it; then the portable draining has to be used
 */
export function nativeDrain(): () => void {
  // It stays allowed: V8 may drop the compiled code of a function, and compiles it again when it is called.
  setFlagsFromString('--allow-natives-syntax')
  const drain: unknown = runInThisContext('() => %PerformMicrotaskCheckpoint()')
  if (typeof drain !== 'function') throw new Error('no microtask checkpoint')
  return () => {
    Reflect.apply(drain, undefined, [])
  }
}
