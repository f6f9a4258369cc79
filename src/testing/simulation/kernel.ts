/**
 * The kernel of the simulation: one virtual clock, one heap of events, and the globals that the code under test reads.
 *
 * Model     everything that happens is an event of a node, or of the world itself. While the events and microtasks of a
 *           node run, the global timers, Date, performance, Math.random and crypto.randomUUID are that node's: its
 *           clock has an offset and a rate, its timers wait while it is paused and die with it.
 * Order     pop the earliest event, run it, drain its microtasks, look at the world (monitors), go on. Time jumps.
 * Draining  `native`: V8's own microtask checkpoint, fast; `portable`: a turn of the real event loop per event. Both
 *           give the same trace.
 * Trace     each event is folded into a 32-bit hash: the same seed gives the same hash, or something leaks in from
 *           outside.
 * Source    FoundationDB's simulator, TigerBeetle's VOPR, madsim.
 */
import { EventHeap } from './event-heap.ts'
import type { HeapEvent } from './event-heap.ts'
import { replaceGlobals } from './globals.ts'
import { nativeDrain } from './native-drain.ts'
import { SeededRandom } from './random.ts'
import { IDLE_TURN_MS, SimNode } from './sim-node.ts'

/** Virtual start of the wall clock, milliseconds since 1970. */
const EPOCH_MS = 1_700_000_000_000
/** Events of one slice of real time, after which the real event loop gets a turn. */
const SLICE_EVENTS = 5_000
/** How long after the timers a process that stood still reads its sockets; before any immediate that they set. */
const POLL_MS = 0.001
/** A run of more events than this does not end by itself: something spins. */
const EVENTS_MAX = 20_000_000

/** How microtasks are drained after each event. */
export type Draining = 'native' | 'portable'

interface KernelEvent extends HeapEvent {
  atMs: number
  order: number
  readonly node: SimNode | null
  readonly incarnation: number
  readonly label: string
  run: (() => void) | null
}

/** Called after every event; throws if something is wrong with the world. */
export type Monitor = () => void

/** Options of {@link Kernel}. */
export interface KernelOptions {
  readonly seed: number
  readonly draining?: Draining
  /** Gets each event's time, node and label; for a trace to read. */
  readonly onTrace?: (atMs: number, node: string, label: string) => void
}

/** The kernel of one run. */
export class Kernel {
  readonly random: SeededRandom
  readonly #heap = new EventHeap<KernelEvent>()
  readonly #draining: Draining
  readonly #onTrace: KernelOptions['onTrace']
  readonly #nodes: SimNode[] = []
  readonly #monitors: Monitor[] = []
  #nowMs = 0
  #order = 0
  #hash = 0x811c9dc5
  #events = 0
  #current: SimNode | null = null
  #latest: SimNode | null = null
  #timers = 0
  readonly #realSetImmediate = setImmediate
  readonly #drain: () => void
  #restore: (() => void) | null = null
  #failure: { readonly error: unknown } | null = null

  constructor({ seed, draining = 'native', onTrace }: KernelOptions) {
    this.random = new SeededRandom(seed)
    this.#draining = draining
    this.#onTrace = onTrace
    this.#drain = draining === 'native' ? nativeDrain() : () => undefined
  }

  /** Virtual time since the start, in milliseconds. */
  get nowMs(): number {
    return this.#nowMs
  }

  /** The hash of everything that has happened. */
  get hash(): number {
    return this.#hash >>> 0
  }

  /** How many events have run. */
  get eventCount(): number {
    return this.#events
  }

  /** How many events (timers, messages) are still to come. */
  get pendingCount(): number {
    return this.#heap.size
  }

  /** The node whose event runs now; null for the world's. */
  get current(): SimNode | null {
    return this.#current
  }

  /** The node whose event ran last; null for the world's. For monitors, which look at what can have changed. */
  get latest(): SimNode | null {
    return this.#latest
  }

