/**
 * A simulated ensemble for tests of applications: real clients and recipes on real servers, in virtual time, over a
 * network that can be cut. The same seed goes the same way, always.
 *
 *     await simulate({ seed: 7, clients: 2 }, async (world) => {
 *       const [a, b] = world.clients
 *       const working = a.run(async (client) => { ... })
 *       world.partition([a.name], ['s1', 's2', 's3'])
 *       await world.sleep(10_000)
 *       world.heal()
 *       await working
 *     })
 *
 * While it runs, the global timers, Date, performance, Math.random and crypto.randomUUID are those of the simulated
 * machines. So one simulation runs at a time in a thread, and nothing that waits for real sockets or files belongs into
 * it.
 */
import type { Client, ConnectOptions } from '../../core/client.ts'
import { driveWorld } from './drive-world.ts'
import { Injector } from './inject.ts'
import type { Draining } from './kernel.ts'
import type { SimNode } from './sim-node.ts'
import type { FaultKind, Place, Plan } from './plan.ts'
import { Probes } from './probes.ts'
import { drawFileSettings, drawPlanFor, hasFiles } from './profiles.ts'
import type { ProfileName } from './profiles.ts'
import { SeededRandom } from './random.ts'
import { World } from './world.ts'
import type { SimServer } from './world.ts'

const DEFAULTS = Object.freeze({
  servers: 3, observers: 0, clients: 3, sessionTimeoutMs: 2_000, limitMs: 600_000, faults: [], draining: 'native',
})

/** Options of {@link simulate}. */
export interface SimulateOptions {
  /** The seed of all chance: a whole number. */
  readonly seed: number
  /** Servers that vote, named `s1`, `s2`, ...; 3 by default. */
  readonly servers?: number
  /** Servers that do not vote, named after those that do; none by default. */
  readonly observers?: number
  /** Clients, named `c1`, `c2`, ...; 3 by default. */
  readonly clients?: number
  /** Time-out of their sessions in virtual milliseconds; 2 s by default. */
  readonly sessionTimeoutMs?: number
  /**
   * Faults that happen by themselves: a plan, or a climate to draw one from for the first `forMs` milliseconds. None by
   * default.
   */
  readonly faults?: Plan | { readonly profile: ProfileName; readonly forMs: number }
  /** Virtual milliseconds after which the scenario is given up; 10 minutes by default. */
  readonly limitMs?: number
  /** `portable` runs where V8's own checkpoint cannot be reached, and is slower. */
  readonly draining?: Draining
}

/** The figures of a simulation. */
export interface SimulationReport {
  /** The same for the same seed and the same code. */
  readonly hash: number
  /** Virtual time that it took, in milliseconds. */
  readonly virtualMs: number
  /** How many timers and messages that were. */
  readonly events: number
  /** How often each class of faults of the plan happened. */
  readonly faults: Readonly<Partial<Record<FaultKind, number>>>
}

/** A machine of the simulated world. */
export interface SimulatedMachine {
  /** Its name in partitions and plans. */
  readonly name: Place
  /** Lets it stand still; then it goes on as if nothing had been. */
  pause(forMs: number): void
  /** Lets its wall clock jump. */
  jumpClock(byMs: number): void
}

/** One client of the simulated world. */
export interface SimulatedClient extends SimulatedMachine {
  /**
   * Runs a program on this machine. Its time and chance are the machine's, and so is everything that it starts.
   *
   * @param program - gets the machine's client, which is connected before the first program runs
   * @returns the result of the program; pending forever if the machine crashes first
   */
  run<T>(program: (client: Client) => Promise<T>): Promise<T>
  /** Ends the machine without a word to anybody, forever. */
  crash(): void
}

/** One server of the simulated world. */
export interface SimulatedServer extends SimulatedMachine {
  /** Whether it is the leader and serves. */
  readonly isLeading: boolean
  /** Ends its process. Data that were not durable are lost; nothing happens if it is down. */
  crash(): void
  /** Starts it again, with its disk; nothing happens if it is up. */
  start(): void
}

/** The world of one simulation, as a scenario sees it. */
export interface SimulatedWorld {
  /** Its clients, `c1` first. */
  readonly clients: readonly SimulatedClient[]
  /** Its servers, `s1` first. */
  readonly servers: readonly SimulatedServer[]
  /** Virtual milliseconds since the start. */
  readonly nowMs: number
  /** The server that leads and serves; undefined while there is none. */
  leader(): SimulatedServer | undefined
  /** A number from 0 up to 1, drawn from the seed. */
  random(): number
  /** Lets virtual time pass. */
  sleep(forMs: number): Promise<void>
  /** Lets something happen at an instant of virtual time, counted from the start. */
  at(atMs: number, run: () => void): void
  /** Lets no message through between two sides, until {@link SimulatedWorld.heal}; messages wait. */
  partition(left: readonly Place[], right: readonly Place[]): void
  /** Ends all partitions. */
  heal(): void
  /**
   * Looks at something after every event.
   *
   * @param invariant - called after every event; its error ends the simulation
   */
  always(invariant: () => void): void
}

/**
 * Runs a scenario in a simulated world.
 *
 * @param options - `seed` is required
 * @param scenario - the course of the simulation, which ends when its promise settles
 * @returns the figures of the simulation
 * @throws errors of the scenario or an invariant, and those that its clients report; Error if it does not end in time
 */
export async function simulate(
  options: SimulateOptions,
  scenario: (world: SimulatedWorld) => Promise<void>,
): Promise<SimulationReport> {
  const simulation = new Simulation(options)
  return simulation.go(scenario)
}

