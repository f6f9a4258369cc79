/**
 * Carries a plan out on a world.
 *
 * Counting  a fault counts when it really happens: a crash of a server that is down already does not, a strike does
 *           when its packet comes.
 * Restarts  whatever the plan takes down it brings back, at the latest when the phase of faults is over.
 * Disks     a server whose disk was taken away counts as without memory until it has caught up and serves as a voter.
 *           No more than a minority may be so at once: after that, no algorithm could keep a promise.
 */
import { Err } from '../../backends/wire/codes.ts'
import type { Packet } from '../../backends/wire/packets.ts'
import { Blocks } from './blocks.ts'
import { Divergence } from './divergence.ts'
import { FileFaults } from './file-faults.ts'
import type { SimNode } from './sim-node.ts'
import { FAULT_KINDS, describeFault, idOf } from './plan.ts'
import type { Fault, FaultKind, Place, Plan } from './plan.ts'
import type { Probes } from './probes.ts'
import { reconfigure } from './reconfigurer.ts'
import type { World, WorldEvent } from './world.ts'
import { LOSABLE_OPS, WRITE_OPS } from './write-requests.ts'

/** How long a server that vanished takes to start again, in milliseconds: its peers still hold its old connections. */
const HALF_OPEN_DOWN_MS = 10
/** How long a server whose disk failed for no fault of the plan's stays down, in milliseconds. */
const RESTART_MS = 100

type Of<K extends FaultKind> = Extract<Fault, { readonly kind: K }>

/** The clients of a world, by their slot from 0. */
export interface ClientPlaces {
  /** The node that fills a slot now; undefined while there is none. */
  node(slot: number): SimNode | undefined
  /** The nodes that fill slots now. */
  nodes(): SimNode[]
  /** Ends the process of a slot; another takes its place. False if there is none. */
  crash(slot: number, downMs: number): boolean
}

/** The world that an injector works on, and its callbacks. */
export interface InjectorOptions {
  readonly world: World
  readonly clients: ClientPlaces
  readonly probes: Probes
  readonly sessionTimeoutMs: number
  /** Told of every fault as it happens. */
  readonly onFault: (text: string) => void
  /** Lets an operator strike; false if there is nothing to strike at. There are no operators if absent. */
  readonly operate?: (strike: Extract<Fault, { readonly kind: 'operate' }>) => boolean
}

/** Carries out one plan. */
export class Injector {
  readonly blocks: Blocks
  readonly #world: World
  readonly #clients: ClientPlaces
  readonly #probes: Probes
  readonly #sessionTimeoutMs: number
  readonly #onFault: (text: string) => void
  readonly #operate: InjectorOptions['operate']
  readonly #counts = new Map<FaultKind, number>()
  /** Functions that end the faults that last. */
  readonly #undo = new Set<() => void>()
  /** Faults that wait for a packet: they answer true when they have struck. */
  readonly #packetTraps = new Set<(from: number, to: number, packet: Packet) => boolean>()
  /** Likewise for a request of a client. */
  readonly #requestTraps = new Set<(client: string, server: string, op: number) => boolean>()
  readonly #diskErrors = new Map<number, Of<'disk-error'>>()
  readonly #amnesiacs = new Set<number>()
  readonly #files: FileFaults
  readonly #divergence: Divergence
  readonly #calmNetwork
  readonly #calmDisk
  #isOver = false

