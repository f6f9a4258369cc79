/**
 * Three processes of one small HTTP service, which carry their own ensemble; each is killed, and nothing is lost.
 *
 * Use       `npm run example:replicated`, or `npm run example:replicated -- --json`
 * Story     customers send orders to any process, again and again until one says that it has them. One process bills;
 *           that is, the one that has the lock. The process with the lock is killed with SIGKILL, then one that leads
 *           the ensemble, then the rest, then all at once, and each is started again. The discount changes meanwhile.
 * Status    0; 1 if any check fails.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { checkRun } from './checks.ts'
import type { Kill, RunRecord, View } from './checks.ts'
import { Fleet } from './fleet.ts'
import type { Order } from './messages.ts'

const PROCESSES = [1, 2, 3] as const
const CUSTOMERS = 4
const PAUSE_MS = 15
/** Orders that are acknowledged between two events of the story. */
const ORDERS_BETWEEN = 20
const PERCENTS = [5, 10, 15, 20, 25] as const
const RUN_MS_MAX = 240_000

/** Who sends orders, and remembers what the service said. */
class Customers {
  readonly sent = new Map<string, number>()
  readonly acknowledged = new Set<string>()
  readonly #fleet: Fleet
  readonly #signal: AbortSignal
  #isDone = false

  constructor(fleet: Fleet, signal: AbortSignal) {
    this.#fleet = fleet
    this.#signal = signal
  }

  /** Sends one order after the other until `done`. */
  async run(): Promise<void> {
    await Promise.all(Array.from({ length: CUSTOMERS }, async (_, customer) => {
      for (let count = 0; !this.#isDone; count++) {
        const id = `customer-${customer}-${count}`
        const amount = 1 + Math.floor(Math.random() * 1_000)
        this.sent.set(id, amount)
        await this.#fleet.put(`/orders/${id}`, String(amount))
        this.acknowledged.add(id)
        await delay(PAUSE_MS)
      }
    }))
  }

  done(): void {
    this.#isDone = true
  }