class Simulation implements SimulatedWorld {
  readonly clients: readonly Machine[]
  readonly servers: readonly SimulatedServer[]
  readonly #world: World
  readonly #injector: Injector
  readonly #plan: Plan
  readonly #limitMs: number
  readonly #random
  readonly #open = new Set<() => void>()

  constructor(options: SimulateOptions) {
    const settings = { ...DEFAULTS, ...options }
    const { seed, servers, observers, clients, sessionTimeoutMs, limitMs, faults, draining } = settings
    if (!Number.isSafeInteger(seed)) throw new TypeError(`seed must be a whole number: ${String(seed)}`)
    const isOnFiles = 'profile' in faults && hasFiles(faults.profile)
    const files = isOnFiles ? drawFileSettings(new SeededRandom(seed).fork('files')) : undefined
    this.#world = new World({ seed, servers, observers, sessionTimeoutMs, draining, files })
    const { random } = this.#world.kernel
    this.#random = random.fork('scenario')
    this.#limitMs = limitMs
    this.clients = Array.from({ length: clients }, () => new Machine(this.#world))
    this.servers = this.#world.servers.map((server) => new ServerMachine(this.#world, server))
    const scene = {
      random: random.fork('plan'),
      servers: this.servers.map(({ name }) => name),
      clients: this.clients.map(({ name }) => name),
      sessionTimeoutMs,
      tickMs: this.#world.tickMs,
    }
    this.#plan = 'profile' in faults ? drawPlanFor(faults.profile, faults.forMs, scene) : faults
    this.#injector = new Injector({
      world: this.#world,
      clients: {
        node: (index) => this.clients[index]?.node,
        nodes: () => this.clients.map(({ node }) => node),
        // A machine of a scenario has a program of its own, which no other machine could take up.
        crash: () => false,
      },
      probes: new Probes(),
      sessionTimeoutMs,
      onFault: () => undefined,
    })
  }

  get nowMs(): number {
    return this.#world.kernel.nowMs
  }

  leader(): SimulatedServer | undefined {
    return this.servers.find(({ isLeading }) => isLeading)
  }

  random(): number {
    return this.#random.unit()
  }

  sleep(forMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.#world.kernel.after(forMs, null, 'sleep', resolve)
    })
  }

  at(atMs: number, run: () => void): void {
    this.#world.kernel.after(atMs - this.nowMs, null, 'at', run)
  }

  partition(left: readonly Place[], right: readonly Place[]): void {
    this.#open.add(this.#injector.blocks.separate(left, right))
  }

  heal(): void {
    for (const open of this.#open) open()
    this.#open.clear()
  }

  always(invariant: () => void): void {
    this.#world.kernel.addMonitor(invariant)
  }

  async go(scenario: (world: SimulatedWorld) => Promise<void>): Promise<SimulationReport> {
    const { kernel } = this.#world
    let isOver = false
    await driveWorld({ world: this.#world, injector: this.#injector, plan: this.#plan }, async () => {
      kernel.after(0, null, 'scenario', () => {
        scenario(this).then(() => {
          isOver = true
        }, (error: unknown) => {
          kernel.fail(error)
        })
      })
      const hasEnded = await kernel.run(this.#limitMs, () => isOver)
      if (!hasEnded) throw new Error(`the scenario has not ended after ${this.#limitMs} virtual ms`)
    })
    return { hash: kernel.hash, virtualMs: kernel.nowMs, events: kernel.eventCount, faults: this.#injector.counts() }
  }
}

class Machine implements SimulatedClient {
  readonly node: SimNode
  readonly #world: World
  readonly #client: Promise<Client>

  constructor(world: World) {
    this.#world = world
    let connected: (client: Client) => void
    this.#client = new Promise((resolve) => {
      connected = resolve
    })
    this.node = world.addClient((client) => {
      connected(client)
      return Promise.resolve()
    }, CONNECT)
  }

  get name(): Place {
    return this.node.name
  }

  run<T>(program: (client: Client) => Promise<T>): Promise<T> {
    const { kernel } = this.#world
    return new Promise((resolve, reject) => {
      kernel.after(0, this.node, 'program', () => {
        // The scenario goes on as the world, not as this machine: it must not stop when the machine does.
        this.#client.then(program).then((value) => {
          kernel.after(0, null, 'ended', () => {
            resolve(value)
          })
        }, (error: unknown) => {
          kernel.after(0, null, 'failed', () => {
            reject(error instanceof Error ? error : new Error(String(error)))
          })
        })
      })
    })
  }

  pause(forMs: number): void {
    pause(this.#world, this.node, forMs)
  }

  jumpClock(byMs: number): void {
    this.node.wallOffsetMs += byMs
  }

  crash(): void {
    this.#world.kernel.kill(this.node)
  }
}

/** Machines connect however long there is no quorum. */
const CONNECT = Object.freeze({ connectTimeoutMs: 3_600_000 }) satisfies ConnectOptions

class ServerMachine implements SimulatedServer {
  readonly #world: World
  readonly #server: SimServer

  constructor(world: World, server: SimServer) {
    this.#world = world
    this.#server = server
  }

  get name(): Place {
    return this.#server.node.name
  }

  get isLeading(): boolean {
    const status = this.#server.status()
    return status?.role === 'LEADING' && status.serving
  }

  pause(forMs: number): void {
    pause(this.#world, this.#server.node, forMs)
  }

  jumpClock(byMs: number): void {
    this.#server.node.wallOffsetMs += byMs
  }

  crash(): void {
    this.#world.crash(this.#server.id)
  }

  start(): void {
    this.#world.start(this.#server.id)
  }
}

function pause({ kernel }: World, node: SimNode, forMs: number): void {
  node.pausedUntilMs = Math.max(node.pausedUntilMs, kernel.nowMs + forMs)
}
