/** Locks: cycles that nobody else is in the way of, and hand-overs from one session to the next. */
import { connect, ExclusiveLock, FairLock } from 'quorate'
import type { Client, Lease } from 'quorate'
import { embedded } from 'quorate/embedded'
import type { Ensemble } from 'quorate/embedded'
import { counting } from './counting-backend.ts'
import { measureRate, percentiles, spread } from './measure.ts'
import type { Effort, Figure } from './measure.ts'

const CYCLES_IN_FLIGHT = [1, 16]
const CONTENDERS = [10, 100]
const HAND_OVER_PATH = '/locks/hand-over'
/** More than a contender needs to look at the line and to watch its predecessor. */
const READS_TO_SETTLE = 5

/** Measures acquire and release of a lock that is free. With more than one in flight, each is another lock. */
export async function* measureLockCycles(effort: Effort): AsyncGenerator<Figure> {
  await using ensemble = embedded({ servers: 3 })
  await using client = await connect(ensemble)
  for (const inFlight of CYCLES_IN_FLIGHT) {
    const lanes = Array.from({ length: inFlight }, (_, lane) => lane)
    const fair = lanes.map((lane) => new FairLock(client, `/locks/fair-${inFlight}-${lane}`))
    const exclusive = lanes.map((lane) => new ExclusiveLock(client, `/locks/exclusive-${inFlight}-${lane}`))
    yield await measureRate('FairLock cycle', (lane) => cycle(fair[lane]), { effort, inFlight })
    yield await measureRate('ExclusiveLock cycle', (lane) => cycle(exclusive[lane]), { effort, inFlight })
  }
}

async function cycle(lock: { acquire(): Promise<Lease> } | undefined): Promise<void> {
  const lease = await lock?.acquire()
  await lease?.release()
}

/** Measures the time from the release of a FairLock until the next of 10 and of 100 waiting sessions has it. */
export async function* measureHandOvers(effort: Effort): AsyncGenerator<Figure> {
  for (const contenders of CONTENDERS) {
    await using ensemble = embedded({ servers: 3 })
    const queue = await Queue.open(ensemble, contenders)
    await queue.drain()
    queue.forget()
    const rates: number[] = []
    for (let i = 0; i < Math.ceil(effort.handOvers / contenders); i++) rates.push(await queue.drain())
    yield { figure: 'hand-over', size: contenders, unit: 'ops/s', ...spread(rates), ...percentiles(queue.latencies) }
    const value = queue.eventsToWaiters / queue.latencies.length
    yield { figure: 'waiters woken', size: contenders, unit: 'events/release', value, target: 'exactly 1' }
    await queue.close()
  }
}

/** Sessions that wait for one lock. */
class Queue {
  readonly #clients: readonly Client[]
  readonly #locks: readonly FairLock[]
  readonly #waiting: Set<number>
  /** From a call of `release` to the return of the next `acquire`, in milliseconds. */
  latencies: number[] = []
  /** Watch events that sessions got which were waiting. */
  eventsToWaiters = 0
  #releasedAtMs = 0

  private constructor(clients: readonly Client[], waiting: Set<number>) {
    this.#clients = clients
    this.#locks = clients.map((client) => new FairLock(client, HAND_OVER_PATH))
    this.#waiting = waiting
  }

  /** Opens one session more than there are contenders: the first holds the lock until all the others wait. */
  static async open(ensemble: Ensemble, contenders: number): Promise<Queue> {
    const waiting = new Set<number>()
    let note = (_client: number): void => undefined
    const backends = Array.from({ length: contenders + 1 }, (_, i) => counting(ensemble, { onEvent: () => note(i) }))
    const clients = await Promise.all(backends.map((backend) => connect(backend)))
    const queue = new Queue(clients, waiting)
    note = (client) => {
      if (waiting.has(client)) queue.eventsToWaiters += 1
    }
    return queue
  }

  /**
   * Lines everybody up, and lets the lock go through the line.
   *
   * @returns hand-overs a second
   */
  async drain(): Promise<number> {
    const [gate, ...others] = this.#locks
    const first = await gate?.acquire()
    const turns = others.map((lock, i) => this.#takeTurn(lock, i + 1))
    await this.#untilAllWait()
    const startMs = performance.now()
    this.#releasedAtMs = startMs
    await first?.release()
    await Promise.all(turns)
    return (others.length * 1_000) / (performance.now() - startMs)
  }

  forget(): void {
    this.latencies = []
    this.eventsToWaiters = 0
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
  }

  async #takeTurn(lock: FairLock, client: number): Promise<void> {
    this.#waiting.add(client)
    const lease = await lock.acquire()
    this.latencies.push(performance.now() - this.#releasedAtMs)
    this.#waiting.delete(client)
    this.#releasedAtMs = performance.now()
    await lease.release()
  }

  /** A contender whose node is there has still to arm its watch: after some later reads on its session it has. */
  async #untilAllWait(): Promise<void> {
    const [client] = this.#clients
    const inLine = async (): Promise<number> => (await client?.children(HAND_OVER_PATH))?.names.length ?? 0
    while ((await inLine()) < this.#clients.length) await new Promise(setImmediate)
    for (let i = 0; i < READS_TO_SETTLE; i++) await Promise.all(this.#clients.map((its) => its.exists(HAND_OVER_PATH)))
  }
}
