/** The example of feature flags checks itself. */
import { expect, it } from 'vitest'
import { runFlags } from '../../examples/flags.ts'

it('widens a flag, switches one off, refuses a wrong document, and tries one on a single server first', async () => {
  const { checks, shares } = await runFlags()
  expect(Object.entries(checks).filter(([, holds]) => !holds)).toEqual([])
  expect(shares).toHaveLength(3)
})
