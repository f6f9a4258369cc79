/**
 * `quorate/prometheus`: the numbers of clients in Prometheus' text format, without a dependency.
 *
 * Use       give one `PrometheusObserver` to every client of the process, and serve its `text()`. Its names begin with
 *           `quorate_client_`; none of them is one of a server's `/metrics`, so both texts can be served as one.
 * Labels    take few values: methods, kinds, codes, states. There are no paths, of which an application has any number.
 */
import type { Beginning, CallNotice, ElectionNotice, LeaseNotice, Observer } from '../core/observer.ts'
import type { PublishNotice, StateNotice, WaitNotice } from '../core/observer.ts'
import { errorCode } from '../core/log-observer.ts'
import { optionNames, refuseUnknown, validateTime } from '../core/options.ts'
import { textOf } from '../core/value-text.ts'
import { Durations, Numbers } from './metric-families.ts'
import type { Family, Labels } from './metric-families.ts'

/** Options of {@link PrometheusObserver}. */
export interface PrometheusOptions {
  /** Greatest number of seconds of each bucket of calls, waits and changes, rising; from 1 ms to 60 s by default. */
  readonly buckets?: readonly number[]
}

const OPTIONS = optionNames<PrometheusOptions>({ buckets: true })
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
/** A lease may be held for days. */
const HOLD_BUCKETS = [0.01, 0.1, 1, 10, 60, 600, 3_600, 21_600, 86_400]
const MS_PER_SECOND = 1_000

/** An observer that counts. */
export class PrometheusObserver implements Observer {
  /** The media type of the text, for `content-type`. */
  readonly contentType = 'text/plain; version=0.0.4; charset=utf-8'
  readonly #families: Family[] = []
  readonly #calls: Durations
  readonly #callsInProgress: Numbers
  readonly #waits: Durations
  readonly #waitsInProgress: Numbers
  readonly #held: Numbers
  readonly #holds: Durations
  readonly #lost: Numbers
  readonly #sessions: Numbers
  readonly #changes: Numbers
  readonly #elections: Numbers
  readonly #leading: Numbers
  readonly #publishes: Durations

  /**
   * Counts nothing yet; give it to `connect` as `observer`.
   *
   * @throws TypeError or RangeError for a wrong option
   */
  constructor(options: PrometheusOptions = {}) {
    refuseUnknown(options, OPTIONS, 'PrometheusObserver')
    const bounds = checkedBuckets(options.buckets ?? BUCKETS)
    this.#calls = this.#durations('call_duration_seconds', 'Calls of clients by method and outcome', bounds)
    this.#callsInProgress = this.#gauge('calls_in_progress', 'Calls of clients that have not ended')
    this.#waits = this.#durations('wait_duration_seconds', 'Waits of recipes by method, kind and outcome', bounds)
    this.#waitsInProgress = this.#gauge('waits_in_progress', 'Waits of recipes that have not ended')
    this.#held = this.#gauge('leases_held', 'Leases that are held')
    this.#holds = this.#durations('lease_hold_duration_seconds', 'Leases that have ended', HOLD_BUCKETS)
    this.#lost = this.#counter('leases_lost_total', 'Leases that were lost, by reason')
    this.#sessions = this.#gauge('sessions', 'Clients that are not closed, by the state of their session')
    this.#changes = this.#counter('session_changes_total', 'Changes of sessions, by the state they changed to')
    this.#elections = this.#counter('elections_total', 'Candidates that were elected, resigned or were lost')
    this.#leading = this.#gauge('leaderships', 'Elections in which a candidate of this process leads')
    this.#publishes = this.#durations('config_change_duration_seconds', 'Changes of configurations', bounds)
  }

  /** All metrics, those without a series yet with their descriptions only. */
  text(): string {
    return this.#families.flatMap((family) => [...family.lines()]).join('')
  }

  /** For the client. */
  readonly onBegin = (beginning: Beginning): void => {
    if (beginning.type === 'call') this.#callsInProgress.add({ method: beginning.method })
    if (beginning.type === 'wait') this.#waitsInProgress.add(waitLabels(beginning))
  }

  /** For the client. */
  readonly onCall = ({ method, durationMs, error }: CallNotice): void => {
    this.#callsInProgress.add({ method }, -1)
    this.#calls.observe({ method, outcome: outcomeOf(error) }, durationMs / MS_PER_SECOND)
  }

  /** For the client. */
  readonly onWait = (notice: WaitNotice): void => {
    const { durationMs, outcome, error } = notice
    const labels = waitLabels(notice)
    this.#waitsInProgress.add(labels, -1)
    const ended = outcome === 'taken' ? outcome : outcomeOf(error)
    this.#waits.observe({ ...labels, outcome: ended }, durationMs / MS_PER_SECOND)
  }

  /** For the client. */
  readonly onLease = ({ event, kind, heldMs, reason }: LeaseNotice): void => {
    this.#held.add({ kind }, event === 'acquired' ? 1 : -1)
    if (event === 'acquired') return
    this.#holds.observe({ kind, end: event }, heldMs / MS_PER_SECOND)
    if (reason !== undefined) this.#lost.add({ kind, reason })
  }

  /** For the client. */
  readonly onState = ({ state, previous }: StateNotice): void => {
    if (previous !== null) this.#sessions.add({ state: previous.status }, -1)
    if (state.status !== 'closed') this.#sessions.add({ state: state.status })
    this.#changes.add({ state: state.status })
  }

  /** For the client. */
  readonly onElection = ({ event }: ElectionNotice): void => {
    this.#elections.add({ event })
    this.#leading.add({}, event === 'elected' ? 1 : -1)
  }

  /** For the client. */
  readonly onPublish = ({ action, durationMs, error }: PublishNotice): void => {
    this.#publishes.observe({ action, outcome: outcomeOf(error) }, durationMs / MS_PER_SECOND)
  }

  #counter(name: string, help: string): Numbers {
    return this.#added(new Numbers(`quorate_client_${name}`, 'counter', help))
  }

  #gauge(name: string, help: string): Numbers {
    return this.#added(new Numbers(`quorate_client_${name}`, 'gauge', help))
  }

  #durations(name: string, help: string, bounds: readonly number[]): Durations {
    return this.#added(new Durations(`quorate_client_${name}`, help, bounds))
  }

  #added<F extends Family>(family: F): F {
    this.#families.push(family)
    return family
  }
}

function waitLabels({ what, kind }: { readonly what: string; readonly kind: string }): Labels {
  return { method: what, kind }
}

/** `ok`, or what the error is. */
function outcomeOf(error: unknown): string {
  return error === undefined ? 'ok' : errorCode(error)
}

function checkedBuckets(buckets: unknown): readonly number[] {
  if (!Array.isArray(buckets)) throw new TypeError(`buckets must be a list of seconds, got ${textOf(buckets)}`)
  const bounds: readonly unknown[] = [...(buckets as readonly unknown[])]
  bounds.forEach((bound, index) => {
    validateTime('a bucket', bound)
    const before = bounds[index - 1]
    if (typeof before === 'number' && bound <= before) {
      throw new RangeError(`buckets must rise, got ${bound} after ${before}`)
    }
  })
  return bounds as readonly number[]
}
