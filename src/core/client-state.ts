/** Where a client stands. */

/**
 * Where the client stands. Unlike a session, a client outlives an expiry: it opens a new session and tells its id.
 *
 * - `connected`: session `sessionId` is answered by a server. After `expired` the id is a new one.
 * - `suspended`: no server is in touch; leases are good until `deadlineMs` on `performance.now()`.
 * - `expired`: session `sessionId` is over with its ephemeral nodes; a new one is being opened.
 * - `closed`: final.
 */
export type ClientState =
  | { readonly status: 'connected'; readonly sessionId: bigint }
  | { readonly status: 'suspended'; readonly sessionId: bigint; readonly deadlineMs: number }
  | { readonly status: 'expired'; readonly sessionId: bigint }
  | { readonly status: 'closed' }
