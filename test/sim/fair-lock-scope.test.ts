/**
 * The fair lock in its small scope, exhaustively: three clients, every order in which they can come within a hand-over,
 * and a connection that is lost at each request, before and after it takes effect.
 */
import { describe, expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { connect } from '../../src/core/connect.ts'
import { isCoordinationError } from '../../src/core/errors.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import type { Lease } from '../../src/recipes/engine/lease.ts'
import { modelBackend } from '../../src/testing/model/backend.ts'
import type { ModelBackend } from '../../src/testing/model/backend.ts'
import type { Fate } from '../../src/testing/model/ensemble.ts'
import { Kernel } from '../../src/testing/simulation/kernel.ts'

const PATH = '/locks/orders'
const CLIENTS = [0, 1, 2]
const LATENCY_MS = 10
/** Clients come so many milliseconds apart at least: half the way of a request. */
const STEP_MS = LATENCY_MS / 2
/** Two round trips and a tenure: whoever comes later meets a lock at rest. */
const STEPS = 10
const HOLD_MS = LATENCY_MS / 2
const LIMIT_MS = 120_000

/** The connection breaks at the n-th request of all (from 0). */
interface Fault {
  readonly nth: number
  readonly fate: Fate
}

/** The result of a schedule. */
interface Result {
  readonly requests: number
  /** The clients in the order in which they held. */
  readonly holders: readonly number[]
  readonly wrong: readonly string[]
}

/** One schedule: when each client comes, what is lost, and whether the lock's node was made before. */
async function play(startsMs: readonly number[], faults: readonly Fault[], isMade = false): Promise<Result> {
  const kernel = new Kernel({ seed: 1 })
  const backend = modelBackend({ latencyMs: LATENCY_MS })
  kernel.install()
  try {
    return await new Schedule(kernel, backend, faults).play(startsMs, isMade)
  } finally {
    kernel.uninstall()
  }
}

class Schedule {
  readonly #kernel: Kernel
  readonly #backend: ModelBackend
  readonly #faults: readonly Fault[]
  readonly #holders: number[] = []
  readonly #wrong: string[] = []
  #requests = 0
  #done = 0
  #token = 0n
  #holder: Lease | null = null

  constructor(kernel: Kernel, backend: ModelBackend, faults: readonly Fault[]) {
    this.#kernel = kernel
    this.#backend = backend
    this.#faults = faults
  }

  async play(startsMs: readonly number[], isMade: boolean): Promise<Result> {
    let connected = 0
    const clients: Client[] = []
    const onError = (error: unknown): void => void this.#wrong.push(`reported: ${String(error)}`)
    for (const index of CLIENTS) {
      const node = this.#kernel.addNode(`c${index}`)
      this.#kernel.after(0, node, 'connect', () => {
        void connect(this.#backend, { onError }).then(async (client) => {
          clients[index] = client
          if (isMade) await client.makePath(PATH)
          connected += 1
        })
      })
    }
    await this.#kernel.run(LIMIT_MS, () => connected === CLIENTS.length)
    this.#backend.control.onRequest(() => this.#fateOf(this.#requests++))
    for (const [index, client] of clients.entries()) {
      this.#kernel.after(startsMs[index] ?? 0, null, 'come', () => {
        this.#use(client, index).catch((error: unknown) => {
          this.#wrong.push(String(error))
        })
      })
    }
    await this.#kernel.run(LIMIT_MS, () => this.#done === CLIENTS.length)
    const requests = this.#requests
    await this.#expectNothingLeft(clients)
    return { requests, holders: this.#holders, wrong: this.#wrong }
  }

  #fateOf(nth: number): Fate {
    return this.#faults.find((fault) => fault.nth === nth)?.fate
  }

  /** Holds the lock once, however often it takes. */
  async #use(client: Client, index: number): Promise<void> {
    const lock = new FairLock(client, PATH)
    for (;;) {
      let lease: Lease
      try {
        lease = await lock.acquire()
      } catch (error) {
        if (!isCoordinationError(error, 'SESSION_EXPIRED')) throw error
        continue
      }
      this.#granted(index, lease)
      await new Promise((resolve) => setTimeout(resolve, HOLD_MS))
      if (this.#holder === lease) this.#holder = null
      await lease.release()
      break
    }
    this.#done += 1
  }

  #granted(index: number, lease: Lease): void {
    if (this.#holder?.signal.aborted === false) this.#wrong.push(`client ${index} got the lock while another held it`)
    if (lease.token <= this.#token) this.#wrong.push(`token ${lease.token} came behind ${this.#token}`)
    const first = this.#contenders()[0]
    if (first !== lease.path) this.#wrong.push(`client ${index} got the lock while ${String(first)} was first`)
    this.#holder = lease
    this.#token = lease.token
    this.#holders.push(index)
  }

  /** Paths of the contenders that there are, first come first. */
  #contenders(): string[] {
    const paths = this.#backend.control.nodes().map(({ path }) => path).filter((path) => path.startsWith(`${PATH}/`))
    return paths.sort((a, b) => (a.slice(-10) < b.slice(-10) ? -1 : 1))
  }

  async #expectNothingLeft(clients: readonly Client[]): Promise<void> {
    const { control } = this.#backend
    await this.#kernel.run(LIMIT_MS, () => clients.every((client) => pendingCleanups(client) === 0))
    if (this.#contenders().length > 0) this.#wrong.push(`left: ${this.#contenders().join(' ')}`)
    let closed = 0
    for (const client of clients) void client.close().then(() => (closed += 1))
    await this.#kernel.run(2 * LIMIT_MS, () => closed === clients.length && control.liveTimers === 0)
    if (this.#kernel.timerCount > 0) this.#wrong.push(`left: ${this.#kernel.timerCount} timers`)
    if (control.watchCount() > 0) this.#wrong.push(`left: ${control.watchCount()} watches`)
    if (control.sessions().length > 0) this.#wrong.push(`left: ${control.sessions().length} sessions`)
  }
}

