import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { readJobs } from '../../examples/quickstart/jobs.ts'
import { Ledger } from '../../examples/quickstart/ledger.ts'
import { PriceList } from '../../examples/quickstart/price-list.ts'
import { pricingSchema } from '../../examples/quickstart/pricing.ts'
import type { Pricing } from '../../examples/quickstart/pricing.ts'
import { CONFIG_PATH, Worker } from '../../examples/quickstart/worker.ts'
import { ConfigCenter, connect } from '../../src/index.ts'
import { embedded } from '../../src/backends/embedded/index.ts'
import { scratchFolder } from '../engines/process.ts'

const DATA = fileURLToPath(new URL('../../examples/data', import.meta.url))

it('a worker that the ledger refuses before its own client hears of the end says why it lost', async () => {
  const folder = scratchFolder('worker')
  await using ensemble = embedded({ servers: 1 })
  await using clerk = await connect(ensemble)
  const { signal } = new AbortController()
  const config = new ConfigCenter<Pricing>(clerk, CONFIG_PATH, { schema: pricingSchema })
  await (await PriceList.copy(join(DATA, 'pricing.json'), join(folder.path, 'pricing.json'), config)).publish(signal)
  const ledger = new Ledger(join(folder.path, 'ledger.jsonl'))
  const client = await connect(ensemble)
  const sessionId = client.sessionId ?? 0n
  const notes: string[] = []
  const note = (what: string): void => void notes.push(what)
  const jobs = await readJobs(join(DATA, 'jobs.json'))
  const worker = await Worker.start('slow', client, { jobs, ledger, signal, note })
  const pausing = worker.pauseInNextJob()
  const running = worker.run()
  const { job, lease, resume } = await pausing
  const amounts = { version: 0, currency: job.currency, net: 0, vat: 0, total: 0 }
  ledger.append({ token: String(lease.token + 1n), job: job.id, worker: 'quick', session: 'a1', ...amounts })
  resume()
  await expect.poll(() => notes.join('\n')).toContain('the ledger refuses slow')
  ensemble.expireSession(sessionId)
  const { lost } = await running
  expect(['session-expired', 'node-deleted']).toContain(lost?.reason)
  expect(lost).toMatchObject({ job: job.id, refusal: 'stale-token' })
  folder.remove()
})
