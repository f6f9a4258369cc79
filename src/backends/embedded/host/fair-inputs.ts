/**
 * The inputs of one server that wait for their turn, and which is next: no client takes more than its share of time.
 *
 * Model     start-time fair queueing. A lane is what came of one client, first in, first out. Each has a tag, which
 *           grows by what its inputs have cost, once that is known; the lane with the least tag is next, and among
 *           equals the one that has waited longest. A lane that was empty begins at the tag of the one that was served
 *           last: who was silent has saved nothing up, and owes what it has had.
 *           All that is no client's - ticks, other servers - is
 *           one more lane, of the weight of all clients together.
 * Idle      whoever is alone gets all the time. A lane that is paused is passed over, and the others go on.
 * Pure      no clock in here: the caller says what something has cost. The order follows from that alone.
 * Source    Goyal, Vin, Cheng: Start-time Fair Queueing (1996); the cost is known afterwards, as for a processor.
 */
import { Fifo } from '../../../core/fifo.ts'

/** The least that an input costs, so that lanes take turns where nothing can be measured: a microsecond. */
const COST_MS_MIN = 0.001

/** An input: it is run, once. */
export interface Input {
  run(): void
  /** Whether it leaves more in memory than there was. */
  readonly growsTree: boolean
}

/** Why a client waits: it does not read what it is sent, or it writes while memory is short. */
export type Pause = 'unread' | 'memory'

interface Lane {
  readonly connection: number
  readonly inputs: Fifo<Input>
  tag: number
  /** When it began to wait, in the order of all lanes that did. */
  turn: number
  /** Its place in the heap; -1 while it is not there. */
  at: number
  /** Why nothing of it is taken. */
  readonly pauses: Set<Pause>
  /** Whether something came since it was last asked. */
  isHeard: boolean
  /** Its client is gone: it goes with its last input. */
  isGone: boolean
}

/** The inputs that wait. */
export class FairInputs {
  readonly #lanes = new Map<number, Lane>()
  /** A heap of the lanes that have inputs and are not paused: the next is the first. */
  readonly #heap: Lane[] = []
  readonly #control = new Fifo<Input>()
  #controlTag = 0
  #clientsTag = 0
  #servedTag = 0
  #turns = 0
  #count = 0

  /** How many wait, those of paused lanes included. */
  get length(): number {
    return this.#count
  }

  /** How many clients have something that waits, or are connected and had. */
  get clients(): number {
    return this.#lanes.size
  }

  /** Whether there is one that may be run. */
  get hasNext(): boolean {
    return this.#control.length > 0 || this.#heap.length > 0
  }

