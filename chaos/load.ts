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
import { deferred } from '../src/core/async.ts'
import type { Deferred } from '../src/core/async.ts'
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
/** Short, so that waits end in the middle of a fault; a session that is spared waits until it has the lock. */
const LOCK_WAIT_MS = 5_000
const SPARED_LOCK_WAIT_MS = 60_000
/** Errors in spite of all care: the connection was lost, and by the answer what it would have said. */
const SPARED: ReadonlySet<string> = new Set(['CONNECTION_LOSS', 'NODE_EXISTS'])


/** How clients are served. */
export interface LoadOptions {
  /** Default {@link SESSION_TIMEOUT_MS}. */
  readonly sessionTimeoutMs?: number
  /** Default 4. */
  readonly clients?: number
  /** The longest time between two writes of a client, and that it has the lock; default 30. */
  readonly pauseMs?: number
  /**
   * Whether everything that is done to the servers is done with care, so that clients may be told of lost connections
   * and of nothing worse: no session ends, no lease is lost, nothing is refused. Default false.
   */
  readonly isSpared?: boolean
}

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
  /** An ephemeral node of each client, and the session that it was created in. */
  readonly present: Map<string, string>
  leases: number
  /** Creations that were repeated, since nobody knew whether they were done. */
  repeated: number
  /** When a write was acknowledged last, in milliseconds of `performance.now()`; and the longest time between two. */
  acknowledgedAtMs: number
  withoutMs: number
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
    present: new Map(),
    leases: 0,
    repeated: 0,
    acknowledgedAtMs: performance.now(),
    withoutMs: 0,
  }
  readonly #addresses: string
  readonly #random: SeededRandom
  /** Told of what must not be. */
  readonly #violated: (what: string) => void
  readonly #options: Required<LoadOptions>
  readonly #end = new AbortController()
  /** Resolved once the programs may go on; and how many wait for it. */
  #pause: Deferred<void> | null = null
  #pausing = 0
  #clients: readonly Client[] = []
  #running: Promise<unknown> = Promise.resolve()
  #holder: Lease | null = null
  #lastToken = -1n

  constructor(
    addresses: readonly string[],
    random: SeededRandom,
    violated: (what: string) => void,
    options: LoadOptions = {},
  ) {
    this.#addresses = addresses.join(',')
    this.#random = random
    this.#violated = violated
    this.#options = {
      sessionTimeoutMs: SESSION_TIMEOUT_MS,
      clients: CLIENTS,
      pauseMs: PAUSE_MS_MAX,
      isSpared: false,
      ...options,
    }
  }

  /** Connects the clients and lets them begin. */
  async start(): Promise<void> {
    this.#clients = await Promise.all(Array.from({ length: this.#options.clients }, () => {
      return connect(zookeeper(this.#addresses), {
        sessionTimeoutMs: this.#options.sessionTimeoutMs,
        connectTimeoutMs: CONNECT_MS_MAX,
        onError: () => undefined,
      })
    }))
    const [first] = this.#clients
    await first?.makePath(`${ROOT}/registers`, { mode: 'persistent' })
    for (const [index, client] of this.#clients.entries()) {
      const path = `${ROOT}/present-${index}`
      await client.create(path, '', { mode: 'ephemeral' })
      this.told.present.set(path, String(client.sessionId))
    }
    this.told.acknowledgedAtMs = performance.now()
    this.#running = Promise.all(this.#clients.map(async (client, index) => {
      if (index > 0) this.#listen(client, index)
      const publishing = index === 0 ? this.#publish(client) : null
      await Promise.all([this.#write(client, index), this.#read(client, index), this.#lock(client, index), publishing])
    }))
    this.#running.catch((error: unknown) => this.#violated(`a client failed: ${String(error)}`))
  }

  /** Has the programs stand still; resolves when nothing is under way. */
  async pause(): Promise<void> {
    this.#pause ??= deferred()
    // Three programs of each client, and the publisher.
    while (this.#pausing < 3 * this.#clients.length + 1) await delay(PAUSE_MS_MAX)
  }

  /** Has them go on. */
  resume(): void {
    this.told.acknowledgedAtMs = performance.now()
    this.#pause?.resolve()
    this.#pause = null
  }

  /** Resolves once a write was acknowledged that was not begun before. */
  async mark(): Promise<void> {
    const [client] = this.#clients
    if (client !== undefined) await this.#insist(() => client.set(ROOT, ''))
  }

  /** Ends the programs; the clients stay. */
  async stop(): Promise<void> {
    this.#halt()
    await this.#running
  }

  /** Closes the clients; programs that still run end. */
  async close(): Promise<void> {
    this.#halt()
    await Promise.all(this.#clients.map((client) => client.close()))
  }

  #halt(): void {
    this.#end.abort(new Error('the load ends'))
    this.resume()
  }

  /** Whether a program goes on, which has begun and ended what it does at a time. */
  async #goesOn(): Promise<boolean> {
    if (this.#pause !== null) {
      this.#pausing += 1
      await this.#pause.promise
      this.#pausing -= 1
    }
    return !this.#isEnding
  }

  get #isEnding(): boolean {
    return this.#end.signal.aborted
  }

  async #write(client: Client, index: number): Promise<void> {
    const random = this.#random.fork(`write ${index}`)
    for (let count = 0; await this.#goesOn(); count++) {
      const parent = `${ROOT}/journal-${index}-${Math.floor(count / JOURNAL_BRANCH)}`
      const path = `${parent}/${count}`
      if (count % JOURNAL_BRANCH === 0) await this.#insist(() => client.makePath(parent, { mode: 'persistent' }))
      await this.#create(client, path)
      await delay(random.between(1, this.#options.pauseMs))
    }
  }

  /** Creates a node that nobody else creates, again and again as long as it is not known whether that was done. */
  async #create(client: Client, path: string): Promise<void> {
    for (let isAgain = false; !isAgain || !this.#isEnding; isAgain = true) {
      const found = await this.#attempt(client, path, isAgain)
      if (found === 'done') {
        this.told.created.push(path)
        this.#acknowledged()
        return
      }
      if (found === 'not done' && !this.#options.isSpared) {
        if (!isAgain) this.told.refused.push(path)
        return
      }
      this.told.repeated += 1
      await delay(PAUSE_MS_MAX)
    }
  }

  /** @param isAgain - whether an earlier attempt may have created it */
  async #attempt(client: Client, path: string, isAgain: boolean): Promise<'done' | 'not done' | 'unknown'> {
    try {
      await client.create(path, 'x')
      return 'done'
    } catch (error) {
      const { code, outcome } = this.#met(error)
      if (isAgain && code === 'NODE_EXISTS') return 'done'
      return outcome === 'rejected' || outcome === 'not-sent' ? 'not done' : 'unknown'
    }
  }

  /** Does something again and again until it is done, or the load ends. */
  async #insist(run: () => Promise<unknown>): Promise<void> {
    while (!this.#isEnding) {
      try {
        await run()
        return
      } catch (error) {
        this.#met(error)
        await delay(PAUSE_MS_MAX)
      }
    }
  }

  async #read(client: Client, index: number): Promise<void> {
    const random = this.#random.fork(`registers ${index}`)
    const startedAtMs = performance.now()
    for (let count = 0; await this.#goesOn(); count++) {
      const round = Math.floor((performance.now() - startedAtMs) / REGISTERS_FOR_MS)
      const key = `${ROOT}/registers/${round}-${random.between(1, REGISTERS)}`
      const isWrite = random.chance(0.5)
      const input: RegisterInput = isWrite ? { type: 'write', value: `${index}-${count}` } : { type: 'read' }
      const tell = this.told.registers.call(key, input)
      this.told.calls += 1
      const answer = await this.#register(client, key, input)
      // A write of which nobody knows whether it was done has no end.
      if (answer !== 'unknown') tell(answer === 'nothing' ? null : answer.output)
      await delay(random.between(1, 4 * this.#options.pauseMs))
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
      this.#acknowledged()
      return { output: '' }
    } catch (error) {
      const { outcome } = this.#met(error)
      return input.type === 'read' || outcome === 'rejected' || outcome === 'not-sent' ? 'nothing' : 'unknown'
    }
  }

  async #lock(client: Client, index: number): Promise<void> {
    const random = this.#random.fork(`lock ${index}`)
    const lock = new FairLock(client, `${ROOT}/lock`)
    const waitMs = this.#options.isSpared ? SPARED_LOCK_WAIT_MS : LOCK_WAIT_MS
    while (await this.#goesOn()) {
      try {
        const lease = await lock.acquire({ waitMs, signal: this.#end.signal })
        this.#took(lease)
        await delay(random.between(0, this.#options.pauseMs))
        if (lease.signal.aborted && this.#options.isSpared) this.#violated(`the lease ${lease.token} was lost`)
        if (this.#holder === lease) this.#holder = null
        await lease.release()
      } catch (error) {
        if (this.#isEnding) return
        this.#met(error)
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
    for (let next = 1; await this.#goesOn(); next++) {
      await this.#insist(async () => {
        await config.publish(next, { force: true })
        this.told.published = next
      })
      await delay(4 * this.#options.pauseMs)
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

  #acknowledged(): void {
    const nowMs = performance.now()
    this.told.withoutMs = Math.max(this.told.withoutMs, nowMs - this.told.acknowledgedAtMs)
    this.told.acknowledgedAtMs = nowMs
  }

  /** @throws any error that is not of the ensemble */
  #met(error: unknown): CoordinationError {
    if (!(error instanceof CoordinationError)) throw error
    if (this.#options.isSpared && !SPARED.has(error.code)) this.#violated(`an operation failed: ${error.message}`)
    return error
  }
}
