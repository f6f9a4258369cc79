/** Abilities that the tests have on every engine: no case of the conformance suite is skipped on any. */
export const ABILITIES = ['expire', 'disconnect', 'reconnect', 'reap', 'unreachable'] as const
