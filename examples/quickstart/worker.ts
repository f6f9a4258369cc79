/**
 * A worker: takes the lock, does the next job that is not in the ledger, gives the lock back. It knows no other worker,
 * and would do the same in a process of its own.
 */
import { ConfigCenter, FairLock, GroupMembership, lossReason } from 'quorate'
import type { Client, Lease } from 'quorate'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { LedgerRefusal } from './ledger.ts'
import type { Ledger } from './ledger.ts'
import { priceOf, pricingSchema } from './pricing.ts'
import type { Invoice, Pricing } from './pricing.ts'

/** Where the pricing is published. */
export const CONFIG_PATH = '/config/pricing'
/** Where the workers are registered. */
export const GROUP_PATH = '/groups/workers'
const LOCK_PATH = '/locks/ledger'

/** A worker of this name whose process was killed is a member until its session ends; its successor waits so long. */
const NAMESAKE_MS_MAX = 30_000

/** Time that a job takes besides the pricing, such as to render it, in milliseconds a line. */
const WORK_MS_PER_LINE = 4

/** The jobs, the ledger, and the end of a worker. */
export interface Tools {
  readonly jobs: readonly Invoice[]
  readonly ledger: Ledger
  /** Ends all waits. */
  readonly signal: AbortSignal
  /** Takes down what happened. */
  note(what: string): void
}

/** A worker that stands still between its last look at its lease and its entry. */
export interface Pause {
  readonly job: Invoice
  readonly lease: Lease
  /** Lets it go on. */
  readonly resume: () => void
}

/** The record of a worker. */
export interface WorkerRecord {
  readonly name: string
  /** The session that it began with, and the one it ended with; in hexadecimal digits. */
  readonly sessions: readonly [string, string]
  /** Why it ended early; null if no job was left. */
  readonly lost: { readonly job: string; readonly reason: string; readonly refusal: string } | null
}

/** One worker. */
export class Worker {
  readonly name: string
  /** Its connection. */
  readonly client: Client
  readonly #tools: Tools
  readonly #config: ConfigCenter<Pricing>
  readonly #lock: FairLock
  readonly #firstSession: string
  #onPause: ((pause: Pause) => void) | null = null
  #lost: WorkerRecord['lost'] = null

  private constructor(name: string, client: Client, tools: Tools) {
    this.name = name
    this.client = client
    this.#tools = tools
    this.#config = new ConfigCenter<Pricing>(client, CONFIG_PATH, { schema: pricingSchema })
    this.#lock = new FairLock(client, LOCK_PATH)
    this.#firstSession = this.#session
  }

  /** Starts a worker, which reads the configuration and joins the group. */
  static async start(name: string, client: Client, tools: Tools): Promise<Worker> {
    const worker = new Worker(name, client, tools)
    await worker.#config.ready({ signal: tools.signal })
    await new GroupMembership(worker.client, GROUP_PATH).join(name, { signal: tools.signal, waitMs: NAMESAKE_MS_MAX })
    return worker
  }

  /** Works until no job is left, or until it is lost. */
  async run(): Promise<WorkerRecord> {
    const { jobs, ledger, signal } = this.#tools
    let last = this.#firstSession
    while (this.#lost === null) {
      await using lease = await this.#lock.acquire({ signal })
      const job = jobs.find(({ id }) => !ledger.has(id))
      if (job === undefined) break
      last = this.#session
      await this.#do(job, lease)
    }
    await this.client.close()
    return { name: this.name, sessions: [this.#firstSession, last], lost: this.#lost }
  }

  /** Stops it in the middle of its next job, as a long garbage collection or a suspended machine would. */
  pauseInNextJob(): Promise<Pause> {
    const { signal } = this.#tools
    return new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
      this.#onPause = resolve
    })
  }

  async #do(job: Invoice, lease: Lease): Promise<void> {
    const onLost = (): void => this.#end(lease)
    lease.signal.addEventListener('abort', onLost)
    const { current: pricing, version } = this.#config
    if (pricing === undefined || version === null) throw new Error('there is no pricing')
    const { net, vat, total } = priceOf(job, pricing)
    await delay(WORK_MS_PER_LINE * job.lines.length)
    lease.throwIfLost()
    const session = this.#session
    // A process can stop between any two of its steps, so right here too: only the ledger's fence helps then.
    await this.#pause(job, lease)
    const author = { token: String(lease.token), worker: this.name, session }
    const entry = { ...author, job: job.id, version, currency: job.currency, net, vat, total }
    try {
      this.#tools.ledger.append(entry)
    } catch (error) {
      if (!(error instanceof LedgerRefusal)) throw error
      this.#tools.note(`the ledger refuses ${this.name}: ${error.message}`)
      // The ledger may know before its own client is told.
      if (!lease.signal.aborted) await once(lease.signal, 'abort', { signal: this.#tools.signal })
      this.#lost = { job: job.id, reason: lossReason(lease.signal) ?? 'none', refusal: error.reason }
    }
    lease.signal.removeEventListener('abort', onLost)
  }

  async #pause(job: Invoice, lease: Lease): Promise<void> {
    const onPause = this.#onPause
    if (onPause === null) return
    this.#onPause = null
    await new Promise<void>((resume) => onPause({ job, lease, resume }))
  }

  /** A worker that has lost its lock ends; whoever looks after it starts another. */
  #end(lease: Lease): void {
    this.#tools.note(`${this.name} learns that its lease is lost: ${lossReason(lease.signal)}`)
    void this.client.close()
  }

  get #session(): string {
    return (this.client.sessionId ?? 0n).toString(16)
  }
}
