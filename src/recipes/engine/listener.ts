/**
 * Listeners of callers: an error of one is reported with its name.
 */

/**
 * Makes a listener whose errors say where it listens.
 *
 * @param what - the recipe that it listens to, such as `ConfigCenter`
 * @param path - the path of that recipe
 * @param listener - of the caller
 * @returns one that throws an error with the cause
 */
export function namedListener<E>(
  what: string,
  path: string,
  listener: (event: E) => void | Promise<void>,
): (event: E) => Promise<void> {
  return async (event) => {
    try {
      await listener(event)
    } catch (cause) {
      const name = listener.name === '' ? 'a listener' : `the listener ${listener.name}`
      const message = cause instanceof Error ? cause.message : String(cause)
      throw new Error(`${name} of ${what} on ${path} threw: ${message}`, { cause })
    }
  }
}
