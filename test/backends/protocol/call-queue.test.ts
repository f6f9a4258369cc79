import { expect, it } from 'vitest'
import { CallQueue } from '../../../src/backends/protocol/call-queue.ts'
import { ClientWatches } from '../../../src/backends/protocol/client-watches.ts'

it('numbers requests upwards, and behind the largest int32 again from 1', () => {
  const calls = new CallQueue(new ClientWatches(() => undefined), Infinity, 2 ** 31 - 3)
  expect([calls.nextXid(), calls.nextXid(), calls.nextXid(), calls.nextXid()]).toEqual([2 ** 31 - 2, 2 ** 31 - 1, 1, 2])
})