  constructor({ world, clients, probes, sessionTimeoutMs, onFault, operate }: InjectorOptions) {
    this.#world = world
    this.#clients = clients
    this.#probes = probes
    this.#sessionTimeoutMs = sessionTimeoutMs
    this.#onFault = onFault
    this.#operate = operate
    world.network.onRequest = (client, server, op) => {
      for (const trap of this.#requestTraps) if (trap(client, server, op)) this.#requestTraps.delete(trap)
      if (WRITE_OPS.has(op)) this.#divergence.reached(idOf(server))
    }
    this.blocks = new Blocks(world.network)
    world.mayTear = (id) => this.#mayForget(id)
    this.#files = new FileFaults({
      world,
      atOnce: (run) => { this.#atOnce(run) },
      crash: (id, downMs) => this.#crash(id, downMs),
      happened: (fault) => { this.#happened(fault) },
      lasts: (fault, undo) => { this.#lasts(fault, undo) },
      mayForget: (id) => this.#mayForget(id),
      forgets: (id) => { this.#forgets(id) },
    })
    this.#divergence = new Divergence({
      world,
      blocks: this.blocks,
      leader: () => this.#leader(),
      atOnce: (run) => { this.#atOnce(run) },
      endless: (fault, undo) => {
        this.#happened(fault)
        return this.#endless(undo)
      },
    })
    this.#calmNetwork = { ...world.network.weather }
    this.#calmDisk = { ...world.server(1).disk.weather }
  }

  /** Voters that have lost their disk and have not caught up since. */
  get amnesiacs(): ReadonlySet<number> {
    return this.#amnesiacs
  }

  /** How often each class of faults happened. */
  counts(): Partial<Record<FaultKind, number>> {
    return Object.fromEntries(FAULT_KINDS.flatMap((kind) => {
      const count = this.#counts.get(kind)
      return count === undefined ? [] : [[kind, count]]
    }))
  }

  /** Arms the faults of a plan. */
  start(plan: Plan): void {
    const { kernel } = this.#world
    for (const fault of plan) {
      kernel.after(fault.atMs - kernel.nowMs, null, `fault ${fault.kind}`, () => {
        if (!this.#isOver) this.#inject(fault)
      })
    }
  }

  /** Ends every fault that still lasts, and forgets those that have not happened. Servers that are down stay down. */
  end(): void {
    this.#isOver = true
    this.#packetTraps.clear()
    this.#requestTraps.clear()
    for (const undo of [...this.#undo]) undo()
    this.#undo.clear()
    for (const { disk } of this.#world.servers) {
      disk.onSync = null
      disk.cancelFailure()
    }
  }

  /** To be called for each packet that arrives. */
  packet(from: number, to: number, packet: Packet): void {
    for (const trap of this.#packetTraps) if (trap(from, to, packet)) this.#packetTraps.delete(trap)
    if (packet.type === 'REQUEST') this.#divergence.reached(to)
  }

  /** To be called for each event of the servers. */
  notice(happened: WorldEvent): void {
    const { server, event } = happened
    this.#files.notice(happened)
    this.#divergence.notice(happened)
    const remembers = event.type === 'serving' && event.role !== 'OBSERVING' && !this.#files.isRotten(server)
    if (remembers) this.#amnesiacs.delete(server)
    if (event.type === 'disk-torn' || event.type === 'set-aside') this.#forgets(server)
    if (event.type !== 'disk-error') return
    const fault = this.#diskErrors.get(server)
    this.#diskErrors.delete(server)
    if (fault !== undefined) this.#happened(fault)
    this.#restart(server, fault?.downMs ?? this.#files.downMs(server) ?? RESTART_MS)
  }

  #inject(fault: Fault): void {
    switch (fault.kind) {
      case 'weather': return this.#weather(fault)
      case 'clog': return this.#clog(fault)
      case 'partition':
      case 'bridge': return this.#partition(fault)
      case 'one-way': return this.#oneWay(fault)
      case 'client-cut-off': return this.#clientCutOff(fault)
      case 'cut': return this.#cut(fault)
      case 'cut-after': return this.#cutAfter(fault)
      case 'half-open': return this.#halfOpen(fault)
      case 'strike': return this.#strike(fault)
      case 'strand': return this.#strand(fault)
      case 'diverge': return this.#divergence.arm(fault)
      case 'slow-disk': return this.#slowDisk(fault)
      case 'disk-error': return this.#diskError(fault)
      case 'crash': return this.#crashMany(fault)
      case 'crash-leader': return this.#crashLeader(fault)
      case 'crash-at-sync': return this.#crashAtSync(fault)
      case 'wipe': return this.#wipe(fault)
      case 'pause': return this.#pause(fault, this.#node(fault.node))
      case 'pause-leader': return this.#pauseLeader(fault)
      case 'clock-jump': return this.#clockJump(fault)
      case 'drift': return this.#drift(fault)
      case 'client-crash': return this.#clientCrash(fault)
      case 'lose-answer': return this.#loseAnswer(fault)
      case 'reconfigure': return this.#reconfigure(fault)
      case 'crash-at-call':
      case 'call-error':
      case 'disk-full':
      case 'bit-rot': return this.#files.inject(fault)
      case 'operate':
        if (this.#operate?.(fault) === true) this.#happened(fault)
        return
    }
  }

  // Network

  #weather(fault: Of<'weather'>): void {
    const { delayMsMax, tailChance, tailFactor } = fault
    const { weather } = this.#world.network
    Object.assign(weather, { delayMsMax, tailChance, tailFactor })
    this.#lasts(fault, () => {
      Object.assign(weather, this.#calmNetwork)
    })
  }

  #clog(fault: Of<'clog'>): void {
    this.#lasts(fault, this.blocks.separate(this.#names([fault.node]), this.#everybody()))
  }

  #partition(fault: Of<'partition' | 'bridge'>): void {
    this.#lasts(fault, this.blocks.separate(this.#names(fault.left), this.#names(fault.right)))
  }

  #oneWay(fault: Of<'one-way'>): void {
    this.#lasts(fault, this.blocks.block(this.#names(fault.left), this.#names(fault.right)))
  }

  #clientCutOff(fault: Of<'client-cut-off'>): void {
    this.#lasts(fault, this.blocks.separate(this.#names([fault.client]), this.#names(fault.servers)))
  }

