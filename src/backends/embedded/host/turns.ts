/** Turns of the event loop, and what is waited for over some of them. */

/** How often something is looked at again, in milliseconds. */
const LOOK_MS = 5

/** Waits for the next turn of the event loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** Lets what is in the sockets, and what callbacks have begun, come to its end: two turns of the event loop. */
export async function twoTurns(): Promise<void> {
  for (let turn = 0; turn < 2; turn++) await nextTurn()
}

/**
 * Waits until something holds, or the time is over.
 *
 * @param untilMs - on `performance.now()`
 * @returns whether it holds
 */
export async function holdsBy(condition: () => boolean, untilMs: number): Promise<boolean> {
  while (!condition()) {
    const leftMs = untilMs - performance.now()
    if (leftMs <= 0) return false
    await new Promise((resolve) => setTimeout(resolve, Math.min(LOOK_MS, leftMs)))
  }
  return true
}
