/**
 * Transactions in use: clients move money between accounts, which are made when money comes in and deleted when none is
 * left, and count all of it.
 *
 * Waiters    try for some time, until they change their mind, or once.
 * End        everybody moves money once more, in time.
 */
import type { Client } from '../../src/core/client.ts'
import type { TimedWaitOptions } from '../../src/recipes/engine/wait.ts'
import { transact } from '../../src/recipes/transactions/transact.ts'
import type { TransactionView } from '../../src/recipes/transactions/transaction-view.ts'
import { Violation } from '../check.ts'
import { TransactionsCheck, balanceOf } from '../checks/transactions.ts'
import type { TransactionRun } from '../checks/transactions.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { ClientLife, MakeWorkload } from '../workload.ts'
import { attempt, isRefusal, limited } from './attempt.ts'

const ROOT = '/bank'
const ACCOUNTS: readonly string[] = Object.freeze(['a', 'b', 'c', 'd'])
const TOTAL = 20
const AMOUNT_MAX = 10
/** Times are in ticks. */
const PAUSE_TICKS_MAX = 10
const WAIT_TICKS_MAX = 75
const COUNT_CHANCE = 0.2
const DELETE_CHANCE = 0.7
/** How long the last transaction may take once there is service. */
const SETTLED_TICKS = 3_000

const decoder = new TextDecoder()

/** The work of one transaction, on what it reads and writes. */
type Work<R> = (run: RecordedRun) => Promise<R>

/** Makes the workload `transactions`. */
export const makeTransactions: MakeWorkload = ({ ledger, probes }) => {
  const check = new TransactionsCheck(ledger, ROOT, TOTAL)
  const program = (client: Client, life: ClientLife): Promise<void> => new Banker(client, life, check, probes).run()
  return { name: 'transactions', checks: [check], program }
}

/** One run of a function: reads and writes, and notes them. */
class RecordedRun {
  readonly seen: TransactionRun
  readonly #tx: TransactionView

  constructor(tx: TransactionView, call: string, run: number) {
    this.#tx = tx
    this.seen = { call, stamp: `${call}.${run}`, reads: new Map(), lists: new Map(), writes: new Map() }
  }

  async read(path: string): Promise<string | null> {
    const data = await this.#tx.get(path)
    const text = data === null ? null : decoder.decode(data)
    this.seen.reads.set(path, text)
    return text
  }

  async list(path: string): Promise<readonly string[]> {
    const names = await this.#tx.children(path)
    this.seen.lists.set(path, names)
    return names
  }

  async write(path: string, balance: number): Promise<void> {
    const text = `${balance} ${this.seen.stamp}`
    await this.#tx.put(path, text)
    this.seen.writes.set(path, text)
  }

  async remove(path: string): Promise<void> {
    await this.#tx.delete(path)
    this.seen.writes.set(path, null)
  }
}

/** One life of one client. */
class Banker {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #check: TransactionsCheck
  readonly #probes: Probes
  #calls = 0

  constructor(client: Client, life: ClientLife, check: TransactionsCheck, probes: Probes) {
    this.#client = client
    this.#life = life
    this.#check = check
    this.#probes = probes
  }

  async run(): Promise<void> {
    const { random } = this.#life
    const hands = random.pick([1, 1, 2])
    await Promise.all(Array.from({ length: hands }, () => this.#work()))
    const settledMs = SETTLED_TICKS * this.#life.tickMs
    const endMs = performance.now() + settledMs
    while (!(await this.#transfer((call) => call({ waitMs: settledMs })))) {
      if (performance.now() < endMs) continue
      const who = this.#life.node.name
      throw new Violation(this.#check.name, `TX5: no transaction of ${who} in ${settledMs} ms`, 'liveness')
    }
  }

  async #work(): Promise<void> {
    const { random } = this.#life
    while (!this.#life.isEnding()) {
      if (random.chance(COUNT_CHANCE)) await this.#countAll()
      else await this.#transfer((call) => limited(this.#life, WAIT_TICKS_MAX, call))
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
  }

  /** Moves money, if there is so much; makes the bank if there is none. False: it is not known to have done it. */
  async #transfer(within: (call: (limits: TimedWaitOptions) => Promise<void>) => Promise<void>): Promise<boolean> {
    const { random } = this.#life
    const [from = '', to = ''] = random.shuffle(ACCOUNTS).map((name) => `${ROOT}/${name}`)
    const amount = random.between(1, AMOUNT_MAX)
    const isDeleting = random.chance(DELETE_CHANCE)
    const done = await this.#transact(within, async (run) => {
      if (await run.read(ROOT) === null) {
        await run.write(ROOT, 0)
        await run.write(from, TOTAL)
        return
      }
      const [source, target] = [await run.read(from), await run.read(to)]
      const left = balanceOf(source ?? '') - amount
      if (left < 0) return
      if (left === 0 && isDeleting) await run.remove(from)
      else await run.write(from, left)
      await run.write(to, balanceOf(target ?? '') + amount)
    })
    return done !== null
  }

  async #countAll(): Promise<void> {
    const sum = await this.#transact<number>((call) => limited(this.#life, WAIT_TICKS_MAX, call), async (run) => {
      if (await run.read(ROOT) === null) return TOTAL
      let all = 0
      for (const name of await run.list(ROOT)) all += balanceOf(await run.read(`${ROOT}/${name}`) ?? '')
      return all
    })
    if (sum !== null) this.#check.counted(sum.value, this.#life.node)
  }

  async #transact<R>(
    within: (call: (limits: TimedWaitOptions) => Promise<R>) => Promise<R>,
    work: Work<R>,
  ): Promise<{ readonly value: R } | null> {
    const { node } = this.#life
    this.#calls += 1
    const call = `${node.name}-${node.incarnation}-${this.#calls}`
    const since = this.#check.now
    const runs: TransactionRun[] = []
    const { value, error } = await attempt(async () => ({
      value: await within((limits) => transact(this.#client, async (tx) => {
        const run = new RecordedRun(tx, call, runs.length)
        runs.push(run.seen)
        if (runs.length > 1) this.#probes.hit('transaction-again')
        const result = await work(run)
        this.#check.ran(run.seen)
        return result
      }, limits)),
    }))
    if (isRefusal(error)) this.#check.refused(call)
    const last = runs.at(-1)
    if (value !== null && last !== undefined) this.#check.confirmed(last, since, node)
    return value
  }
}
