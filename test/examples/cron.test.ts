/** The cron job of a fleet: each minute is run once, by one host after the other. */
import { expect, it } from 'vitest'
import { runCron } from '../../examples/cron.ts'

it('runs each minute once, over a deploy and a lost session', async () => {
  const { runs, problems } = await runCron()
  expect(problems).toEqual([])
  expect(runs.map(({ minute }) => minute)).toEqual(runs.map((_, index) => index))
  expect(new Set(runs.map(({ token }) => token)).size).toBeGreaterThan(2)
})
