/** Resignations: told to those who work under the leadership, or to nobody. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import type { ElectionNotice } from '../../../src/core/observer.ts'
import { lossReason } from '../../../src/recipes/engine/ownership.ts'
import { LeaderElection } from '../../../src/recipes/leader/leader-election.ts'
import type { Leadership, OnResign } from '../../../src/recipes/leader/leadership.ts'
import { ROUND_TRIP_MS, closeAll, codeOf, failureOf, newRig } from '../rig.ts'
import { pass, run, sessionOf, stateOf, useVirtualTime } from '../rig.ts'

useVirtualTime()

const SETTLE_MS = 20 * ROUND_TRIP_MS

function election(client: Client, id: string, onResign: OnResign = 'notify'): LeaderElection<string> {
  return new LeaderElection<string>(client, '/elections/cron', { id, onResign })
}

/** The state and the reason that a listener of the leadership's signal finds. */
function heardOf(leadership: Leadership<string>): string[] {
  const { signal } = leadership
  const found: string[] = []
  signal.addEventListener('abort', () => {
    found.push(`${leadership.state} ${codeOf(signal.reason)} ${lossReason(signal)}`)
  })
  return found
}

it('tells of a resignation before another leads, and only once', async () => {
  const rig = newRig()
  const elections: ElectionNotice[] = []
  const a = await rig.connect({ observer: { onElection: (notice) => elections.push(notice) } })
  const b = await rig.connect()
  const leadership = await run(election(a, 'a').campaign())
  const next = election(b, 'b').campaign()
  await pass(SETTLE_MS)
  const heard = heardOf(leadership)
  const resigning = leadership.resign()
  expect(heard).toEqual(['suspect LEASE_LOST/lost null'])
  expect(() => leadership.throwIfLost()).toThrow('was released')
  expect(await stateOf(next)).toBe('pending')
  await run(resigning)
  await run(leadership.resign())
  await run((await run(next)).resign())
  a.close().catch(() => undefined)
  await pass(SETTLE_MS)
  expect([leadership.state, heard.length]).toEqual(['released', 1])
  expect(elections).toMatchObject([{ event: 'elected' }, { event: 'resigned', reason: undefined }])
  expect(await closeAll(rig, a, b)).toEqual([])
  expect(rig.errors).toEqual([])
})

it('tells of a transfer, which goes on to its end', async () => {
  const rig = newRig()
  const [a, b] = [await rig.connect(), await rig.connect()]
  const leadership = await run(election(a, 'a').campaign())
  const next = election(b, 'b', 'silent').campaign()
  await pass(SETTLE_MS)
  expect(codeOf(await failureOf(leadership.transferTo('c')))).toBe('NO_NODE/rejected')
  const heard = heardOf(leadership)
  expect(await run(leadership.transferTo('b'))).toBe(true)
  expect(heard).toEqual(['suspect LEASE_LOST/lost null'])
  const silent = await run(next)
  await run(silent.resign())
  expect(silent.signal.aborted).toBe(false)
  expect(await closeAll(rig, a, b)).toEqual([])
})

it('tells of a loss as ever, and of nothing after it', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const leadership = await run(election(client, 'a').campaign())
  const heard = heardOf(leadership)
  rig.control.expire(sessionOf(client))
  expect(codeOf(await failureOf(leadership.proclaim('here')))).toBe('LEASE_LOST/lost')
  await run(leadership.resign())
  expect(heard).toEqual(['lost LEASE_LOST/lost deadline-passed'])
  expect(await closeAll(rig, client)).toEqual([])
})

it('ends the work of a run whose leadership somebody resigns, and campaigns again', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const stop = new AbortController()
  const tokens: bigint[] = []
  let leading: Leadership<string> | undefined
  const running = election(client, 'a').run(async (leadership, signal) => {
    leading = leadership
    tokens.push(leadership.token)
    await new Promise((resolve) => signal.addEventListener('abort', resolve))
  }, { signal: stop.signal })
  await pass(SETTLE_MS)
  await run(leading?.resign() ?? Promise.reject(new Error('nobody leads')))
  await pass(SETTLE_MS)
  expect(tokens.length).toBe(2)
  stop.abort()
  await run(running)
  expect(leading?.signal.aborted).toBe(true)
  expect(await closeAll(rig, client)).toEqual([])
  expect(rig.errors).toEqual([])
})
