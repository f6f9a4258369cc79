import { expect, it } from 'vitest'
import { closingLine } from './closing-line-reporter.ts'

it('tells how many tests passed and failed', () => {
  expect(closingLine({ passed: 12, failed: 1, skipped: 0 })).toBe('12 passed, 1 failed')
})

it('tells of skipped tests only if there are any', () => {
  expect(closingLine({ passed: 12, failed: 0, skipped: 3 })).toBe('12 passed, 0 failed, 3 skipped')
})
