/**
 * The raw workload: everything that a client can ask for, without a recipe in between.
 *
 * Programs   creates of every mode, sets and deletes with and without versions, multis that succeed and that are
 *            refused, checks of which creation a node is of, reads with watches of every kind and their taking back,
 *            bursts of requests that do not wait for each other, and reads after a sync.
 * Values     every value that is written is its own, so that it can be found in the history, or not.
 * Checks     C5 at the client, which repeats what was not sent: a value is in the history as often as its writer was
 *            told. C4 from outside: writes of a few registers, and reads of them after a sync (checks/registers.ts).
 */
import { OpCode } from '../../src/backends/wire/codes.ts'
import type { TxnBody } from '../../src/backends/wire/transactions.ts'
import type { CreateMode, Operation, Stat, WatchEvent } from '../../src/core/backend.ts'
import type { Client } from '../../src/core/client.ts'
import { isCoordinationError } from '../../src/core/errors.ts'
import type { CoordinationError } from '../../src/core/errors.ts'
import type { Check } from '../check.ts'
import { Violation } from '../check.ts'
import { RegistersCheck } from '../checks/registers.ts'
import type { LedgerListener } from '../ledger.ts'
import type { Replayed } from '../model.ts'
import type { Probes } from '../../src/testing/simulation/probes.ts'
import type { SeededRandom } from '../../src/testing/simulation/random.ts'
import type { ClientLife, MakeWorkload, Workload } from '../workload.ts'
import { attempt } from './attempt.ts'
import { Ear } from './ear.ts'

const ROOT = '/raw'
const NODES = 6
const REGISTERS = 3
const BURST_MAX = 12
/** Longest pauses between two steps of a client, in ticks; one is drawn for each. */
const PAUSES_TICKS_MAX: readonly number[] = Object.freeze([2, 6, 20, 60])
const TTL_TICKS_MAX = 100
const MODES: readonly CreateMode[] = Object.freeze([
  'persistent',
  'ephemeral',
  'persistent-sequential',
  'ephemeral-sequential',
  'container',
  'persistent-with-ttl',
])

/** The outcome of a write, as far as its caller knows. */
type Told = 'done' | 'not-done' | 'unknown'

/** Makes the workload `raw`. */
export const makeRaw: MakeWorkload = ({ world, ledger, probes }) => {
  const values = new ValuesCheck()
  const registers = new RegistersCheck(world.kernel)
  ledger.listen(values)
  const program = async (client: Client, life: ClientLife): Promise<void> => {
    await new RawClient(client, life, { values, registers, probes }).run()
  }
  return { name: 'raw', checks: [values, registers], program } satisfies Workload
}

interface Shared {
  readonly values: ValuesCheck
  readonly registers: RegistersCheck
  readonly probes: Probes
}

/** One life of one client. */
class RawClient {
  readonly #client: Client
  readonly #life: ClientLife
  readonly #random: SeededRandom
  readonly #shared: Shared
  /** Sequential nodes that it has created and not deleted yet: without its help the tree would grow all the time. */
  readonly #sequential: string[] = []
  readonly #watching: { readonly path: string; readonly ear: Ear<WatchEvent, void> }[] = []
  /** By path, the creation of the node that it saw there last. */
  readonly #creations = new Map<string, bigint>()
  #written = 0

  constructor(client: Client, life: ClientLife, shared: Shared) {
    this.#client = client
    this.#life = life
    this.#random = life.random
    this.#shared = shared
  }

