/**
 * One run of the simulation: a world is made as it was drawn, goes through its phases, and is judged.
 *
 * Phases    safety (the plan strikes while the clients work), liveness (a core is healed and must serve), quiescence
 *           (all ends and nothing is left); see phases.ts for the last two.
 * Finding   the first one ends the run. `safety` and `liveness` are broken promises that a check saw; `crash` is
 *           an error that nobody expected: an assertion of a server, an exception in a client.
 */
import { SERVER_DEFAULTS } from '../src/backends/embedded/server/config.ts'
import { Violation } from './check.ts'
import type { Check } from './check.ts'
import { createChecks } from './checks/suite.ts'
import { ClientProbes } from './client-probes.ts'
import { ClientSlots } from './client-slots.ts'
import { driveWorld } from '../src/testing/simulation/drive-world.ts'
import { Injector } from '../src/testing/simulation/inject.ts'
import type { Draining } from '../src/testing/simulation/kernel.ts'
import { Ledger } from './ledger.ts'
import { Operators } from './operators.ts'
import { Owners } from './owners.ts'
import { Phases } from './phases.ts'
import type { FaultKind } from '../src/testing/simulation/plan.ts'
import { Probes } from '../src/testing/simulation/probes.ts'
import type { ProbeName } from '../src/testing/simulation/probes.ts'
import type { Draw, ProfileName } from '../src/testing/simulation/profiles.ts'
import { ServerProbes } from './server-probes.ts'
import type { MakeWorkload } from './workload.ts'
import { SocketPeers } from './sockets/socket-peers.ts'
import { UnseenMoves } from './unseen-moves.ts'
import { WORKLOADS } from './workloads/all.ts'
import { Tap } from './tap.ts'
import { World } from '../src/testing/simulation/world.ts'
import type { WorldEvent } from '../src/testing/simulation/world.ts'

/** A run of more events than this spins: two messages that cause each other, at the speed of the network. */
const EVENTS_MAX = 3_000_000
/** Clients begin within this many ticks, while the first leader is being elected and after that. */
const CLIENTS_START_TICKS = 20

/** The fault that ended a run. */
export interface Finding {
  /** An error that nobody expected, a promise that holds always, or one that holds once the faults have ended. */
  readonly kind: 'crash' | 'safety' | 'liveness'
  /** The name of the check, or of the error. */
  readonly check: string
  /** The check's observation. */
  readonly message: string
  /** Virtual time since the start, in milliseconds. */
  readonly atMs: number
  /** Where in the code it was seen. */
  readonly stack: string
}

/** The course of one run; JSON. */
export interface RunReport {
  /** The seed of its draw. */
  readonly seed: number
  /** The climate of its draw. */
  readonly profile: ProfileName
  /** The workload of its clients. */
  readonly workload: string
  /** The hash of everything that happened: the same for the same draw, always. */
  readonly hash: number
  /** How long it took in virtual time, in milliseconds. */
  readonly virtualMs: number
  /** Events of the kernel. */
  readonly events: number
  /** How often a leader began to serve. */
  readonly elections: number
  /** How many transactions were committed. */
  readonly commits: number
  /** Ticks from healing to service; null if there was none. */
  readonly serviceTicks: number | null
  /** How often each class of faults happened. */
  readonly faults: Partial<Record<FaultKind, number>>
  /** How often each rare situation came up. */
  readonly probes: Partial<Record<ProbeName, number>>
  /** The fault that was found; null if none was. */
  readonly finding: Finding | null
}

/** How a run is watched. */
export interface RunOptions {
  readonly draining?: Draining
  /** The workloads that a draw may name; {@link WORKLOADS} by default. */
  readonly workloads?: Readonly<Record<string, MakeWorkload>>
  /** Gets a line for each fault, phase and event in the life of a server. */
  readonly onLine?: (atMs: number, line: string) => void
  /** Gets a line for each event of the kernel. */
  readonly onTrace?: (atMs: number, node: string, label: string) => void
}

/** Runs a draw. Never rejects for what happens in the world: that is in the report. */
export async function runDraw(draw: Draw, options: RunOptions = {}): Promise<RunReport> {
  const run = new Run(draw, options)
  return run.go()
}

class Run {
  readonly #draw: Draw
  readonly #world: World
  readonly #probes = new Probes()
  readonly #serverProbes: ServerProbes
  readonly #clients: ClientSlots
  readonly #injector: Injector
  readonly #phases: Phases
  readonly #operators: Operators
  /** Where operators strike; null if there are none. */
  readonly #hunted: string | null
  readonly #checks: readonly Check[]
  readonly #note: (line: string) => void
  /** The last counter that was seen applied, by epoch. */
  readonly #applied = new Map<bigint, bigint>()
  #serviceTicks: number | null = null

