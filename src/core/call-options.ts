/**
 * The arguments that calls of many kinds take.
 */

/** What a node can be filled with: bytes, or a string that is stored as UTF-8. */
export type Data = Uint8Array | string

/** What every call that waits takes. */
export interface WaitOptions {
  /**
   * Ends the wait: the call rejects with `ABORTED` at once, whose `cause` is the signal's reason. A write may
   * still take effect, even later, if it waited for a server; a watch that the call would have armed is forgotten.
   */
  readonly signal?: AbortSignal
}