  /** Adds a node. */
  addNode(name: string): SimNode {
    const node = new SimNode(name, this.random.fork(`node ${name}`), this.#nowMs)
    this.#nodes.push(node)
    return node
  }

  /** Adds a monitor. */
  addMonitor(monitor: Monitor): void {
    this.#monitors.push(monitor)
  }

  /** Ends the run with an error at the end of the present event, whatever swallows it on its way. */
  fail(error: unknown): void {
    this.#failure ??= { error }
  }

  /** Lets something happen on a node (null: in the world) after a virtual time. */
  after(delayMs: number, node: SimNode | null, label: string, run: () => void): () => void {
    return this.#add(this.#nowMs + Math.max(0, delayMs), node, label, run)
  }

  /** Lets something happen when the present turn of a node's event loop ends, after all that waits for that already. */
  afterTurn(node: SimNode | null, label: string, run: () => void): () => void {
    return this.#add(node?.turnEndMs(this.#nowMs) ?? this.#nowMs + IDLE_TURN_MS, node, label, run)
  }

  #add(atMs: number, node: SimNode | null, label: string, run: () => void): () => void {
    this.#order += 1
    const event: KernelEvent = { atMs, order: this.#order, node, incarnation: node?.incarnation ?? 0, label, run }
    this.#heap.push(event)
    return () => {
      event.run = null
    }
  }

  /** Runs something as a node, now. */
  as<T>(node: SimNode | null, run: () => T): T {
    const before = this.#current
    this.#current = node
    try {
      return run()
    } finally {
      this.#current = before
    }
  }

  /** Ends a node: its timers are dead. */
  kill(node: SimNode): void {
    node.isUp = false
    node.incarnation += 1
    node.timerCount = 0
  }

  /** Starts a node again. */
  revive(node: SimNode): void {
    node.isUp = true
    node.pausedUntilMs = 0
    node.timersFirst = false
  }

  /**
   * Runs until a virtual instant, or until a condition holds.
   *
   * @param untilMs - virtual time since the start
   * @param until - looked at after every event
   * @returns whether the condition came to hold
   */
  run(untilMs: number, until: () => boolean = () => false): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const slice = (): void => {
        try {
          for (let i = 0; i < (this.#draining === 'native' ? SLICE_EVENTS : 1); i++) {
            if (until() || !this.#step(untilMs)) {
              resolve(until())
              return
            }
          }
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)))
          return
        }
        // Between slices the real event loop turns, and promises of the last event settle as its node's.
        this.#realSetImmediate(() => {
          try {
            this.#settle()
            slice()
          } catch (error) {
            reject(error instanceof Error ? error : new Error(String(error)))
          }
        })
      }
      this.#realSetImmediate(slice)
    })
  }

  /** Takes the globals. */
  install(): void {
    if (this.#restore !== null) throw new Error('the kernel is installed already')
    this.#restore = replaceGlobals(this)
  }

  /** Gives the globals back. */
  uninstall(): void {
    this.#restore?.()
    this.#restore = null
  }

  /** The monotonic clock of the node that runs, or the world's, in milliseconds. */
  clockMs(): number {
    return this.#current === null ? this.#nowMs : this.#current.clockMs(this.#nowMs)
  }

  /** The wall clock of the node that runs, or the world's, in milliseconds since 1970. */
  wallMs(): number {
    return Math.floor(EPOCH_MS + this.clockMs() + (this.#current?.wallOffsetMs ?? 0))
  }

  /** The stream of the current node, or the world's. */
  get nodeRandom(): SeededRandom {
    return this.#current?.random ?? this.random
  }

  /** Counts a timer of a node that has been set. */
  timerStarted(node: SimNode | null): void {
    if (node === null) this.#timers += 1
    else node.timerCount += 1
  }

  /** Counts a timer of a node that has fired or was cleared. */
  timerEnded(node: SimNode | null): void {
    if (node === null) this.#timers -= 1
    else node.timerCount -= 1
  }

  /** How many timers of the world itself are set. */
  get timerCount(): number {
    return this.#timers
  }

  #step(untilMs: number): boolean {
    const event = this.#heap.peek()
    if (event === undefined || event.atMs > untilMs) {
      this.#nowMs = Math.max(this.#nowMs, untilMs === Infinity ? this.#nowMs : untilMs)
      return false
    }
    this.#heap.pop()
    this.#nowMs = event.atMs
    const { node, run } = event
    if (run === null || (node !== null && (!node.isUp || event.incarnation !== node.incarnation))) return true
    if (node !== null && node.pausedUntilMs > this.#nowMs) {
      this.#order += 1
      const waitsForPoll = node.timersFirst && event.label !== 'timer' && event.label !== 'interval'
      // The same object, which whoever added it can still call off.
      event.atMs = node.pausedUntilMs + (waitsForPoll ? POLL_MS : 0)
      event.order = this.#order
      this.#heap.push(event)
      return true
    }
    this.#events += 1
    if (this.#events > EVENTS_MAX) throw new Error(`no end after ${EVENTS_MAX} events`)
    this.#trace(event)
    this.#current = node
    this.#latest = node
    run()
    if (this.#draining === 'native') this.#settle()
    return true
  }

  /** Drains the microtasks of the last event, as its node's, and looks at the world. */
  #settle(): void {
    this.#drain()
    this.#current = null
    if (this.#failure !== null) throw this.#failure.error
    for (const monitor of this.#monitors) monitor()
  }

  #trace(event: KernelEvent): void {
    const name = event.node?.name ?? 'world'
    this.#onTrace?.(event.atMs, name, event.label)
    let hash = this.#hash
    hash = Math.imul(hash ^ Math.floor(event.atMs * 1_000), 0x01000193)
    for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
    for (let i = 0; i < event.label.length; i++) hash = Math.imul(hash ^ event.label.charCodeAt(i), 0x01000193)
    this.#hash = hash
  }
}