  constructor(draw: Draw, options: RunOptions) {
    const { seed, servers, observers, clients, sessionTimeoutMs, turnsMs = {} } = draw
    const { server, network, disk, files, carriedOver } = draw
    const { draining = 'native', workloads = WORKLOADS, onTrace } = options
    this.#draw = draw
    const world = new World({
      seed, draining, servers, observers, sessionTimeoutMs, server, network, disk, files, carriedOver,
      ...(onTrace === undefined ? {} : { onTrace }),
    })
    this.#world = world
    for (const { node } of world.servers) node.turnMsMax = turnsMs[node.name] ?? 0
    this.#note = (line) => options.onLine?.(world.kernel.nowMs, line)
    const { random } = world.kernel
    const makeWorkload = workloads[draw.workload]
    if (makeWorkload === undefined) throw new RangeError(`there is no workload ${draw.workload}`)
    const probes = this.#probes
    if (draw.sockets === true) new SocketPeers(world, random.fork('sockets'))
    const tap = new Tap(world)
    tap.observe(new ClientProbes(probes, world.kernel))
    tap.observe(new UnseenMoves(world, tap, random.fork('unseen moves'), probes, draw.unseenMoveChance ?? 0))
    const ledger = new Ledger(world)
    const checks = createChecks(world, tap, ledger)
    const owners = new Owners()
    tap.observe(owners)
    const operators = new Operators({ world, ledger, owners, probes, sessionTimeoutMs })
    this.#operators = operators
    const workload = makeWorkload({
      world, ledger, tap, owners, operators, clients, random: random.fork('workload'), probes,
    })
    this.#hunted = draw.plan.some(({ kind }) => kind === 'operate') ? (workload.hunted ?? null) : null
    this.#clients = new ClientSlots({
      world, random: random.fork('clients'), workload, probes, count: clients, turnsMs,
    })
    this.#injector = new Injector({
      world, clients: this.#clients, probes, sessionTimeoutMs,
      onFault: this.#note,
      operate: (strike) => operators.strike(strike),
    })
    this.#serverProbes = new ServerProbes(world, probes)
    this.#phases = new Phases({
      world, clients: this.#clients, injector: this.#injector, random: random.fork('phases'),
      config: { ...SERVER_DEFAULTS, ...server }, sessionTimeoutMs, onPhase: this.#note,
    })
    this.#checks = [...checks, ...workload.checks]
    this.#monitor()
  }

  async go(): Promise<RunReport> {
    const { kernel } = this.#world
    const fail = (error: unknown): void => {
      kernel.fail(error)
    }
    process.on('unhandledRejection', fail)
    try {
      await driveWorld({
        world: this.#world,
        injector: this.#injector,
        plan: this.#draw.plan,
        observers: [this.#serverProbes, { notice: (happened) => this.#tell(happened) }],
        begin: () => {
          if (this.#hunted !== null) this.#operators.start(this.#hunted)
          this.#clients.start(CLIENTS_START_TICKS * this.#world.tickMs)
        },
      }, () => this.#goThroughPhases())
      return this.#report(null)
    } catch (error) {
      return this.#report(findingOf(error, kernel.nowMs))
    } finally {
      process.off('unhandledRejection', fail)
    }
  }

  async #goThroughPhases(): Promise<void> {
    await this.#world.kernel.run(this.#draw.safetyMs)
    this.#operators.end()
    this.#serviceTicks = await this.#phases.serve()
    this.#note(`serves after ${this.#serviceTicks} ticks`)
    await this.#phases.rest()
    this.#note('rests')
    this.#serverProbes.atEnd()
    for (const check of this.#checks) check.atEnd?.()
    if (this.#draw.files !== undefined) await this.#phases.readAgain()
  }

  #tell({ server, event }: WorldEvent): void {
    this.#count(this.#world.servers[server - 1]?.status()?.zxid ?? 0n)
    this.#note(`s${server} ${JSON.stringify(event, showZxid)}`)
  }

  #monitor(): void {
    const { kernel } = this.#world
    for (const check of this.#checks) {
      if (check.afterEvent !== undefined) kernel.addMonitor(check.afterEvent.bind(check))
    }
    kernel.addMonitor(() => {
      this.#serverProbes.afterEvent()
      if (kernel.eventCount > EVENTS_MAX) throw new Violation('events', `no end after ${EVENTS_MAX} events`, 'liveness')
    })
  }

  #count(zxid: bigint): void {
    const [epoch, counter] = [zxid >> 32n, zxid & 0xffffffffn]
    if (counter > (this.#applied.get(epoch) ?? 0n)) this.#applied.set(epoch, counter)
  }

  #report(finding: Finding | null): RunReport {
    const { kernel, servers } = this.#world
    for (const server of servers) this.#count(server.status()?.zxid ?? 0n)
    const { seed, profile, workload } = this.#draw
    return {
      seed, profile, workload,
      hash: kernel.hash,
      virtualMs: Math.round(kernel.nowMs),
      events: kernel.eventCount,
      elections: this.#serverProbes.elections,
      commits: Number([...this.#applied.values()].reduce((sum, counter) => sum + counter, 0n)),
      serviceTicks: this.#serviceTicks,
      faults: this.#injector.counts(),
      probes: this.#probes.counts(),
      finding,
    }
  }
}

function showZxid(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? `0x${value.toString(16)}` : value
}

function findingOf(thrown: unknown, atMs: number): Finding {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  const isViolation = error instanceof Violation
  const causes = []
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    causes.push(`caused by ${cause.stack ?? cause.message}`)
  }
  return {
    kind: isViolation ? error.kind : 'crash',
    check: isViolation ? error.check : error.name,
    message: isViolation ? error.message.slice(`${error.check}: `.length) : error.message,
    atMs,
    stack: [error.stack ?? '', ...causes].join('\n'),
  }
}