  /** Waits until so many more are acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.acknowledged.size + count
    while (this.acknowledged.size < goal) await delay(PAUSE_MS, undefined, { signal: this.#signal })
  }
}

/**
 * Runs the story.
 *
 * @param note - gets a sentence about each event
 * @returns the record of the run
 */
async function runStory(folder: string, note: (what: string) => void): Promise<RunRecord> {
  const limit = new AbortController()
  const { signal } = limit
  setTimeout(() => limit.abort(new Error(`still not done after ${RUN_MS_MAX} ms`)), RUN_MS_MAX).unref()
  await using fleet = await Fleet.make(folder, PROCESSES, signal)
  fleet.start()
  await fleet.untilServing()
  note(`${PROCESSES.length} processes serve; ${CUSTOMERS} customers begin`)
  const customers = new Customers(fleet, signal)
  const running = customers.run()
  running.catch((error: unknown) => limit.abort(error))
  const published: number[] = []
  const publish = async (): Promise<void> => {
    const percent = PERCENTS[published.length] ?? 0
    await fleet.put('/config', String(percent))
    published.push(percent)
    note(`the discount is ${percent} %`)
  }
  await publish()
  const kills: Kill[] = []
  const left = new Set<number>(PROCESSES)
  for (let round = 0; left.size > 0; round++) {
    const victim = await nextVictim(fleet, left, round)
    left.delete(victim.myid)
    note(`process ${victim.myid}, which ${victim.what}, is killed`)
    kills.push(await killed(fleet, customers, [victim.myid], publish))
    note(`process ${victim.myid} serves again; process ${kills.at(-1)?.after.myid} has the lock`)
  }
  note('all processes are killed at once')
  kills.push(await killed(fleet, customers, PROCESSES, publish))
  note('all serve again')
  await customers.more(ORDERS_BETWEEN)
  customers.done()
  await running
  const views = await settledViews(fleet, published.at(-1) ?? 0)
  const { sent, acknowledged } = customers
  return { processes: PROCESSES, sent, acknowledged, kills, published, views }
}

/** First the one that has the lock, then one that leads the ensemble if it was not killed yet, then any. */
async function nextVictim(
  fleet: Fleet,
  left: ReadonlySet<number>,
  round: number,
): Promise<{ readonly myid: number; readonly what: string }> {
  const { myid: holder } = await untilHeld(fleet, 0n)
  if (round === 0) return { myid: holder, what: 'has the lock' }
  const [first = 0] = left
  const { leader = null } = (await fleet.health(first)) ?? {}
  if (leader !== null && left.has(leader)) return { myid: leader, what: 'leads the ensemble' }
  return { myid: first, what: 'was not killed yet' }
}

/** Kills processes; publishes and takes orders meanwhile if some are left; starts them again. */
async function killed(
  fleet: Fleet,
  customers: Customers,
  victims: readonly number[],
  publish: () => Promise<void>,
): Promise<Kill> {
  const before = await untilHeld(fleet, 0n)
  await fleet.kill(victims)
  const countAtKill = customers.acknowledged.size
  const areLeft = victims.length < fleet.ids.length
  const isHolder = victims.includes(before.myid)
  let after = before
  if (areLeft) {
    await customers.more(ORDERS_BETWEEN)
    await publish()
    if (isHolder) after = await untilHeld(fleet, before.token)
  }
  const acknowledged = customers.acknowledged.size - countAtKill
  fleet.start(victims)
  await fleet.untilServing()
  if (!areLeft) after = await untilHeld(fleet, before.token)
  await customers.more(ORDERS_BETWEEN)
  return { killed: victims, before, after, acknowledged }
}

/** Waits until a process has the lock under a token above this one. */
async function untilHeld(fleet: Fleet, above: bigint): Promise<Kill['before']> {
  let found: Kill['before'] | null = null
  await fleet.until(async () => {
    found = await fleet.holder()
    return found !== null && found.token > above
  })
  return found ?? { myid: 0, token: 0n }
}

/** Waits until all orders are billed and the last discount has come everywhere, and asks each process. */
async function settledViews(fleet: Fleet, percent: number): Promise<View[]> {
  let views: View[] = []
  await fleet.until(async () => {
    const all = await Promise.all(fleet.ids.map((myid) => viewOf(fleet, myid).catch(() => null)))
    views = all.flatMap((view) => (view === null ? [] : [view]))
    const isBilled = views.every(({ orders }) => orders.every(({ bill }) => bill !== null))
    return views.length === fleet.ids.length && isBilled && views.every((view) => view.percent === percent)
  })
  return views
}

async function viewOf(fleet: Fleet, myid: number): Promise<View> {
  const orders = await fleet.ask(myid, 'GET', '/orders')
  const config = await fleet.ask(myid, 'GET', '/config')
  if (orders.status !== 200 || config.status !== 200) throw new Error(`process ${myid} gives no answer`)
  const { percent } = config.body as { readonly percent: number }
  return { myid, orders: orders.body as Order[], percent }
}

/** Prints what came of a run; the exit status. */
function tell(run: RunRecord, json: boolean): number {
  const checks = checkRun(run)
  const ok = checks.every((check) => check.ok)
  if (json) console.log(JSON.stringify({ ok, checks }, null, 2))
  else {
    console.log()
    for (const { name, ok: isOk, found } of checks) console.log(`${isOk ? 'ok    ' : 'FAILED'}  ${name}: ${found}`)
  }
  return ok ? 0 : 1
}

async function main(args: readonly string[]): Promise<number> {
  const json = args.includes('--json')
  const folder = await mkdtemp(join(tmpdir(), 'quorate-replicated-'))
  const startMs = performance.now()
  try {
    return tell(await runStory(folder, (what) => {
      if (!json) console.log(`${((performance.now() - startMs) / 1_000).toFixed(1).padStart(5)} s  ${what}`)
    }), json)
  } finally {
    await rm(folder, { recursive: true })
  }
}

process.exitCode = await main(process.argv.slice(2))
