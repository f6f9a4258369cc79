/**
 * Locks in use: clients contend, work under their lease, write to what the lock guards, and give it back.
 *
 * Holders    a careful one looks at its lease before it writes; a careless one does not, and what it wrote may arrive
 *            late. Faults make both of them stand still beyond the life of their sessions.
 *            Nervous ones give their lease back from within a listener, at the first change of the connection.
 * Losers     some release what they lost from within its signal, and some acquire again there.
 * Requests   now and then one asks whoever holds a fair lock to give it up, or one of its contenders, or evicts that.
 *            Some holders do what they are asked.
 * Closing    some clients are closed while they hold, or while they release.
 * Waiters    wait without limit, for some time, until they change their mind, or not at all.
 * End        everybody acquires every lock once more, which must be granted in time, and owes nothing when it goes.
 */
import type { Client, ClientState } from '../../src/core/client.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import { ExclusiveLock } from '../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import type { Lease } from '../../src/recipes/engine/lease.ts'
import { Violation } from '../check.ts'
import { LocksCheck } from '../checks/locks.ts'
import type { LockKind } from '../checks/locks.ts'
import { RevocationsCheck } from '../checks/revocations.ts'
import { StrikesCheck } from '../checks/strikes.ts'
import { FencedResource } from '../fenced-resource.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { SeededRandom } from '../../src/testing/simulation/random.ts'
import type { World } from '../../src/testing/simulation/world.ts'
import type { ClientLife, MakeWorkload, WorkloadSetup } from '../workload.ts'
import { Asker } from './asker.ts'
import { abortedAfter, attempt, eventually, reported } from './attempt.ts'
import type { Attempted } from './attempt.ts'
import { ClosedSession } from './closed-session.ts'
import { Ear } from './ear.ts'

/** Times are in ticks. */
const PAUSE_TICKS_MAX = 5
const WAIT_TICKS_MAX = 75
const HOLD_TICKS_MAX = 3
const WRITES_MAX = 3
/** Part of the tenures that last longer than a session lives. */
const LONG_TENURE_CHANCE = 0.03
/** How long a write of a careless holder may be on its way. */
const LATE_TICKS_MAX = 150
/** How long the last grant may take once there is service: longer than any session lives on without its client. */
const GRANT_TICKS = 3_000
const CLEANUP_TICKS = 2_000
const NERVOUS_CHANCE = 0.1
const CLOSING_CHANCE = 0.01
const REVOCABLE_CHANCE = 0.7
const ASKING_CHANCE = 0.2
const OBEDIENT_CHANCE = 0.5
const ROOT = '/locks'

/** The parts that all users of the locks share. */
interface Scene extends Pick<WorkloadSetup, 'operators'> {
  readonly world: World
  readonly probes: Probes
  readonly check: LocksCheck
  readonly revocations: RevocationsCheck
  readonly strikes: StrikesCheck
  readonly locks: ReadonlyMap<string, LockKind>
  readonly resources: ReadonlyMap<string, FencedResource>
}

/** Makes the workload `locks`. */
export const makeLocks: MakeWorkload = ({ world, ledger, tap, owners, operators, probes, random }) => {
  const locks = drawLocks(random)
  const check: LocksCheck = new LocksCheck({
    clocks: world.kernel, ledger, tap, owners, probes, locks,
    mayEvict: (token, sessionId) => revocations.mayEvict(token, sessionId),
  })
  const revocations = new RevocationsCheck({
    ledger, owners,
    locks: [...locks].filter(([, kind]) => kind === 'fair').map(([path]) => path),
    contenderOf: (token) => check.contender(token),
  })
  const strikes = new StrikesCheck({ ledger, tap, probes })
  const resources = new Map([...locks.keys()].map((path) => [path, new FencedResource()]))
  const scene = { world, probes, check, revocations, strikes, locks, resources, operators }
  const program = (client: Client, life: ClientLife): Promise<void> => new LockUser(client, life, scene).run()
  return { name: 'locks', checks: [check, revocations, strikes], hunted: ROOT, program }
}

function drawLocks(random: SeededRandom): Map<string, LockKind> {
  const count = random.between(1, 3)
  return new Map(Array.from({ length: count }, (_, index) => [
    `${ROOT}/${index + 1}`,
    random.chance(0.7) ? 'fair' : 'exclusive',
  ]))
}

/** One life of one client that uses locks. */
class LockUser {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #scene: Scene
  readonly #locks: ReadonlyMap<string, FairLock | ExclusiveLock>
  readonly #asker: Asker
  readonly #isCareful: boolean
  /** How many tenures it works on at a time. */
  readonly #hands: number
  /** Work that was begun within listeners and has not ended. */
  readonly #asides = new Set<Promise<void>>()
  /** Its leases, by token, and its attempts to get one, by lock, as long as they have not ended. */
  readonly #tokens = new Set<bigint>()
  readonly #acquiring = new Map<string, number>()
  #isClosed = false