/** When the second and the third client come, relative to the first; the others are the same with other names. */
const ARRIVALS = Array.from({ length: STEPS }, (_, second) =>
  Array.from({ length: STEPS - second }, (_, more) => [0, second * STEP_MS, (second + more) * STEP_MS]),
).flat()

const LOSSES = ['lose-before', 'lose-after'] as const

/** One schedule for each request: that is the one which meets its fate. */
function each(requests: number, fate: Fault['fate']): Fault[][] {
  return Array.from({ length: requests }, (_, nth) => [{ nth, fate }])
}

/** Plays schedules, and says what was wrong with any of them. */
async function sweep(startsMs: readonly number[], faultsOf: (requests: number) => Fault[][]): Promise<string[]> {
  const { requests } = await play(startsMs, [])
  const complaints: string[] = []
  for (const faults of faultsOf(requests)) {
    const { holders, wrong } = await play(startsMs, faults)
    const isComplete = [...holders].sort().join() === CLIENTS.join()
    if (isComplete && wrong.length === 0) continue
    complaints.push(`${startsMs.join('/')} ${JSON.stringify(faults)}: held ${holders.join()}; ${wrong.join('; ')}`)
  }
  return complaints
}

describe('three clients of a fair lock', () => {
  it('each hold once, in the order in which they came, whenever they come', async () => {
    for (const startsMs of ARRIVALS) {
      const { holders, wrong, requests } = await play(startsMs, [], true)
      expect([startsMs, holders, wrong]).toEqual([startsMs, CLIENTS, []])
      expect(requests).toBeGreaterThan(3 * CLIENTS.length)
    }
  })

  it.each(LOSSES)('each hold once, with a connection lost at any request (%s)', async (fate) => {
    for (const startsMs of ARRIVALS) {
      expect(await sweep(startsMs, (requests) => each(requests, fate))).toEqual([])
    }
  })

  it('each hold once, with two connections lost at any two requests', async () => {
    const twoRequests = (requests: number): Fault[][] => {
      const faults = LOSSES.flatMap((fate) => Array.from({ length: requests }, (_, nth) => ({ nth, fate })))
      return faults.flatMap((first) => faults.filter(({ nth }) => nth > first.nth).map((second) => [first, second]))
    }
    expect(await sweep([0, 0, 0], twoRequests)).toEqual([])
  })

  it('each hold once, with a session that ends at any request', async () => {
    for (const fate of ['expire-before', 'expire-after'] as const) {
      for (const startsMs of [[0, 0, 0], [0, LATENCY_MS, 3 * LATENCY_MS]]) {
        expect(await sweep(startsMs, (requests) => each(requests, fate))).toEqual([])
      }
    }
  })
})
