/**
 * The arguments that calls of many kinds take.
 */

/** The data of a node as a caller may write it: bytes, or a string that is stored as UTF-8. */
export type Data = Uint8Array | string

/** Options of every call that waits. */
export interface WaitOptions {
  /**
   * Ends the wait: the call rejects with `ABORTED` at once, whose `cause` is the signal's reason. A write may
   * still take effect, even later, if it waited for a server; a watch that the call would have armed is forgotten.
   */
  readonly signal?: AbortSignal
}
