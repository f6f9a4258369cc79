/** The example of the partitioner checks itself. */
import { expect, it } from 'vitest'
import { runPartitions } from '../../examples/partitions.ts'

it('shares out tenants over a worker that comes, a killed session and one that leaves', async () => {
  const { checks, rests, refused } = await runPartitions()
  expect(Object.entries(checks).filter(([, holds]) => !holds)).toEqual([])
  expect([rests.length, refused]).toEqual([4, 0])
})
