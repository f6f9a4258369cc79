/** The times of a session that are Redis' own, most of them as parts of its time-out. */

/** Part of the session time-out between two renewals. */
export const RENEWAL_PART = 1 / 4
/** Part of the session time-out after which a server that answers nothing is left. */
export const SILENCE_PART = 1 / 2
/** Part of the session time-out that a server has to take the session up again; at least `ATTEMPT_MS_MIN`. */
export const ATTEMPT_PART = 1 / 3
export const ATTEMPT_MS_MIN = 100
/** Largest pause between two attempts to reconnect, in milliseconds. */
export const PAUSE_MS_MAX = 1_000
