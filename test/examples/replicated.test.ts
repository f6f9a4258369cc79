/** The replicated service: its processes are killed for real, and each of its checks finds what it is for. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkRun } from '../../examples/replicated-app/checks.ts'
import type { Check, Kill, RunRecord, View } from '../../examples/replicated-app/checks.ts'
import type { Order } from '../../examples/replicated-app/messages.ts'
import { compiledPackage } from '../engines/quorate-server.ts'
import { compileExamplesInto } from '../support/compiled.ts'

const RUN_MS_MAX = 300_000

describe('the replicated service', () => {
  it('loses nothing while each of its processes is killed, and all at once', async () => {
    const compiled = compiledPackage()
    try {
      compileExamplesInto(join(compiled.path, 'examples'))
      const main = join(compiled.path, 'examples/replicated-app/main.js')
      const child = spawn(process.execPath, [main, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] })
      let out = ''
      child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
      const status = await new Promise((resolve) => child.once('close', resolve))
      const { ok, checks } = JSON.parse(out) as { ok: boolean; checks: Check[] }
      expect(checks.filter((check) => !check.ok)).toEqual([])
      expect({ ok, status, checks: checks.length }).toEqual({ ok: true, status: 0, checks: 9 })
    } finally {
      compiled.remove()
    }
  }, RUN_MS_MAX)
})

const bill = (by: number, token: bigint, zxid: bigint): Order['bill'] => {
  return { by, token: String(token), percent: 5, zxid: String(zxid) }
}
const ORDERS: readonly Order[] = [
  { id: 'a', amount: 1, bill: bill(1, 1n, 10n) },
  { id: 'b', amount: 2, bill: bill(2, 2n, 20n) },
]
const view = (myid: number): View => ({ myid, orders: ORDERS, percent: 10 })
const held = (myid: number, token: bigint): Kill['before'] => ({ myid, token })
const KILLS: readonly Kill[] = [
  { killed: [1], before: held(1, 1n), after: held(2, 2n), acknowledged: 3 },
  { killed: [2], before: held(2, 2n), after: held(3, 3n), acknowledged: 4 },
  { killed: [3], before: held(3, 3n), after: held(1, 4n), acknowledged: 5 },
  { killed: [1, 2, 3], before: held(1, 4n), after: held(1, 5n), acknowledged: 0 },
]
const GOOD: RunRecord = {
  processes: [1, 2, 3],
  sent: new Map([['a', 1], ['b', 2]]),
  acknowledged: new Set(['a', 'b']),
  kills: KILLS,
  published: [5, 10],
  views: [view(1), view(2), view(3)],
}

function withOrders(change: (order: Order) => Order, where: readonly number[] = [1, 2, 3]): RunRecord {
  const views = GOOD.views.map((one) => (where.includes(one.myid) ? { ...one, orders: one.orders.map(change) } : one))
  return { ...GOOD, views }
}

const withKills = (kills: readonly Kill[]): RunRecord => ({ ...GOOD, kills })

/** The first words of the checks that fail, and a run in which one thing is wrong. */
const WRONG: readonly (readonly [string, RunRecord])[] = [
  ['every process has every order', { ...GOOD, acknowledged: new Set(['a', 'b', 'lost']) }],
  ['every process has every order', { ...GOOD, acknowledged: new Set() }],
  ['every order has the amount', withOrders((order) => ({ ...order, amount: order.amount + 1 }))],
  ['all processes say the same', withOrders((order) => ({ ...order, bill: bill(1, 1n, 10n) }), [3])],
  ['all processes say the same', { ...GOOD, views: GOOD.views.slice(1) }],
  ['every order is billed', withOrders((order) => (order.id === 'b' ? { ...order, bill: null } : order))],
  ['one process billed', withOrders((order) => (order.id === 'a' ? { ...order, bill: bill(1, 3n, 10n) } : order))],
  ['when its holder is killed', withKills(KILLS.map((kill) => ({ ...kill, after: { ...kill.before, token: 9n } })))],
  ['when its holder is killed', withKills(KILLS.map((kill) => ({ ...kill, after: { ...kill.after, token: 0n } })))],
  ['while one process is down', withKills(KILLS.map((kill) => ({ ...kill, acknowledged: 0 })))],
  ['each process was killed', withKills(KILLS.slice(0, 3))],
  ['each process was killed', withKills(KILLS.slice(1))],
  ['every process has the configuration', { ...GOOD, views: [view(1), { ...view(2), percent: 5 }, view(3)] }],
]

describe('the checks of the replicated service', () => {
  it('accept a good run', () => {
    expect(checkRun(GOOD).filter(({ ok }) => !ok)).toEqual([])
  })

  it.each(WRONG)('find what is wrong: %s', (name, run) => {
    const failed = checkRun(run).filter(({ ok }) => !ok).map((check) => check.name)
    expect(failed.some((found) => found.startsWith(name)), failed.join('; ')).toBe(true)
  })
})
