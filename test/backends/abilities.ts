/** What the tests' hand on every engine can do: no case of the conformance suite is skipped on any. */
export const ABILITIES = ['expire', 'disconnect', 'reconnect', 'reap', 'unreachable'] as const
