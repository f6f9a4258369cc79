/**
 * The phases after that of faults: healing, service, and rest.
 *
 * Liveness   only a random core of the servers is healed, with just enough of them to be a majority. The others are
 *            dead, frozen or cut off forever. The core has to elect, to serve, and to take a write of a client that is
 *            new, in time.
 * Answers    when every program has ended, a client that is left by itself has each of its syncs answered, on one
 *            connection: no other's request comes that could bring the answer of an earlier one along.
 * Files      at last, servers that stand on files crash all at once, and read what they have.
 * Quiescence every program ends and every client closes. Then nothing may be left: no session, watch or connection on
 *            any server of the core, no timer on any client's node, and all of the core has applied the same.
 * Bounds     in ticks of the servers, so that they hold for any tick; they are generous for slow disks and networks,
 *            and still a hundred times shorter than what a storm of elections or a lost wake-up takes.
 */
import type { Client } from '../src/core/client.ts'
import type { ServerConfig } from '../src/backends/embedded/server/config.ts'
import { CoordinationError } from '../src/core/errors.ts'
import { Violation } from './check.ts'
import { timersOf } from './client-slots.ts'
import type { ClientSlots } from './client-slots.ts'
import type { Injector } from '../src/testing/simulation/inject.ts'
import type { SimNode } from '../src/testing/simulation/sim-node.ts'
import type { SeededRandom } from '../src/testing/simulation/random.ts'
import type { SimServer, World, WorldEvent } from '../src/testing/simulation/world.ts'
import { attempt } from './workloads/attempt.ts'

/** The node that a new client writes to see that there is service. */
const WITNESS_PATH = '/quorate-witness'
/** How long programs have to come to their end once there is service, in ticks: longer than any wait of a client. */
const CLOSING_TICKS = 6_000
/** How often the last client asks for a sync, and how long it pauses in between, in ticks. */
const LAST_SYNCS = 24
const LAST_PAUSE_TICKS_MAX = 4
/** Grace after the last time-out of a session, in ticks. */
const EXPIRY_GRACE_TICKS = 40

/** The parts of the run that the phases work on. */
export interface PhasesOptions {
  readonly world: World
  readonly clients: ClientSlots
  readonly injector: Injector
  readonly random: SeededRandom
  readonly config: Pick<
    ServerConfig,
    'tickMs' | 'notificationTicksMax' | 'initLimitTicks' | 'syncLimitTicks' | 'reconfigurable' | 'localSessions'
  >
  readonly sessionTimeoutMs: number
  readonly onPhase: (text: string) => void
}

/** The phases of one run. */
export class Phases {
  readonly #options: PhasesOptions
  #core: readonly SimServer[] = []
  #witness: SimNode | null = null
  /** Lets the witness go on when all others have ended. */
  #goOnAlone: () => void = () => undefined
  #syncs = 0
  #isWitnessDone = false

  constructor(options: PhasesOptions) {
    this.#options = options
  }

  /** The servers that were healed. */
  get core(): readonly SimServer[] {
    return this.#core
  }

