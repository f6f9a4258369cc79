/** The example of a worker for jobs checks itself. */
import { expect, it } from 'vitest'
import { runQueueWorker } from '../../examples/queue-worker.ts'

it('sends each mail once, over refusals, a worker that dies and one that nobody can send', async () => {
  const checks = await runQueueWorker()
  expect(Object.entries(checks).filter(([, holds]) => !holds)).toEqual([])
  expect(Object.keys(checks)).toHaveLength(6)
})
