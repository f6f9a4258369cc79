import { expect, it } from 'vitest'
import { downStatus } from '../../src/backends/embedded/down-status.ts'
import type { EnsembleServerStatus } from '../../src/backends/embedded/index.ts'
import { localStates } from '../../src/dashboard/servers/server-states.ts'

type Place = readonly [role: EnsembleServerStatus['role'], zxid: bigint]

function behind(...places: readonly Place[]): (number | null)[] {
  const all = places.map(([role, zxid], index) => ({ ...downStatus(index + 1), role, serving: role !== 'DOWN', zxid }))
  return localStates({ status: () => all }).map((state) => state.behind)
}

it('a server is behind by the writes that its leader has applied and it has not', () => {
  expect(behind(['LEADING', 0x2_0000_0007n], ['FOLLOWING', 0x2_0000_0003n], ['OBSERVING', 0x1_0000_0009n])).toEqual([
    0, 4, null,
  ])
  expect(behind(['LEADING', 0x2_0000_0007n], ['FOLLOWING', 0x2_0000_0008n], ['DOWN', 0n])).toEqual([0, 0, null])
})

it('nothing is missing where a leader has written nothing yet', () => {
  expect(behind(['LEADING', 0x2_0000_0000n], ['FOLLOWING', 0x1_0000_0007n], ['FOLLOWING', 0x1_0000_0006n])).toEqual([
    0, 0, 1,
  ])
})

it('without a leader nobody is behind', () => {
  expect(behind(['LOOKING', 0x2_0000_0007n], ['LOOKING', 0x2_0000_0003n])).toEqual([null, null])
})
