import { Membership } from '../../../../src/backends/embedded/server/zab/membership.ts'

/** Voters that nobody changes. */
export function fixedMembership(voters: readonly number[]): Membership {
  return new Membership({ version: 0n, voters, observers: [], text: '' }, { proposed: null, settled: null })
}