  /** Adds an input that is no client's. */
  addControl(run: () => void): void {
    if (this.#control.length === 0) this.#controlTag = Math.max(this.#controlTag, this.#clientsTag)
    this.#control.push({ run, growsTree: false })
    this.#count += 1
  }

  /** Adds an input of a client, after all that it has. */
  add(connection: number, input: Input): void {
    const lane = this.#laneOf(connection)
    lane.inputs.push(input)
    lane.isHeard = true
    this.#count += 1
    if (lane.inputs.length === 1 && lane.pauses.size === 0) this.#wait(lane)
  }

  /** Takes the next input, with the client that it is of; null for none of a client. */
  take(): { readonly connection: number | null; readonly input: Input } | null {
    const [lane] = this.#heap
    const first = this.#control.peek()
    if (first !== undefined && (lane === undefined || this.#controlTag <= this.#clientsTag)) {
      this.#control.shift()
      this.#count -= 1
      return { connection: null, input: first }
    }
    const input = lane?.inputs.shift()
    if (lane === undefined || input === undefined) return null
    this.#count -= 1
    this.#servedTag = lane.tag
    this.#removeAt(0)
    if (lane.inputs.length > 0) this.#wait(lane)
    else if (lane.isGone) this.#lanes.delete(lane.connection)
    return { connection: lane.connection, input }
  }

  /** The input that is next but for what is no client's; null if no client has one. */
  peekClient(): { readonly connection: number; readonly input: Input } | null {
    const [lane] = this.#heap
    const input = lane?.inputs.peek()
    return lane === undefined || input === undefined ? null : { connection: lane.connection, input }
  }

  /** Something that was done for a client, or for none (null), has cost so many milliseconds. */
  charge(connection: number | null, ms: number): void {
    const cost = Math.max(ms, COST_MS_MIN)
    if (connection === null) {
      this.#controlTag += cost
      return
    }
    this.#clientsTag += cost
    const lane = this.#lanes.get(connection)
    if (lane === undefined) return
    lane.tag = Math.max(lane.tag, this.#servedTag) + cost
    if (lane.at >= 0) this.#sink(lane.at)
  }

  /** Nothing of this client is taken until it is resumed. */
  pause(connection: number, why: Pause): void {
    const lane = this.#lanes.get(connection)
    // Its socket may find itself blocked on what it is told last: nobody would ever resume it.
    if (lane === undefined || lane.isGone) return
    lane.pauses.add(why)
    if (lane.at >= 0) this.#removeAt(lane.at)
  }

  /** Goes on with a client that was paused. */
  resume(connection: number, why: Pause): void {
    const lane = this.#lanes.get(connection)
    if (lane?.pauses.delete(why) !== true || lane.pauses.size > 0) return
    if (lane.inputs.length > 0) this.#wait(lane)
  }

  /** The connection of a client is gone. What came of it before waits on, paused or not. */
  forget(connection: number): void {
    const lane = this.#lanes.get(connection)
    if (lane === undefined) return
    lane.isGone = true
    for (const why of [...lane.pauses]) this.resume(connection, why)
    if (lane.inputs.length === 0) this.#lanes.delete(connection)
  }

  /** The clients that something came of since this was last asked, and waits. */
  takeHeard(): readonly number[] {
    const heard: number[] = []
    for (const lane of this.#lanes.values()) {
      if (lane.isHeard && lane.inputs.length > 0) heard.push(lane.connection)
      lane.isHeard = false
    }
    return heard
  }

  /** Forgets all of them. */
  clear(): void {
    this.#lanes.clear()
    this.#heap.length = 0
    this.#control.takeAll()
    this.#count = 0
  }

  #laneOf(connection: number): Lane {
    const known = this.#lanes.get(connection)
    if (known !== undefined) return known
    const state = { tag: 0, turn: 0, at: -1, pauses: new Set<Pause>(), isHeard: false, isGone: false }
    const lane: Lane = { connection, inputs: new Fifo<Input>(), ...state }
    this.#lanes.set(connection, lane)
    return lane
  }

  #wait(lane: Lane): void {
    if (this.#heap.length === 0) this.#clientsTag = Math.max(this.#clientsTag, this.#controlTag)
    lane.tag = Math.max(lane.tag, this.#servedTag)
    this.#turns += 1
    lane.turn = this.#turns
    lane.at = this.#heap.length
    this.#heap.push(lane)
    this.#rise(lane.at)
  }

  #removeAt(at: number): void {
    const gone = this.#heap[at]
    const last = this.#heap.pop()
    if (gone === undefined || last === undefined) return
    gone.at = -1
    if (gone === last) return
    this.#heap[at] = last
    last.at = at
    this.#rise(at)
    this.#sink(at)
  }

  #rise(from: number): void {
    for (let at = from; at > 0; ) {
      const above = (at - 1) >> 1
      if (!this.#isBefore(at, above)) return
      this.#swap(at, above)
      at = above
    }
  }

  #sink(from: number): void {
    for (let at = from; ; ) {
      let least = at
      for (const below of [2 * at + 1, 2 * at + 2]) {
        if (below < this.#heap.length && this.#isBefore(below, least)) least = below
      }
      if (least === at) return
      this.#swap(at, least)
      at = least
    }
  }

  #isBefore(a: number, b: number): boolean {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    if (one === undefined || other === undefined) return false
    return one.tag === other.tag ? one.turn < other.turn : one.tag < other.tag
  }

  #swap(a: number, b: number): void {
    const [one, other] = [this.#heap[a], this.#heap[b]]
    if (one === undefined || other === undefined) return
    this.#heap[a] = other
    this.#heap[b] = one
    other.at = a
    one.at = b
  }
}