  constructor(client: Client, life: ClientLife, scene: Scene) {
    this.#client = client
    this.#life = life
    this.#scene = scene
    this.#locks = new Map([...scene.locks].map(([path, kind]) => {
      return [path, kind === 'fair' ? new FairLock(client, path) : new ExclusiveLock(client, path)]
    }))
    this.#asker = new Asker(life, scene)
    this.#isCareful = life.random.chance(0.5)
    this.#hands = life.random.pick([1, 1, 2])
  }

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: this.#hands }, () => this.#work()))
    while (this.#asides.size > 0) await Promise.all(this.#asides)
    if (this.#isClosed) return
    for (const path of this.#locks.keys()) await this.#acquireLast(path)
    while (this.#asides.size > 0) await Promise.all(this.#asides)
    const { check } = this.#scene
    const cleanupMs = CLEANUP_TICKS * this.#life.tickMs
    await eventually(check.name, cleanupMs, () => pendingCleanups(this.#client) === 0, () => 'L6: clean-ups are owed')
    await attempt(() => this.#client.sync())
    this.#lookForRest()
  }

  async #work(): Promise<void> {
    const { random } = this.#life
    const paths = [...this.#locks.keys()]
    while (!this.#life.isEnding() && !this.#isClosed) {
      const path = random.pick(paths)
      if (random.chance(ASKING_CHANCE)) await this.#ask(path)
      const lease = await this.#acquire(path)
      if (lease !== null) await this.#hold(path, lease)
      this.#lookForRest()
      await this.#life.sleep(random.unit() * PAUSE_TICKS_MAX)
    }
  }

  async #ask(path: string): Promise<void> {
    const lock = this.#lock(path)
    if (lock instanceof FairLock) await this.#asker.ask(lock)
  }

  /** Acquires in one of the ways there are. Null: it did not acquire. */
  async #acquire(path: string): Promise<Lease | null> {
    const { random, tickMs } = this.#life
    const lock = this.#lock(path)
    const limitMs = random.unit() * WAIT_TICKS_MAX * tickMs
    const isRevocable = lock instanceof FairLock && random.chance(REVOCABLE_CHANCE)
    const more = isRevocable ? { revocable: true } : {}
    const drawPatienceMs = (): number => random.unit() * PAUSE_TICKS_MAX * tickMs
    const ways: (() => Promise<Lease | null>)[] = [
      () => lock.acquire(more),
      () => lock.acquire({ ...more, waitMs: limitMs, data: this.#life.node.name }),
      () => abortedAfter(limitMs, (signal) => lock.acquire({ ...more, signal })),
      () => abortedAfter(drawPatienceMs(), (signal) => lock.acquire({ ...more, signal })),
      () => lock.tryAcquire(more),
      () => abortedAfter(drawPatienceMs(), (signal) => lock.tryAcquire({ ...more, signal })),
    ]
    const { value, error } = await this.#attempt(path, random.pick(ways))
    if (error?.code === 'TIMEOUT') this.#scene.probes.hit('lock-waiter-timed-out')
    if (value !== null) this.#granted(path, value)
    if (value !== null && isRevocable) this.#listen(value, random.chance(OBEDIENT_CHANCE))
    return value
  }

  async #attempt(path: string, acquire: () => Promise<Lease | null>): Promise<Attempted<Lease | null>> {
    this.#acquiring.set(path, (this.#acquiring.get(path) ?? 0) + 1)
    const attempted = await attempt(acquire)
    if (attempted.value !== null) this.#tokens.add(attempted.value.token)
    this.#acquiring.set(path, (this.#acquiring.get(path) ?? 0) - 1)
    return attempted
  }

  #granted(path: string, lease: Lease): void {
    this.#scene.check.granted(path, lease, this.#life.node)
    this.#scene.strikes.granted(lease, this.#life.node)
    const { random } = this.#life
    if (random.chance(NERVOUS_CHANCE)) this.#beNervous(lease)
    lease.signal.addEventListener('abort', () => {
      this.#scene.probes.hit('lock-lost')
      reported(this.#scene.world.kernel, () => this.#scene.check.lost(lease))
      this.#scene.revocations.releasing(lease)
      if (random.chance(0.3)) this.#aside(() => this.#release(lease))
      if (random.chance(0.1)) this.#aside(() => this.#holdAgain(path))
    })
  }

  /** Hears what is asked of a lease; one who obeys gives it back from within the listener. Returns what was heard. */
  #listen(lease: Lease, isObedient: boolean): readonly string[] {
    const { revocations } = this.#scene
    const heard: string[] = []
    revocations.granted(lease)
    lease.onRevoke(({ reason }) => {
      heard.push(reason)
      reported(this.#scene.world.kernel, () => {
        revocations.heard(lease, reason)
      })
      if (isObedient) this.#aside(() => this.#release(lease))
    })
    return heard
  }

  /** Gives a lease back at the first change of the connection, from within the listener. */
  #beNervous(lease: Lease): void {
    const ear = new Ear<ClientState, void>(`a listener of ${this.#life.node.name}`, () => {
      unlisten()
      ear.over()
      this.#aside(() => this.#release(lease))
    })
    const unlisten = this.#client.onState(ear.hear)
  }

  /** Does something from within a listener, which waits for nothing. */
  #aside(run: () => Promise<void>): void {
    const running: Promise<void> = run().finally(() => this.#asides.delete(running))
    this.#asides.add(running)
  }

  async #holdAgain(path: string): Promise<void> {
    const { value: lease } = await this.#attempt(path, () => this.#lock(path).tryAcquire())
    if (lease === null) return
    this.#granted(path, lease)
    await this.#release(lease)
  }

  async #hold(path: string, lease: Lease): Promise<void> {
    const { random, tickMs } = this.#life
    const isLong = random.chance(LONG_TENURE_CHANCE)
    const holdTicks = isLong ? 2 * this.#client.sessionTimeoutMs / tickMs : HOLD_TICKS_MAX
    const writes = random.between(1, WRITES_MAX)
    for (let i = 0; i < writes; i++) {
      await this.#life.sleep(random.unit() * holdTicks)
      if (this.#isCareful && !isHeld(lease)) break
      this.#write(path, lease.token)
    }
    await this.#scene.operators.atMoment(lease.path, this.#life.node, random)
    if (random.chance(CLOSING_CHANCE)) await this.#close(lease)
    else await this.#release(lease)
  }

  /** Closes the client while it holds, or while it releases. */
  async #close(lease: Lease): Promise<void> {
    const { check, probes } = this.#scene
    const session = new ClosedSession(this.#client)
    this.#isClosed = true
    probes.hit('closed-in-tenure')
    this.#releasing(lease)
    const judge = (sessionId: bigint | null): void => {
      check.released(lease, sessionId)
    }
    const releasing = this.#life.random.chance(0.5) ? session.judge(lease.release(), judge) : Promise.resolve()
    await this.#client.close()
    await releasing
    judge(null)
  }

  /** Writes to the guarded resource: the write of a careful holder is there at once, as it has just looked. */
  #write(path: string, token: bigint): void {
    const { world, check, resources } = this.#scene
    const resource = resources.get(path)
    if (resource === undefined) throw new RangeError(`nothing is guarded by ${path}`)
    const { random, node, tickMs } = this.#life
    const lateMs = random.chance(0.5) ? 0 : random.unit() * LATE_TICKS_MAX * tickMs
    const arrive = (): boolean => {
      const isAccepted = resource.write(token)
      check.wrote(path, token, isAccepted)
      return isAccepted
    }
    if (this.#isCareful) {
      if (arrive() || check.isStruck(token)) return
      throw new Violation(check.name, `L5: ${node.name} was sure of ${path}, and its write was refused`)
    } else world.kernel.after(lateMs, null, 'write', arrive)
  }

  #releasing(lease: Lease): void {
    this.#scene.check.releasing(lease)
    this.#scene.strikes.releasing(lease)
    this.#scene.revocations.releasing(lease)
  }

  async #release(lease: Lease): Promise<void> {
    const { check, probes } = this.#scene
    let wasOutOfTouch = false
    const unlisten = this.#client.onState(({ status }) => {
      if (status === 'suspended') wasOutOfTouch = true
    })
    this.#releasing(lease)
    await lease.release()
    this.#tokens.delete(lease.token)
    unlisten()
    if (wasOutOfTouch && lease.state === 'released') probes.hit('lock-released-late')
    check.released(lease, this.#client.sessionId)
  }

  /** V4: once there is service and everybody comes to an end, everybody gets the lock. */
  async #acquireLast(path: string): Promise<void> {
    const { check } = this.#scene
    const waitMs = GRANT_TICKS * this.#life.tickMs
    const lock = this.#lock(path)
    const more = lock instanceof FairLock ? { revocable: true } : {}
    for (;;) {
      const { value: lease, error } = await this.#attempt(path, () => lock.acquire({ ...more, waitMs }))
      if (error?.code === 'TIMEOUT') {
        const queue = check.describe(path)
        throw new Violation(check.name, `V4: ${this.#life.node.name} waited ${waitMs} ms: ${queue}`, 'liveness')
      }
      if (lease === null) continue
      this.#granted(path, lease)
      if (lock instanceof FairLock) await this.#asker.askLast(lock, lease, this.#listen(lease, false))
      return this.#release(lease)
    }
  }

  #lookForRest(): void {
    const { sessionId } = this.#client
    if (sessionId !== null && pendingCleanups(this.#client) === 0) {
      this.#scene.check.owesNothing(sessionId, { tokens: this.#tokens, acquiring: this.#acquiring })
    }
  }

  #lock(path: string): FairLock | ExclusiveLock {
    const lock = this.#locks.get(path)
    if (lock === undefined) throw new RangeError(`there is no lock ${path}`)
    return lock
  }
}

function isHeld(lease: Lease): boolean {
  try {
    lease.throwIfLost()
    return true
  } catch {
    return false
  }
}
