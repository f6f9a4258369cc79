/**
 * Majorities of the voters.
 */

/** Whether this many servers are a majority of the voters. */
export function isQuorum(count: number, voters: readonly number[]): boolean {
  return count > Math.floor(voters.length / 2)
}

/**
 * The greatest value that a majority of the voters has reached.
 *
 * @param reached - how far each voter is, in any order; a voter that is left out has reached nothing
 * @returns null if fewer than a majority have reached anything
 */
export function quorumValue<T extends bigint | number>(reached: readonly T[], voters: readonly number[]): T | null {
  const descending = [...reached].sort((a, b) => (a < b ? 1 : a > b ? -1 : 0))
  return descending[Math.floor(voters.length / 2)] ?? null
}
