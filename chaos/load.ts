/**
 * The load: clients that write, read, lock and watch, and what must be so of everything that they were told.
 *
 * Journal    each client creates nodes whose names nobody else uses, and remembers what it was told of each.
 * Registers  writes and reads (after a sync) of a few nodes; for some seconds the same ones, then others, so that the
 *            search for an order stays short.
 * Lock       all clients want one lock. Nobody gets it while another one has a lease that it has not been told is lost,
 *            and its tokens rise.
 * Config     one client publishes numbers, one by one; the others are told of them, and never of an older one.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { RegistersCheck } from '../sim/checks/registers.ts'
import type { RegisterInput } from '../sim/checks/registers.ts'
import { zookeeper } from '../src/backends/zookeeper/index.ts'
import { ConfigCenter, CoordinationError, FairLock, connect } from '../src/index.ts'
import type { Client, Lease } from '../src/index.ts'
import type { SeededRandom } from '../src/testing/simulation/random.ts'

/** The nodes of the load are below it. */
export const ROOT = '/chaos'
/** The session time-out of its clients. */
export const SESSION_TIMEOUT_MS = 4_000
/** The servers start meanwhile. */
const CONNECT_MS_MAX = 60_000
const CLIENTS = 4
/** Nodes of one client below one parent. */
const JOURNAL_BRANCH = 1_000
const REGISTERS = 3
const REGISTERS_FOR_MS = 3_000
const PAUSE_MS_MAX = 30
const HELD_MS_MAX = 40
const LOCK_WAIT_MS = 5_000

/** The answers that clients were told. */
export interface Told {
  /** Nodes whose creation was acknowledged, and those of which the client was told that it was not done. */
  readonly created: string[]
  readonly refused: string[]
  readonly registers: RegistersCheck
  /** Calls of registers. */
  calls: number
  /** The configuration: the last number published, and the last that each client heard. */
  published: number
  readonly heard: Map<number, number>
  leases: number
  /** When a write was acknowledged last, in milliseconds of `performance.now()`. */
  acknowledgedAtMs: number
}

/** The clock by which calls come before others. */
const performanceClock = {
  get nowMs(): number {
    return performance.now()
  },
}

/** The clients, from start to stop. */
export class Load {
  readonly told: Told = {
    created: [],
    refused: [],
    registers: new RegistersCheck(performanceClock),
    calls: 0,
    published: 0,
    heard: new Map(),
    leases: 0,
    acknowledgedAtMs: performance.now(),
  }
  readonly #addresses: string
  readonly #random: SeededRandom
  /** Told of what must not be. */
  readonly #violated: (what: string) => void
  readonly #end = new AbortController()
  #clients: readonly Client[] = []
  #running: Promise<unknown> = Promise.resolve()
  #holder: Lease | null = null
  #lastToken = -1n

  constructor(addresses: readonly string[], random: SeededRandom, violated: (what: string) => void) {
    this.#addresses = addresses.join(',')
    this.#random = random
    this.#violated = violated
  }

