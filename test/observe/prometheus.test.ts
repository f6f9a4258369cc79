/** The numbers of clients, as Prometheus reads them. */
import { expect, it } from 'vitest'
import { connect } from '../../src/core/connect.ts'
import { PrometheusObserver } from '../../src/observe/prometheus.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { LeaderElection } from '../../src/recipes/leader/leader-election.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { SESSION_TIMEOUT_MS, closeAll, failureOf, newRig, pass, run, sessionOf } from '../recipes/rig.ts'
import { useVirtualTime } from '../recipes/rig.ts'

useVirtualTime()

/** The value of each series. */
function seriesOf(metrics: PrometheusObserver): Map<string, number> {
  const lines = metrics.text().split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(lines.map((line) => {
    const [, series = '', value] = /^([a-z_]+(?:\{(?:[a-z]+="(?:[^"\\]|\\.)*",?)+\})?) (\S+)$/.exec(line) ?? []
    expect(series, line).not.toBe('')
    return [series.replace('quorate_client_', ''), Number(value)]
  }))
}

it('counts calls, waits, leases and states, of all clients that have it', async () => {
  const [rig, metrics] = [newRig(), new PrometheusObserver()]
  const a = await run(connect(rig.backend, { observer: metrics }))
  const b = await run(connect(rig.backend, { observer: metrics }))
  await failureOf(a.get('/none'))
  const lease = await run(new FairLock(a, '/l').acquire())
  const waiting = new FairLock(b, '/l').acquire()
  await run(new FairLock(b, '/l').tryAcquire())
  const reading = a.get('/l')
  let series = seriesOf(metrics)
  expect(series.get('calls_in_progress{method="get"}')).toBe(1)
  await run(reading)
  expect(series.get('waits_in_progress{method="acquire",kind="lock"}')).toBe(1)
  expect(series.get('leases_held{kind="lock"}')).toBe(1)
  expect(series.get('sessions{state="connected"}')).toBe(2)
  await pass(2_000)
  await run(lease.release())
  await run((await run(waiting)).release())
  await pass(0)
  series = seriesOf(metrics)
  expect(series.get('call_duration_seconds_count{method="get",outcome="NO_NODE"}')).toBe(1)
  expect(series.get('calls_in_progress{method="get"}')).toBe(0)
  const waits = 'wait_duration_seconds_bucket{method="acquire",kind="lock",outcome="ok"'
  expect([1, 2.5, '+Inf'].map((bound) => series.get(`${waits},le="${String(bound)}"}`))).toEqual([1, 2, 2])
  expect(series.get('wait_duration_seconds_count{method="tryAcquire",kind="lock",outcome="taken"}')).toBe(1)
  expect(series.get('leases_held{kind="lock"}')).toBe(0)
  expect(series.get('lease_hold_duration_seconds_count{kind="lock",end="released"}')).toBe(2)
  expect(await closeAll(rig, a, b)).toEqual([])
  series = seriesOf(metrics)
  expect(series.get('sessions{state="connected"}')).toBe(0)
  expect(series.get('session_changes_total{state="closed"}')).toBe(2)
})

it('counts losses with their reasons, elections and changes of configurations', async () => {
  const [rig, metrics] = [newRig(), new PrometheusObserver()]
  const client = await run(connect(rig.backend, { observer: metrics }))
  await run(new LeaderElection(client, '/e').campaign())
  const config = new ConfigCenter<number>(client, '/c')
  await run(config.publish(1))
  await pass(0)
  expect(seriesOf(metrics).get('leaderships')).toBe(1)
  rig.control.disconnect(sessionOf(client))
  await pass(SESSION_TIMEOUT_MS)
  const series = seriesOf(metrics)
  expect(series.get('leaderships')).toBe(0)
  expect(series.get('elections_total{event="elected"}')).toBe(1)
  expect(series.get('elections_total{event="lost"}')).toBe(1)
  expect(series.get('leases_lost_total{kind="latch",reason="deadline-passed"}')).toBe(1)
  expect(series.get('config_change_duration_seconds_count{action="publish",outcome="ok"}')).toBe(1)
  await run(config.close())
  expect(await closeAll(rig, client)).toEqual([])
})

it('describes each metric once, by the conventions of Prometheus, and escapes what a label holds', () => {
  const metrics = new PrometheusObserver({ buckets: [1] })
  const lease = { path: '/', token: 1n, sessionId: 1n, heldMs: 0, reason: undefined }
  metrics.onLease({ event: 'acquired', kind: 'a"\\\n', ...lease })
  expect(metrics.contentType).toBe('text/plain; version=0.0.4; charset=utf-8')
  const lines = metrics.text().split('\n')
  expect(lines).toContain(String.raw`quorate_client_leases_held{kind="a\"\\\n"} 1`)
  const types = lines.flatMap((line) => /^# TYPE (\S+) (\S+)$/.exec(line)?.slice(1).join(' ') ?? [])
  expect(new Set(types).size).toBe(types.length)
  for (const type of types) {
    expect(type).toMatch(/_total counter$|_seconds histogram$|^(?!.*(_total|_seconds) ).* gauge$/)
  }
  expect(lines.filter((line) => line.startsWith('# HELP'))).toHaveLength(types.length)
})

it.each([
  [{ bucket: [1] }, 'PrometheusObserver has no option "bucket"; did you mean "buckets"?'],
  [{ buckets: 1 }, 'buckets must be a list of seconds, got 1'],
  [{ buckets: [2, 1] }, 'buckets must rise, got 1 after 2'],
])('refuses wrong options: %j', (options, message) => {
  expect(() => new PrometheusObserver(options as never)).toThrow(message)
})
