import { expect, it } from 'vitest'
import { Xids } from '../../../src/backends/client/xids.ts'

it('numbers requests upwards, and behind the largest int32 again from 1', () => {
  const xids = new Xids(2 ** 31 - 3)
  expect([xids.next(), xids.next(), xids.next(), xids.next()]).toEqual([2 ** 31 - 2, 2 ** 31 - 1, 1, 2])
})
