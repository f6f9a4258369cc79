/**
 * Service provider: which instance of a service to call next.
 *
 * Model     picks among the instances that a watcher has at hand, that are enabled, and that are not down; nothing is
 *           sent.
 * Down      an instance of which so many errors were noted within some time is not picked for that time; then it comes
 *           back by itself, at once if it registers again.
 * Source    Curator x-discovery, ServiceProvider, DownInstancePolicy.
 */
import { optionNames, refuseUnknown, requireFunction, validateInteger, validateTime } from '../../core/options.ts'
import type { DiscoveredInstance, ServiceWatcher } from './service-watcher.ts'

/**
 * How an instance is chosen.
 *
 * @param instances - at least one, sorted by the names of their nodes
 * @returns one of them
 */
export type ProviderStrategy = (instances: readonly DiscoveredInstance[]) => DiscoveredInstance | undefined

/** Options of a {@link ServiceProvider}. */
export interface ServiceProviderOptions {
  /** How an instance is chosen; {@link roundRobin} by default. */
  readonly strategy?: ProviderStrategy
  /** How many errors within `downMs` mark an instance down; 2 by default. */
  readonly errorsMax?: number
  /** For how long it is down, in milliseconds; 30,000 by default. */
  readonly downMs?: number
}

/** Errors of one instance. */
interface Record {
  /** Which registration they are of. */
  readonly incarnation: bigint
  /** When they were noted, on `performance.now()`. */
  readonly errorsMs: readonly number[]
  /** Until when it is not picked, on `performance.now()`. */
  readonly downUntilMs: number
}

const DEFAULTS = Object.freeze({ errorsMax: 2, downMs: 30_000 })
const ERRORS_MAX_MAX = 1_000
const OPTIONS = optionNames<ServiceProviderOptions>({ strategy: true, errorsMax: true, downMs: true })

/** Picks instances. */
export class ServiceProvider {
  readonly #watcher: Pick<ServiceWatcher, 'instances'>
  readonly #strategy: ProviderStrategy
  readonly #errorsMax: number
  readonly #downMs: number
  readonly #records = new Map<string, Record>()

  /**
   * Makes a provider; nothing is sent.
   *
   * @param watcher - has the instances at hand; whoever made it closes it
   * @param options - how to choose, and when an instance is down
   * @throws TypeError or RangeError for a wrong option
   */
  constructor(watcher: Pick<ServiceWatcher, 'instances'>, options: ServiceProviderOptions = {}) {
    refuseUnknown(options, OPTIONS, 'ServiceProvider')
    const { strategy = roundRobin(), errorsMax, downMs } = { ...DEFAULTS, ...options }
    requireFunction('strategy', strategy)
    validateInteger('errorsMax', errorsMax, 1, ERRORS_MAX_MAX)
    validateTime('downMs', downMs)
    this.#watcher = watcher
    this.#strategy = strategy
    this.#errorsMax = errorsMax
    this.#downMs = downMs
  }

  /** The instances that may be picked at this instant: enabled, and not down. */
  get available(): readonly DiscoveredInstance[] {
    const nowMs = performance.now()
    return this.#watcher.instances.filter((one) => one.enabled && !this.#isDown(one, nowMs))
  }

  /**
   * Picks an instance.
   *
   * @returns null if none is available
   */
  pick(): DiscoveredInstance | null {
    const { available } = this
    return available.length === 0 ? null : (this.#strategy(available) ?? null)
  }

  /**
   * Notes that a call of an instance has failed.
   *
   * @param instance - the instance that `pick` has returned
   */
  noteError(instance: Pick<DiscoveredInstance, 'id' | 'incarnation'>): void {
    const nowMs = performance.now()
    const { id, incarnation } = instance
    // A late error of an earlier registration says nothing of this one.
    if ((this.#records.get(id)?.incarnation ?? 0n) > incarnation) return
    const known = this.#recordOf(instance)
    const recent = (known?.errorsMs ?? []).filter((atMs) => nowMs - atMs < this.#downMs)
    const errorsMs = [...recent, nowMs].slice(-this.#errorsMax)
    const downUntilMs = errorsMs.length === this.#errorsMax ? nowMs + this.#downMs : -Infinity
    this.#records.set(id, { incarnation, errorsMs, downUntilMs })
    this.#forget(nowMs)
  }

  #isDown(instance: DiscoveredInstance, nowMs: number): boolean {
    return nowMs < (this.#recordOf(instance)?.downUntilMs ?? -Infinity)
  }

  #recordOf({ id, incarnation }: Pick<DiscoveredInstance, 'id' | 'incarnation'>): Record | undefined {
    const record = this.#records.get(id)
    return record?.incarnation === incarnation ? record : undefined
  }

  /** Forgets errors that do not count any more, so that instances that are gone cost nothing. */
  #forget(nowMs: number): void {
    for (const [id, { errorsMs }] of this.#records) {
      if (nowMs - (errorsMs.at(-1) ?? -Infinity) >= this.#downMs) this.#records.delete(id)
    }
  }
}

/** Chooses one after the other, in the order of their nodes, whoever comes and goes. */
export function roundRobin(): ProviderStrategy {
  let last = ''
  return (instances) => {
    const next = instances.find(({ id }) => id > last) ?? instances[0]
    last = next?.id ?? ''
    return next
  }
}

/** Chooses by chance. */
export function random(): ProviderStrategy {
  return (instances) => instances[Math.floor(Math.random() * instances.length)]
}

/**
 * Stays with an instance for as long as it is available.
 *
 * @param choose - chooses the next one then; by chance by default
 */
export function sticky(choose: ProviderStrategy = random()): ProviderStrategy {
  let id: string | undefined
  return (instances) => {
    const next = instances.find((one) => one.id === id) ?? choose(instances)
    id = next?.id
    return next
  }
}

/**
 * Chooses the one with the least load; of several, the first.
 *
 * @param loadOf - tells the load of an instance, such as the number of calls that this process has under way there
 */
export function leastLoaded(loadOf: (instance: DiscoveredInstance) => number): ProviderStrategy {
  return (instances) => {
    const [first, ...rest] = instances.map((instance) => ({ instance, load: loadOf(instance) }))
    return first === undefined ? undefined : rest.reduce((a, b) => (b.load < a.load ? b : a), first).instance
  }
}