  async run(): Promise<void> {
    await this.#attempt(() => this.#client.makePath(ROOT, { mode: 'persistent' }))
    for (let i = 0; i < REGISTERS; i++) await this.#attempt(() => this.#client.create(`${ROOT}/register-${i}`))
    const pauseTicksMax = this.#random.pick(PAUSES_TICKS_MAX)
    while (!this.#life.isEnding()) {
      await this.#step()
      await this.#life.sleep(this.#random.unit() * pauseTicksMax)
    }
    // It leaves in the middle of a sentence: the end of its session comes right after creates that nobody has applied.
    for (let left = this.#random.between(0, BURST_MAX); left > 0; left--) void this.#one()
  }

  async #step(): Promise<void> {
    const random = this.#random
    const choice = random.between(1, 10)
    if (choice <= 5) await this.#one()
    else if (choice <= 7) {
      const burst = Array.from({ length: random.between(2, BURST_MAX) }, () => this.#one())
      await Promise.all(burst)
    } else await this.#register(`${ROOT}/register-${random.between(0, REGISTERS - 1)}`)
  }

  /** One call of any kind. */
  #one(): Promise<unknown> {
    const random = this.#random
    const path = this.#path()
    switch (random.between(1, 14)) {
      case 1:
      case 2:
      case 3:
        return this.#create(path)
      case 4:
      case 5: {
        const value = this.#value()
        return this.#write([value], () => this.#client.set(path, value, this.#version()))
      }
      case 6:
        return this.#attempt(() => this.#client.delete(path, this.#version()))
      case 7:
        return this.#deleteSequential()
      case 8:
        return this.#multi()
      case 9:
        return this.#attempt(() => this.#client.sync().then(() => this.#client.get(path)))
      case 10:
        this.#unwatch()
        return Promise.resolve()
      default:
        return this.#read(path)
    }
  }

  #create(path: string): Promise<unknown> {
    const mode = this.#random.pick(MODES)
    const value = this.#value()
    const ttlMsMax = TTL_TICKS_MAX * this.#life.tickMs
    const ttlMs = mode === 'persistent-with-ttl' ? { ttlMs: this.#random.between(1, ttlMsMax) } : {}
    const parent = this.#random.chance(0.3) ? path : ROOT
    const asked = mode.endsWith('-sequential') ? `${parent}/s-` : path
    return this.#write([value], async () => {
      const { path: created, stat } = await this.#client.create(asked, value, { mode, ...ttlMs })
      this.#creations.set(created, stat.czxid)
      if (asked !== path) this.#sequential.push(created)
    })
  }

  async #deleteSequential(): Promise<void> {
    const paths = this.#sequential.splice(0)
    await Promise.all(paths.map((path) => this.#attempt(() => this.#client.delete(path))))
  }

  #multi(): Promise<unknown> {
    const random = this.#random
    const values: string[] = []
    const data = (): Uint8Array => {
      values.push(this.#value())
      return new TextEncoder().encode(values.at(-1))
    }
    const operations = Array.from({ length: random.between(1, 4) }, (): Operation => {
      const path = this.#path()
      const { version = -1 } = this.#version()
      switch (random.between(1, 4)) {
        case 1:
          return { type: 'create', path, data: data(), mode: random.pick(['persistent', 'ephemeral']) }
        case 2:
          return { type: 'set', path, data: data(), version }
        case 3:
          return { type: 'delete', path, version }
        default:
          return { type: 'check', path, version }
      }
    })
    const [first] = operations
    if (first !== undefined && random.chance(0.5)) operations.unshift(this.#checkOf(first.path))
    return this.#write(values, async () => {
      try {
        await this.#client.multi(operations)
      } catch (error) {
        const [check] = operations
        const isRefused = isCoordinationError(error, 'BAD_VERSION') && error.index === 0
        const isOfCreation = check?.type === 'check' && check.czxid !== undefined
        if (isRefused && isOfCreation) this.#shared.probes.hit('creation-refused')
        throw error
      }
    })
  }

  /** As recipes do: whatever is at the path has to be the node that was seen there, at some time. */
  #checkOf(path: string): Operation {
    const czxid = this.#creations.get(path)
    return czxid === undefined ? { type: 'check', path, version: -1 } : { type: 'check', path, version: -1, czxid }
  }

  #read(path: string): Promise<unknown> {
    const random = this.#random
    const ear = new Ear<WatchEvent, void>(`a watch on ${path} of ${this.#life.node.name}`, () => {
      this.#shared.probes.hit('watch-fired')
      // Its calls from within are what people do there.
      if (random.chance(0.1)) this.#unwatch()
      if (random.chance(0.1)) void this.#one()
    })
    const options = random.chance(0.6) ? { watch: ear.hear } : {}
    if (options.watch !== undefined) this.#watching.push({ path, ear })
    switch (random.between(1, 3)) {
      case 1:
        return this.#attempt(async () => this.#see(path, (await this.#client.get(path, options)).stat))
      case 2:
        return this.#attempt(async () => this.#see(path, await this.#client.exists(path, options)))
      default:
        return this.#attempt(() => this.#client.children(path, options))
    }
  }

  #see(path: string, stat: Stat | null): void {
    if (stat !== null) this.#creations.set(path, stat.czxid)
  }

  #unwatch(): void {
    const { length } = this.#watching
    if (length === 0) return
    const [watching] = this.#watching.splice(this.#random.between(0, length - 1), 1)
    if (watching === undefined) return
    this.#client.unwatch(watching.path, watching.ear.hear)
    watching.ear.over()
  }

  /** Writes a register, or reads it after a sync: calls that are linearizable as a whole. */
  async #register(path: string): Promise<void> {
    const { registers } = this.#shared
    const { sessionId } = this.#client
    if (this.#random.chance(0.5)) {
      const value = this.#value()
      const finish = registers.call(path, { type: 'write', value })
      const told = await this.#write([value], () => this.#client.set(path, value))
      if (told === 'done') finish(value)
      else if (told === 'not-done') finish(null)
      return
    }
    const finish = registers.call(path, { type: 'read' })
    await this.#attempt(async () => {
      await this.#client.sync(path)
      const { data } = await this.#client.get(path)
      // A read that was repeated on another session does not follow its sync any more.
      finish(this.#client.sessionId === sessionId ? new TextDecoder().decode(data) : null)
    })
  }

  async #write(values: readonly string[], write: () => Promise<unknown>): Promise<Told> {
    for (const value of values) this.#shared.values.told(value, 'unknown')
    const error = await this.#attempt(write)
    if (error?.outcome === 'unknown') return 'unknown'
    const told = error === null ? 'done' : 'not-done'
    for (const value of values) this.#shared.values.told(value, told)
    return told
  }

  /** @returns the error that it failed with, or null */
  async #attempt(run: () => Promise<unknown>): Promise<CoordinationError | null> {
    const { probes } = this.#shared
    const { error } = await attempt(run)
    if (error?.outcome === 'unknown') probes.hit('write-unknown')
    if (error?.outcome === 'not-sent') probes.hit('write-not-sent')
    if (error?.code === 'BAD_VERSION') probes.hit('bad-version')
    if (error?.index !== undefined) probes.hit('multi-refused')
    return error
  }

  #path(): string {
    const path = `${ROOT}/node-${this.#random.between(1, NODES)}`
    return this.#random.chance(0.3) ? `${path}/child-${this.#random.between(1, NODES)}` : path
  }

  #version(): { readonly version?: number } {
    return this.#random.chance(0.4) ? { version: this.#random.between(0, 2) } : {}
  }

  #value(): string {
    this.#written += 1
    return `${this.#life.node.name} ${this.#life.node.incarnation} ${this.#written}`
  }
}