  /**
   * Ends the faults and heals a core.
   *
   * @returns how long it took until the core served, in ticks
   * @throws Violation if it does not serve in time
   */
  async serve(): Promise<number> {
    const { world, injector, clients, onPhase, config } = this.#options
    const { kernel } = world
    injector.end()
    // No bound holds for a network or a disk that may take as long as it likes.
    world.network.weather.tailChance = 0
    for (const { disk } of world.servers) disk.weather.slowChance = 0
    this.#core = this.#drawCore()
    onPhase(`heals ${this.#core.map(({ node }) => node.name).join(' ')}`)
    for (const server of world.servers) if (!this.#core.includes(server)) this.#forsake(server)
    for (const { id } of this.#core) world.start(id)
    const nodes = [...this.#core.map(({ node }) => node), ...clients.nodes()]
    const pausesMs = nodes.map(({ pausedUntilMs }) => pausedUntilMs)
    const healedMs = Math.max(kernel.nowMs, world.network.lastArrivalMs, ...pausesMs)
    await kernel.run(healedMs)
    const boundTicks = 10 * (config.notificationTicksMax + config.initLimitTicks + config.syncLimitTicks)
    let isWritten = false
    this.#witness = this.#addWitness(() => {
      isWritten = true
    })
    const serves = await kernel.run(healedMs + boundTicks * config.tickMs, () => isWritten && this.#coreServes())
    if (!serves) {
      const wrote = isWritten ? '' : `; ${this.#witness.name} could not write`
      this.#fail('service', `no service within ${boundTicks} ticks${wrote}: ${this.#describe()}`)
    }
    return Math.ceil((kernel.nowMs - healedMs) / config.tickMs)
  }

  /**
   * Lets every program end, and looks at what is left.
   *
   * @throws Violation if something is
   */
  async rest(): Promise<void> {
    const { world, clients, sessionTimeoutMs, config } = this.#options
    const { kernel } = world
    clients.end()
    const endMs = kernel.nowMs + CLOSING_TICKS * config.tickMs
    const hasEnded = await kernel.run(endMs, () => clients.unfinished().length === 0)
    if (!hasEnded) this.#fail('closing', `${clients.unfinished().join(' ')} did not come to an end`)
    await this.#syncAlone()
    const restMs = sessionTimeoutMs + EXPIRY_GRACE_TICKS * config.tickMs
    const leftTimers = (): string[] => [...clients.leftTimers(), ...timersOf(this.#witness)]
    const isAtRest = (): boolean => this.#coreRests() && leftTimers().length === 0
    // A leader that is new gives each session its whole time-out: one may be needed when the counter of an epoch is
    // used up.
    let sinceMs = kernel.nowMs
    while (!await kernel.run(sinceMs + restMs, isAtRest)) {
      const ledSinceMs = this.#ledSinceMs()
      if (ledSinceMs <= sinceMs) break
      sinceMs = ledSinceMs
    }
    if (!this.#coreRests()) this.#fail('quiescence', `something is left after ${restMs} ms: ${this.#describe()}`)
    const timers = leftTimers()
    if (timers.length > 0) throw new Violation('timers', `clients have closed and left timers: ${timers.join(', ')}`)
  }

  /**
   * Lets all machines lose power and read what their files have; what that has to be is looked at while they do.
   *
   * @throws Violation if one does not come up
   */
  async readAgain(): Promise<void> {
    const { world: { kernel, servers }, world, config } = this.#options
    for (const { id } of servers) world.crash(id)
    for (const { id } of servers) world.start(id)
    const endMs = kernel.nowMs + CLOSING_TICKS * config.tickMs
    if (await kernel.run(endMs, () => servers.every((server) => server.host() !== null))) return
    this.#fail('restart', 'a server has not read its files')
  }

  async #syncAlone(): Promise<void> {
    const { world: { kernel }, config } = this.#options
    kernel.after(0, this.#witness, 'alone', () => {
      this.#goOnAlone()
    })
    const endMs = kernel.nowMs + CLOSING_TICKS * config.tickMs
    if (await kernel.run(endMs, () => this.#isWitnessDone)) return
    this.#fail('answers', `sync ${this.#syncs} was not answered: ${this.#describe()}`)
  }

  /** Nothing strikes any more: every sync is answered, and no connection is lost unless a server looks for a leader. */
  async #expectSync(client: Client): Promise<void> {
    const { events } = this.#options.world
    const { length } = events
    let isLost = false
    const unlisten = client.onState(({ status }) => {
      if (status !== 'connected') isLost = true
    })
    // The read keeps a busy server in its turn, in which the sync and perhaps a tick come together.
    await Promise.all([attempt(() => client.exists('/')), attempt(() => client.sync())])
    unlisten()
    const isExcused = events.slice(length).some(({ event }) => event.type === 'looking')
    if (isLost && !isExcused) this.#fail('answers', `sync ${this.#syncs} cost its connection in a world at peace`)
  }

  /** A majority that remembers, and perhaps some of the others. */
  #drawCore(): SimServer[] {
    const { world, injector, random, config } = this.#options
    // Who is needed is not known from outside: the last configuration may be committed or not.
    if (config.reconfigurable) return [...world.servers]
    const needed = Math.floor(world.voters.length / 2) + 1
    const remembering = random.shuffle(world.voters.filter(({ id }) => !injector.amnesiacs.has(id)))
    const majority = remembering.slice(0, needed)
    const more = world.servers.filter((server) => !majority.includes(server) && random.chance(0.3))
    return [...majority, ...more].sort((a, b) => a.id - b.id)
  }

  /** Leaves a server to its fate, forever. */
  #forsake(server: SimServer): void {
    const { world, injector, random } = this.#options
    const fate = random.pick(['dead', 'frozen', 'cut off'])
    if (fate === 'dead') world.crash(server.id)
    else if (fate === 'frozen') server.node.pausedUntilMs = Infinity
    else {
      const others = world.servers.filter((other) => other !== server).map(({ node }) => node.name)
      injector.blocks.separate([server.node.name], others)
    }
  }

  #addWitness(onWritten: () => void): SimNode {
    const { world, config, random } = this.#options
    const isAlone = new Promise<void>((resolve) => {
      this.#goOnAlone = resolve
    })
    const mode = config.localSessions === 'only' ? 'persistent' : 'ephemeral'
    return world.addClient(async (client, node) => {
      for (;;) {
        try {
          await client.create(`${WITNESS_PATH}-${node.name}`, node.name, { mode })
          break
        } catch (error) {
          if (!(error instanceof CoordinationError)) throw error
          // It is there: the reply to an earlier attempt was lost.
          if (error.code === 'NODE_EXISTS') break
        }
      }
      onWritten()
      await isAlone
      for (; this.#syncs < LAST_SYNCS; this.#syncs++) {
        const pauseMs = random.unit() * LAST_PAUSE_TICKS_MAX * config.tickMs
        await new Promise((resolve) => setTimeout(resolve, pauseMs))
        await this.#expectSync(client)
      }
      await client.close()
      this.#isWitnessDone = true
    }, { connectTimeoutMs: CLOSING_TICKS * world.tickMs })
  }

  #coreServes(): boolean {
    const statuses = this.#core.map((server) => server.status())
    const leader = statuses.find((status) => status?.role === 'LEADING')
    if (leader?.serving !== true) return false
    return statuses.every((status) => status?.serving === true && status.epoch === leader.epoch)
  }

  /** When the last leader began to serve, in virtual milliseconds. */
  #ledSinceMs(): number {
    const isLeader = ({ event }: WorldEvent): boolean => event.type === 'serving' && event.role === 'LEADING'
    return this.#options.world.events.findLast(isLeader)?.atMs ?? 0
  }

  #coreRests(): boolean {
    const zxid = this.#core[0]?.status()?.zxid
    return this.#core.every((server) => {
      const status = server.status()
      if (status?.serving !== true || status.zxid !== zxid) return false
      const { sessions, localSessions, watches, connections } = status
      return sessions === 0 && localSessions === 0 && watches === 0 && connections === 0
    })
  }

  #fail(check: string, message: string): never {
    throw new Violation(check, message, 'liveness')
  }

  #describe(): string {
    return this.#core.map((server) => {
      const status = server.status()
      if (status === null) return `${server.node.name} down`
      const { role, serving, epoch, zxid, sessions, localSessions, watches, connections } = status
      const state = `${role}${serving ? '' : ' not serving'} epoch=${epoch} zxid=0x${zxid.toString(16)}`
      const clients = `sessions=${sessions} local=${localSessions} watches=${watches} connections=${connections}`
      return `${server.node.name} ${state} ${clients}`
    }).join('; ')
  }
}
