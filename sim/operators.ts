/**
 * Operators: people at a shell, who delete the nodes of recipes and make them again, at any moment.
 *
 * Model     one client on a machine of its own, which no fault of a plan strikes. It does what the plan says, and what
 *           programs ask for at their own worst moments: right before they release, update or leave. The owner of the
 *           node may stand still meanwhile, so that it goes on with what is another's by then.
 * Prey      the nodes below the one path that a workload names.
 * End       it closes when the faults end, and what it has made ephemeral goes with its session.
 */
import type { Client } from '../src/core/client.ts'
import { CoordinationError } from '../src/core/errors.ts'
import { joinPath, parentOf } from '../src/core/path.ts'
import type { SimNode } from '../src/testing/simulation/sim-node.ts'
import type { Ledger } from './ledger.ts'
import type { Owners } from './owners.ts'
import { OPERATOR_STRIKES } from '../src/testing/simulation/plan.ts'
import type { Fault, OperatorStrike } from '../src/testing/simulation/plan.ts'
import type { Probes } from '../src/testing/simulation/probes.ts'
import type { SeededRandom } from '../src/testing/simulation/random.ts'
import type { World } from '../src/testing/simulation/world.ts'

/** An operator connects however long there is no quorum: longer than any run, in milliseconds. */
const PATIENCE_MS = 3_600_000
/** How often an operator strikes when a program comes to such a moment. */
const MOMENT_CHANCE = 0.15
/** A program stands still at such a moment for up to this part of its session's time-out: its lease lasts longer. */
const MOMENT_PART_MAX = 0.6
/** Longest stay of a node that is restored at such a moment, in ticks. */
const RESTORED_TICKS_MAX = 20

/** An operator's task. */
interface Order {
  readonly how: OperatorStrike
  readonly path: string
  readonly forMs: number
}

/** The parts that operators are made from. */
export interface OperatorsOptions {
  readonly world: World
  readonly ledger: Ledger
  readonly owners: Owners
  readonly probes: Probes
  readonly sessionTimeoutMs: number
}

/** The operators of one run. */
export class Operators {
  readonly #options: OperatorsOptions
  #hunted: string | null = null
  #node: SimNode | null = null
  #client: Client | null = null
  /** The timers of nodes that will be deleted again; the nodes go with the session anyway. */
  readonly #timers = new Set<ReturnType<typeof setTimeout>>()
  #isOver = false

  constructor(options: OperatorsOptions) {
    this.#options = options
  }

  /**
   * Lets the operator begin.
   *
   * @param hunted - the path at and below which it strikes
   */
  start(hunted: string): void {
    const { world, owners } = this.#options
    this.#hunted = hunted
    this.#node = world.addClient(async (client) => {
      this.#client = client
      if (this.#isOver) await client.close()
    }, { connectTimeoutMs: PATIENCE_MS })
    owners.addOperator(this.#node)
  }

  /** Ends the striking, and the operator's session with what it has made. */
  end(): void {
    this.#isOver = true
    this.#onShell((client) => {
      for (const timer of this.#timers) clearTimeout(timer)
      return client.close()
    })
  }

  /**
   * Carries out a strike of a plan.
   *
   * @returns whether there was something to strike at, and somebody to do it
   */
  strike({ how, pick, forMs, stallMs, timersFirst }: Extract<Fault, { readonly kind: 'operate' }>): boolean {
    const { ledger, owners } = this.#options
    const prey = this.#prey()
    const path = prey[Math.floor(pick * prey.length)]
    if (path === undefined || this.#client === null) return false
    const owner = owners.nodeOf(ledger.model.node(path)?.owner ?? 0n)
    if (owner !== null && stallMs > 0) this.#stall(owner, stallMs, timersFirst)
    this.#order({ how, path, forMs })
    return true
  }

  /**
   * To be called, and waited for, by a program that is about to do something with a node that it believes to be its
   * own. Now and then an operator strikes at that moment.
   *
   * @param node - the machine of the program
   */
  async atMoment(path: string, node: SimNode, random: SeededRandom): Promise<void> {
    if (this.#client === null || this.#isOver || !random.chance(MOMENT_CHANCE)) return
    const { world, sessionTimeoutMs } = this.#options
    this.#order({ how: random.pick(OPERATOR_STRIKES), path, forMs: random.unit() * RESTORED_TICKS_MAX * world.tickMs })
    const stallMs = random.chance(0.7) ? random.unit() * MOMENT_PART_MAX * sessionTimeoutMs : 0
    const delayMs = random.unit() * world.network.weather.delayMsMax
    this.#stall(node, stallMs, true)
    // A timer that is due when the machine goes on runs before what has come in meanwhile is read.
    await new Promise((resolve) => setTimeout(resolve, stallMs === 0 ? delayMs : 0))
  }

  #stall(node: SimNode, forMs: number, timersFirst: boolean): void {
    const { nowMs } = this.#options.world.kernel
    node.pausedUntilMs = Math.max(node.pausedUntilMs, nowMs + forMs)
    node.timersFirst = timersFirst
  }

  /** The nodes there are now: those of sessions first and twice, as they are what most recipes live by. */
  #prey(): readonly string[] {
    const { ledger: { model }, owners } = this.#options
    const hunted = this.#hunted
    if (hunted === null) return []
    const paths = [...model.pathsEver()].filter((path) => path === hunted || path.startsWith(`${hunted}/`))
    const there = paths.filter((path) => !owners.isOperator(model.node(path)?.owner ?? 0n) && model.node(path) !== null)
    const owned = there.filter((path) => model.node(path)?.kind === 'ephemeral')
    return [...owned, ...owned, ...there]
  }

  #order(order: Order): void {
    this.#onShell(async (client) => {
      try {
        await this.#carryOut(client, order)
      } catch (error) {
        // Somebody was quicker, or the servers are out of reach; operators shrug.
        if (!(error instanceof CoordinationError)) throw error
      }
    })
  }

  async #carryOut(client: Client, { how, path, forMs }: Order): Promise<void> {
    const { probes, ledger } = this.#options
    if (how === 'clear') {
      await clear(client, ledger.model.node(path)?.kind === 'ephemeral' ? parentOf(path) : path)
      probes.hit('operator-cleared')
      return
    }
    const { data, stat } = await client.get(path)
    await client.delete(path)
    probes.hit('operator-deleted')
    if (how === 'delete') return
    const isOwned = stat.ephemeralOwner !== 0n
    await client.create(path, data, { mode: isOwned ? 'ephemeral' : 'persistent' })
    probes.hit('operator-restored')
    if (!isOwned) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        this.#timers.delete(timer)
        resolve()
      }, forMs)
      this.#timers.add(timer)
    })
    await client.delete(path)
  }

  /** Runs something on the operator's machine, if its client has connected. */
  #onShell(run: (client: Client) => Promise<void>): void {
    const { kernel } = this.#options.world
    const [node, client] = [this.#node, this.#client]
    if (node === null || client === null) return
    kernel.after(0, node, 'operate', () => {
      run(client).catch((error: unknown) => {
        kernel.fail(error)
      })
    })
  }
}

/** Deletes a node and what is below it. */
async function clear(client: Client, path: string): Promise<void> {
  const { names } = await client.children(path)
  await Promise.allSettled(names.map((name) => client.delete(joinPath(path, name))))
  await client.delete(path)
}