  /** Connects the clients and lets them begin. */
  async start(): Promise<void> {
    this.#clients = await Promise.all(Array.from({ length: CLIENTS }, () => {
      return connect(zookeeper(this.#addresses), {
        sessionTimeoutMs: SESSION_TIMEOUT_MS,
        connectTimeoutMs: CONNECT_MS_MAX,
        onError: () => undefined,
      })
    }))
    const [first] = this.#clients
    await first?.makePath(`${ROOT}/registers`, { mode: 'persistent' })
    this.#running = Promise.all(this.#clients.map(async (client, index) => {
      if (index > 0) this.#listen(client, index)
      const publishing = index === 0 ? this.#publish(client) : null
      await Promise.all([this.#write(client, index), this.#read(client, index), this.#lock(client, index), publishing])
    }))
    this.#running.catch((error: unknown) => this.#violated(`a client failed: ${String(error)}`))
  }

  /** Ends the programs; the clients stay. */
  async stop(): Promise<void> {
    this.#end.abort(new Error('the load ends'))
    await this.#running
  }

  /** Closes the clients. */
  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
  }

  get #isEnding(): boolean {
    return this.#end.signal.aborted
  }

  async #write(client: Client, index: number): Promise<void> {
    const random = this.#random.fork(`write ${index}`)
    for (let count = 0; !this.#isEnding; count++) {
      const parent = `${ROOT}/journal-${index}-${Math.floor(count / JOURNAL_BRANCH)}`
      const path = `${parent}/${count}`
      try {
        if (count % JOURNAL_BRANCH === 0) await this.#insist(() => client.makePath(parent, { mode: 'persistent' }))
        await client.create(path, 'x')
        this.told.created.push(path)
        this.told.acknowledgedAtMs = performance.now()
      } catch (error) {
        const { outcome } = ofTheEnsemble(error)
        if (outcome === 'rejected' || outcome === 'not-sent') this.told.refused.push(path)
      }
      await delay(random.between(1, PAUSE_MS_MAX))
    }
  }

  /** Does something again and again until it is done, or the load ends. */
  async #insist(run: () => Promise<unknown>): Promise<void> {
    while (!this.#isEnding) {
      try {
        await run()
        return
      } catch (error) {
        ofTheEnsemble(error)
        await delay(PAUSE_MS_MAX)
      }
    }
  }

  async #read(client: Client, index: number): Promise<void> {
    const random = this.#random.fork(`registers ${index}`)
    const startedAtMs = performance.now()
    for (let count = 0; !this.#isEnding; count++) {
      const round = Math.floor((performance.now() - startedAtMs) / REGISTERS_FOR_MS)
      const key = `${ROOT}/registers/${round}-${random.between(1, REGISTERS)}`
      const isWrite = random.chance(0.5)
      const input: RegisterInput = isWrite ? { type: 'write', value: `${index}-${count}` } : { type: 'read' }
      const tell = this.told.registers.call(key, input)
      this.told.calls += 1
      const answer = await this.#register(client, key, input)
      // A write of which nobody knows whether it was done has no end.
      if (answer !== 'unknown') tell(answer === 'nothing' ? null : answer.output)
      await delay(random.between(1, 4 * PAUSE_MS_MAX))
    }
  }

  /** @returns `nothing` if it is known that it did nothing, and it answered nothing */
  async #register(
    client: Client,
    path: string,
    input: RegisterInput,
  ): Promise<{ readonly output: string } | 'unknown' | 'nothing'> {
    try {
      if (input.type === 'read') {
        const { sessionId } = client
        await client.sync(path)
        const stat = await client.exists(path)
        const output = stat === null ? '' : Buffer.from((await client.get(path)).data).toString()
        // A read that was repeated on another session does not follow its sync any more.
        return client.sessionId === sessionId ? { output } : 'nothing'
      }
      await client.makePath(path, { mode: 'persistent' })
      await client.set(path, input.value)
      this.told.acknowledgedAtMs = performance.now()
      return { output: '' }
    } catch (error) {
      const { outcome } = ofTheEnsemble(error)
      return input.type === 'read' || outcome === 'rejected' || outcome === 'not-sent' ? 'nothing' : 'unknown'
    }
  }

  async #lock(client: Client, index: number): Promise<void> {
    const random = this.#random.fork(`lock ${index}`)
    const lock = new FairLock(client, `${ROOT}/lock`)
    while (!this.#isEnding) {
      try {
        const lease = await lock.acquire({ waitMs: LOCK_WAIT_MS, signal: this.#end.signal })
        this.#took(lease)
        await delay(random.between(0, HELD_MS_MAX))
        if (this.#holder === lease) this.#holder = null
        await lease.release()
      } catch (error) {
        if (this.#isEnding) return
        ofTheEnsemble(error)
      }
    }
  }

  #took(lease: Lease): void {
    const { token } = lease
    if (lease.signal.aborted) return
    if (this.#holder !== null && !this.#holder.signal.aborted) {
      this.#violated(`mutual exclusion: token ${token} was given out while the lease of ${this.#holder.token} goes on`)
    }
    if (token <= this.#lastToken) this.#violated(`tokens: ${token} after ${this.#lastToken}`)
    this.#lastToken = token
    this.#holder = lease
    this.told.leases += 1
  }

  async #publish(client: Client): Promise<void> {
    const config = new ConfigCenter<number>(client, `${ROOT}/config`)
    for (let next = 1; !this.#isEnding; next++) {
      await this.#insist(async () => {
        await config.publish(next, { force: true })
        this.told.published = next
      })
      await delay(4 * PAUSE_MS_MAX)
    }
    await config.close()
  }

  #listen(client: Client, index: number): void {
    const config = new ConfigCenter<number>(client, `${ROOT}/config`)
    config.subscribe(({ value }) => {
      if (typeof value !== 'number') return
      const last = this.told.heard.get(index) ?? 0
      if (value < last) this.#violated(`configuration: client ${index} heard of ${value} after ${last}`)
      this.told.heard.set(index, value)
    })
  }
}

/** @throws any error that is not of the ensemble */
function ofTheEnsemble(error: unknown): CoordinationError {
  if (error instanceof CoordinationError) return error
  throw error
}