/** C5 at the client: each value is in the history as often as its writer was told. */
class ValuesCheck implements Check, LedgerListener {
  readonly name = 'raw-values'
  readonly covers = ['C5']
  readonly #told = new Map<string, Told>()
  readonly #counts = new Map<string, number>()

  /** Notes what a writer knows of its value. */
  told(value: string, told: Told): void {
    this.#told.set(value, told)
  }

  committed({ transaction: { txn } }: Replayed): void {
    this.#count(txn)
  }

  atEnd(): void {
    for (const [value, told] of this.#told) {
      const count = this.#counts.get(value) ?? 0
      const isTrue = told === 'unknown' ? count <= 1 : count === (told === 'done' ? 1 : 0)
      if (isTrue) continue
      throw new Violation(this.name, `C5: "${value}" is ${told} to its writer, and ${count} times in the history`)
    }
  }

  #count(txn: TxnBody): void {
    switch (txn.type) {
      case OpCode.multi:
        for (const part of txn.body) this.#count(part)
        break
      case OpCode.create:
      case OpCode.create2:
      case OpCode.createContainer:
      case OpCode.createTTL:
      case OpCode.setData: {
        const value = new TextDecoder().decode(txn.body.data ?? new Uint8Array())
        this.#counts.set(value, (this.#counts.get(value) ?? 0) + 1)
        break
      }
      default:
    }
  }
}
