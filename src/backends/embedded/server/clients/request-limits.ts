/** The limits of requests that are the same at every server. */

/** Requests of one connection that may wait for their answer; one more and it is closed. */
export const PENDING_REQUESTS_MAX = 100_000
/** Most operations of one multi or multiRead: they are done in one go, and nothing else is meanwhile. */
export const REQUEST_PARTS_MAX = 10_000
/** Pings of one connection that may wait for their answer; clients send one every third of their session time-out. */
export const UNANSWERED_PINGS_MAX = 64
