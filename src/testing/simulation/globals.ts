/**
 * The globals of the simulated world: timers, Date, performance, Math.random and crypto.randomUUID, each the current
 * node's.
 */
import type { SeededRandom } from './random.ts'
import type { SimNode } from './sim-node.ts'

const TIMEOUT_MS_MIN = 1
const TIMEOUT_MS_MAX = 2 ** 31 - 1
const UUID_BYTES = 16

/** The part of a kernel that the globals stand on. */
export interface WorldTime {
  /** The node whose event runs; null for the world's. */
  readonly current: SimNode | null
  /** The chance of that node. */
  readonly nodeRandom: SeededRandom
  /** Its monotonic clock, in milliseconds. */
  clockMs(): number
  /** Its wall clock, in milliseconds since 1970. */
  wallMs(): number
  /** Lets something happen on a node; gives a function that cancels it. */
  after(delayMs: number, node: SimNode | null, label: string, run: () => void): () => void
  /** As `after`, at the end of the present turn of the node's event loop. */
  afterTurn(node: SimNode | null, label: string, run: () => void): () => void
  timerStarted(node: SimNode | null): void
  timerEnded(node: SimNode | null): void
}

/** A timer of the simulation. Like Node's it can be unreferenced, which changes nothing here. */
class SimTimer {
  readonly #kernel: WorldTime
  readonly #node: SimNode | null
  /** Null for an immediate: it waits for the end of the turn. */
  readonly #delayMs: number | null
  readonly #label: string
  readonly #repeats: boolean
  readonly #run: () => void
  #cancel: (() => void) | null = null

  constructor(kernel: WorldTime, label: string, delayMs: number | null, run: () => void, repeats = false) {
    this.#kernel = kernel
    this.#node = kernel.current
    this.#delayMs = delayMs
    this.#label = label
    this.#run = run
    this.#repeats = repeats
    this.#arm()
  }

  /** Starts the time again. */
  refresh(): this {
    this.clear()
    this.#arm()
    return this
  }

  clear(): void {
    if (this.#cancel === null) return
    this.#cancel()
    this.#cancel = null
    this.#kernel.timerEnded(this.#node)
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  [Symbol.dispose](): void {
    this.clear()
  }

  #arm(): void {
    this.#kernel.timerStarted(this.#node)
    const fire = (): void => {
      this.#cancel = null
      this.#kernel.timerEnded(this.#node)
      if (this.#repeats) this.#arm()
      this.#run()
    }
    this.#cancel = this.#delayMs === null
      ? this.#kernel.afterTurn(this.#node, this.#label, fire)
      // A clock that runs fast lets less true time pass until it shows the end.
      : this.#kernel.after(this.#delayMs / (this.#node?.rate ?? 1), this.#node, this.#label, fire)
  }
}

/**
 * Replaces the globals.
 *
 * @returns a function that puts the real ones back
 */
export function replaceGlobals(kernel: WorldTime): () => void {
  const clear = (timer: unknown): void => {
    if (timer instanceof SimTimer) timer.clear()
  }
  const timeout = (label: string, repeats: boolean) => {
    return (run: (...args: unknown[]) => void, delayMs?: number, ...args: unknown[]): SimTimer => {
      return new SimTimer(kernel, label, timeoutMs(delayMs), () => {
        run(...args)
      }, repeats)
    }
  }
  const undo = [
    replace(globalThis, 'setTimeout', timeout('timer', false)),
    replace(globalThis, 'setInterval', timeout('interval', true)),
    replace(globalThis, 'setImmediate', (run: (...args: unknown[]) => void, ...args: unknown[]) => {
      return new SimTimer(kernel, 'immediate', null, () => {
        run(...args)
      })
    }),
    replace(globalThis, 'clearTimeout', clear),
    replace(globalThis, 'clearInterval', clear),
    replace(globalThis, 'clearImmediate', clear),
    replace(globalThis, 'Date', dateOf(kernel)),
    replace(performance, 'now', () => kernel.clockMs()),
    replace(Math, 'random', () => kernel.nodeRandom.unit()),
    replace(crypto, 'randomUUID', () => uuid(kernel.nodeRandom.bytes(UUID_BYTES))),
  ]
  return () => {
    for (const restore of undo) restore()
  }
}

function replace(target: object, name: string, value: unknown): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name)
  const enumerable = own?.enumerable ?? true
  Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable })
  return () => {
    if (own === undefined) Reflect.deleteProperty(target, name)
    else Object.defineProperty(target, name, own)
  }
}

function timeoutMs(delayMs: number | undefined): number {
  const asked = Number(delayMs)
  return asked >= TIMEOUT_MS_MIN && asked <= TIMEOUT_MS_MAX ? asked : TIMEOUT_MS_MIN
}

function dateOf(kernel: WorldTime): DateConstructor {
  return new Proxy(Date, {
    construct: (target, args, newTarget): object => {
      const given = args.length === 0 ? [kernel.wallMs()] : args
      return Reflect.construct(target, given, newTarget) as object
    },
    get: (target, name, receiver): unknown =>
      name === 'now' ? () => kernel.wallMs() : Reflect.get(target, name, receiver),
  })
}

function uuid(bytes: Uint8Array): string {
  const hex = Array.from(bytes, (byte, index) => {
    const versioned = index === 6 ? (byte & 0x0f) | 0x40 : index === 8 ? (byte & 0x3f) | 0x80 : byte
    return versioned.toString(16).padStart(2, '0')
  }).join('')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
