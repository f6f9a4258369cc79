/**
 * The stall guard: a timer that fires late tells of a process that stood still (a long task, a suspended machine). The
 * messages that came meanwhile still wait in the sockets, so a late deadline lets them be read before it judges.
 */

/** A timer that fires later than this after its time, in milliseconds, has seen a stalled process. */
export const STALL_MS = 50

/**
 * Runs a task once the sockets have been read: one turn of the event loop reads them, and in the next one runs whatever
 * was woken by that.
 *
 * @returns cancels the task
 */
export function whenSocketsAreRead(task: () => void): () => void {
  let turn = setImmediate(() => {
    turn = setImmediate(task)
  })
  return () => {
    clearImmediate(turn)
  }
}