  #cut(fault: Of<'cut' | 'cut-after'>): void {
    const [a, b] = this.#names([fault.a, fault.b])
    if (a === undefined || b === undefined) return
    this.#world.network.cut(a, b)
    this.#happened(fault)
  }

  #cutAfter(fault: Of<'cut-after'>): void {
    let left = fault.packets
    const [a, b] = [idOf(fault.a), idOf(fault.b)]
    this.#packetTraps.add((from, to) => {
      if (!((from === a && to === b) || (from === b && to === a))) return false
      left -= 1
      if (left === 0) this.#atOnce(() => { this.#cut(fault) })
      return left === 0
    })
  }

  #halfOpen(fault: Of<'half-open'>): void {
    const id = idOf(fault.server)
    if (this.#world.server(id).host() === null) return
    this.#lasts(fault, this.blocks.separate(this.#names([fault.server]), this.#everybody()))
    this.#crash(id, HALF_OPEN_DOWN_MS)
  }

  #strike(fault: Of<'strike'>): void {
    let left = fault.nth
    this.#packetTraps.add((from, to, packet) => {
      if (packet.type !== fault.packet) return false
      left -= 1
      if (left > 0) return false
      this.#atOnce(() => {
        if (fault.what === 'cut') {
          this.#world.network.cut(`s${from}`, `s${to}`)
          this.#happened(fault)
        } else if (fault.what === 'crash-receiver-in-sync') this.#crashInSync(fault, to, 'begun', 1)
        else if (this.#crash(fault.what === 'crash-sender' ? from : to, fault.downMs)) this.#happened(fault)
      })
      return true
    })
  }

  #strand(fault: Of<'strand'>): void {
    this.#packetTraps.add((_, to, packet) => {
      if (packet.type !== 'REQUEST') return false
      this.#atOnce(() => {
        const servers = this.#world.servers.map(({ node }) => node.name)
        this.#lasts(fault, this.blocks.separate([`s${to}`], servers))
      })
      return true
    })
  }

  // Disks

  #slowDisk(fault: Of<'slow-disk'>): void {
    const { weather } = this.#world.server(idOf(fault.server)).disk
    // This is its slowness; a tail on top of it would last for longer than the run.
    Object.assign(weather, { latencyMsMin: fault.latencyMs / 2, latencyMsMax: fault.latencyMs, slowFactor: 1 })
    this.#lasts(fault, () => {
      Object.assign(weather, this.#calmDisk)
    })
  }

  #diskError(fault: Of<'disk-error'>): void {
    const id = idOf(fault.server)
    this.#diskErrors.set(id, fault)
    this.#world.server(id).disk.failNextSync()
  }

  // Processes

  #crashMany(fault: Of<'crash'>): void {
    const crashed = fault.servers.filter((place, index) => this.#crash(idOf(place), fault.downMs[index] ?? RESTART_MS))
    if (crashed.length > 0) this.#happened(fault)
  }

  #crashLeader(fault: Of<'crash-leader'>): void {
    const leader = this.#leader()
    if (leader !== undefined && this.#crash(leader, fault.downMs)) this.#happened(fault)
  }

  #crashAtSync(fault: Of<'crash-at-sync'>): void {
    this.#crashInSync(fault, idOf(fault.server), fault.side === 'before' ? 'begun' : 'durable', fault.nth)
  }

  /** Crashes a server at its n-th sync from now. */
  #crashInSync(fault: Of<'crash-at-sync' | 'strike'>, id: number, phase: 'begun' | 'durable', nth: number): void {
    const { disk } = this.#world.server(id)
    let left = nth
    disk.onSync = (now) => {
      if (now !== phase) return false
      left -= 1
      if (left > 0) return false
      disk.onSync = null
      if (phase === 'durable') this.#probes.hit('crashed-durable-untold')
      if (fault.kind === 'strike' && this.#files.crashAtStruckCall(fault, id)) return true
      this.#atOnce(() => {
        if (this.#crash(id, fault.downMs)) this.#happened(fault)
      })
      return true
    }
  }

  #reconfigure(fault: Of<'reconfigure'>): void {
    const { node, slot: { host } } = this.#world.server(idOf(fault.at))
    if (host === null) return
    const change = { voters: fault.voters.map(idOf), observers: fault.observers.map(idOf) }
    this.#world.kernel.as(node, () => {
      reconfigure(host, change, (err) => {
        this.#probes.hit(err === Err.ok ? 'reconfigured' : 'reconfiguration-refused')
      })
    })
    this.#happened(fault)
  }

  #wipe(fault: Of<'wipe'>): void {
    const id = idOf(fault.server)
    if (!this.#mayForget(id)) return
    if (!this.#crash(id, fault.downMs, true)) return
    if (this.#amnesiacs.has(id)) this.#probes.hit('amnesiac-lost-again')
    this.#forgets(id)
    this.#happened(fault)
  }

  /** Whether a server may lose its memory: those that have are a minority with it. */
  #mayForget(id: number): boolean {
    const { voters } = this.#world
    const others = [...this.#amnesiacs].filter((amnesiac) => amnesiac !== id).length
    return id > voters.length || 2 * (others + 1) < voters.length
  }

  #forgets(id: number): void {
    if (id <= this.#world.voters.length) this.#amnesiacs.add(id)
  }

  #pause(fault: Of<'pause' | 'pause-leader'>, node: SimNode | undefined): void {
    if (node?.isUp !== true) return
    const { nowMs } = this.#world.kernel
    node.pausedUntilMs = Math.max(node.pausedUntilMs, nowMs + fault.forMs)
    node.timersFirst = fault.timersFirst
    const isServer = this.#world.servers.some((server) => server.node === node)
    const probe = isServer ? 'paused-beyond-session' : 'client-paused-beyond-session'
    if (fault.forMs > this.#sessionTimeoutMs) this.#probes.hit(probe)
    this.#happened(fault)
  }

  #pauseLeader(fault: Of<'pause-leader'>): void {
    const leader = this.#leader()
    if (leader === undefined) return
    const { node } = this.#world.server(leader)
    this.#pause(fault, node)
    if (fault.alone !== true) return
    const servers = this.#world.servers.map((server) => server.node.name)
    this.#until(2 * fault.forMs, fault.kind, this.blocks.separate([node.name], servers))
    const others = servers.filter((name) => name !== node.name)
    this.#world.kernel.after(fault.forMs, null, 'misled', () => {
      if (!this.#isOver) this.#mislead(fault, others)
    })
  }

  /** Drives a client away from some servers. */
  #mislead({ kind, forMs, misled }: Of<'pause-leader'>, servers: readonly string[]): void {
    const [client] = this.#names(misled === undefined ? [] : [misled])
    if (client === undefined) return
    this.#until(forMs, kind, this.blocks.separate([client], servers))
    for (const server of servers) this.#world.network.cut(client, server)
  }

  #clockJump(fault: Of<'clock-jump'>): void {
    const node = this.#node(fault.node)
    if (node === undefined) return
    node.wallOffsetMs += fault.byMs
    this.#happened(fault)
  }

  #drift(fault: Of<'drift'>): void {
    const node = this.#node(fault.node)
    const { kernel } = this.#world
    node?.setRate(fault.rate, kernel.nowMs)
    this.#lasts(fault, () => node?.setRate(1, kernel.nowMs))
  }

  #clientCrash(fault: Of<'client-crash'>): void {
    if (this.#clients.crash(idOf(fault.client) - 1, fault.downMs)) this.#happened(fault)
  }

  #loseAnswer(fault: Of<'lose-answer'>): void {
    let left = fault.nth
    this.#requestTraps.add((client, server, op) => {
      if (!LOSABLE_OPS[fault.request].includes(op)) return false
      left -= 1
      if (left > 0) return false
      // The server has the request already; what it answers finds no connection.
      this.#atOnce(() => {
        this.#world.network.cut(client, server)
        this.#happened(fault)
      })
      return true
    })
  }

  // The parts of faults

  /** Crashes a server and starts it again; false if it is down already. */
  #crash(id: number, downMs: number, wipe = false): boolean {
    if (!this.#world.server(id).slot.isTaken) return false
    this.#world.crash(id)
    if (wipe) this.#world.wipe(id)
    this.#restart(id, downMs)
    return true
  }

  #restart(id: number, downMs: number): void {
    this.#world.kernel.after(downMs, null, 'restart', () => {
      if (!this.#isOver) this.#world.start(id)
    })
  }

  /** In an event of the world's own, before anything else of a later instant: not within that of a node. */
  #atOnce(run: () => void): void {
    this.#world.kernel.after(0, null, 'strike', () => {
      if (!this.#isOver) run()
    })
  }

  #lasts(fault: Fault & { readonly forMs: number }, undo: () => void): void {
    this.#happened(fault)
    this.#until(fault.forMs, fault.kind, undo)
  }

  #until(forMs: number, kind: FaultKind, undo: () => void): void {
    this.#world.kernel.after(forMs, null, `end of ${kind}`, this.#endless(undo))
  }

  /** @returns undoes it, unless that was done when the phase of faults was over */
  #endless(undo: () => void): () => void {
    const end = (): void => {
      if (this.#undo.delete(end)) undo()
    }
    this.#undo.add(end)
    return end
  }

  #happened(fault: Fault): void {
    this.#counts.set(fault.kind, (this.#counts.get(fault.kind) ?? 0) + 1)
    this.#onFault(describeFault(fault))
  }

  #leader(): number | undefined {
    const leading = this.#world.servers.filter((server) => server.status()?.role === 'LEADING')
    return (leading.find((server) => server.status()?.serving) ?? leading[0])?.id
  }

  #node(place: Place): SimNode | undefined {
    return place.startsWith('s') ? this.#world.server(idOf(place)).node : this.#clients.node(idOf(place) - 1)
  }

  #names(places: readonly Place[]): string[] {
    return places.flatMap((place) => this.#node(place)?.name ?? [])
  }

  #everybody(): string[] {
    return [...this.#world.servers.map(({ node }) => node.name), ...this.#clients.nodes().map(({ name }) => name)]
  }
}
