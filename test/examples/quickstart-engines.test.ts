/** One changed line: the quickstart on each engine comes to the same table. */
import { describe, expect, it } from 'vitest'
import { runQuickstart, tell } from '../../examples/quickstart.ts'
import type { Report } from '../../examples/quickstart/report.ts'
import { connect } from '../../src/index.ts'
import type { Backend } from '../../src/index.ts'
import { etcd } from '../../src/backends/etcd/index.ts'
import { redis } from '../../src/backends/redis/index.ts'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import { etcdMissing, startEtcd } from '../engines/etcd.ts'
import { redisMissing, startRedis } from '../engines/redis.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../engines/zookeeper.ts'

/** An engine that somebody else runs. */
interface Running {
  /** The value of `--connect`. */
  readonly url: string
  readonly backend: Backend
  readonly stop: () => Promise<void>
}

const TEST_MS_MAX = 120_000

const ENGINES: readonly (readonly [name: string, skipped: string | null, start: () => Promise<Running>])[] = [
  ['ZooKeeper', reasonToSkipZooKeeper(), async () => {
    const { connectString, stop } = await startZooKeeper()
    return { url: `zookeeper://${connectString}`, backend: zookeeper(connectString), stop }
  }],
  ['etcd', etcdMissing, async () => {
    const { urls, close } = await startEtcd(1)
    return { url: (urls[0] ?? '').replace('http:', 'etcd:'), backend: etcd(urls), stop: close }
  }],
  ['Redis', redisMissing, async () => {
    const server = await startRedis()
    const url = `redis://127.0.0.1:${server.port}`
    return { url, backend: redis(url), stop: () => server.close() }
  }],
]

/** The rows of the table "Is it so?", without what differs from run to run. */
type Row = readonly [check: string, verdict: 'ok' | 'failed' | 'left out']

async function reportOn(url: string): Promise<Report> {
  let text = ''
  const run = await runQuickstart(url)
  tell(run, ['--json'], (printed) => {
    text += printed
  })
  return JSON.parse(text) as Report
}

function rowsOf({ checks }: Report): readonly Row[] {
  return checks.map(({ name, ok }) => [name, ok === null ? 'left out' : ok ? 'ok' : 'failed'])
}

describe('the quickstart on an engine of one\'s own choice', { timeout: TEST_MS_MAX }, () => {
  let own: Promise<Report> | null = null
  const embedded = (): Promise<Report> => (own ??= reportOn('embedded:'))

  for (const [name, skipped, start] of ENGINES) {
    const reason = skipped === null ? '' : ` (skipped: ${skipped})`
    it.skipIf(skipped !== null)(`gives the same table on ${name}, and leaves nothing there${reason}`, async () => {
      const expected = rowsOf(await embedded())
      const { url, backend, stop } = await start()
      try {
        const report = await reportOn(url)
        const rows = rowsOf(report)
        const leftOut = rows.flatMap(([check, verdict]) => (verdict === 'left out' ? [check] : []))
        expect(leftOut.map((check) => /leader/.test(check))).toEqual([true, true])
        const onOthers = ([check, verdict]: Row): Row => [check, leftOut.includes(check) ? 'left out' : verdict]
        expect(rows).toEqual(expected.map(onOthers))
        expect(expected.map(([, verdict]) => verdict)).not.toContain('left out')
        expect(report.workers.map(({ worker, end }) => [worker, end === 'no job was left'])).toEqual(
          (await embedded()).workers.map(({ worker, end }) => [worker, end === 'no job was left']),
        )
        await using client = await connect(backend)
        expect((await client.children('/')).names.filter((node) => node.startsWith('quickstart'))).toEqual([])
      } finally {
        await stop()
      }
    })
  }

  it('refuses a URL that means no engine, and says what it takes', async () => {
    const forms = 'embedded:, zookeeper://host:port, etcd://host:port or redis://host:port'
    await expect(runQuickstart('mysql://localhost')).rejects.toThrow(new TypeError(`--connect takes ${forms}`))
  })
})
