/**
 * Majorities of the voters.
 */

/** Whether this many servers are a majority of the voters. */
export function isQuorum(count: number, voters: readonly number[]): boolean {
  return count > Math.floor(voters.length / 2)
}
