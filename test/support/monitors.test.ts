import { expect, it } from 'vitest'
import { monitored } from './monitors.ts'

it('a long turn is seen, and a rest between turns is none', async () => {
  const { longestTurnMs } = await monitored(async () => {
    const endMs = performance.now() + 100
    while (performance.now() < endMs) JSON.stringify({ performance })
    await new Promise((resolve) => setTimeout(resolve, 300))
  })
  expect(longestTurnMs).toBeGreaterThan(20)
  expect(longestTurnMs).toBeLessThan(290)
})

it('what is kept is seen, and what is not is not', async () => {
  const kept: Uint8Array[] = []
  const { grownBytes } = await monitored(async () => {
    for (let i = 0; i < 50; i++) {
      if (i % 5 === 0) kept.push(new Uint8Array(1_000_000))
      else new Uint8Array(1_000_000).fill(1)
      await Promise.resolve()
    }
  })
  expect(kept).toHaveLength(10)
  expect(grownBytes).toBeGreaterThan(9_000_000)
  expect(grownBytes).toBeLessThan(20_000_000)
})
