/**
 * `quorate/opentelemetry`: spans of calls, waits, leases and changes of configurations, for the tracer that the process
 * has set up. It needs `@opentelemetry/api`, an optional peer.
 *
 *     quorate get | set | ...                       a call of the client (kind CLIENT)
 *     quorate acquire | tryAcquire | elect | ...    a wait; `elect` is a campaign
 *     quorate hold                                  a lease, from its acquisition to its release or loss
 *     quorate publish | update | ...                a change of a configuration
 *
 * Parents   a span is a child of the one that is active where the caller calls; calls that a recipe makes are siblings
 *           of the recipe's span, as the API has no way to make a span active from outside.
 * Links     a wait links to the lease that it waited for last, if this observer has seen that: of any client that it
 *           was given to.
 * Privacy   a span has paths, ids and codes; no data, and no text of an error.
 */
import { SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Attributes, Span, SpanContext, Tracer } from '@opentelemetry/api'
import { errorCode } from '../core/log-observer.ts'
import type { Beginning, CallNotice, LeaseNotice, Observer, PublishNotice } from '../core/observer.ts'
import type { WaitNotice, Waker } from '../core/observer.ts'
import { optionNames, refuseUnknown } from '../core/options.ts'

/** Options of {@link OpenTelemetryObserver}. */
export interface OpenTelemetryOptions {
  /** Makes the spans; `trace.getTracer('quorate')` by default. */
  readonly tracer?: Tracer
}

const OPTIONS = optionNames<OpenTelemetryOptions>({ tracer: true })
/** How many keys of leases are remembered for links, two for each, those that were acquired last. */
const KEYS_MAX = 20_000

/** An observer that makes spans. */
export class OpenTelemetryObserver implements Observer {
  readonly #tracer: Tracer
  /** Of leases, by path, and by token and path. */
  readonly #leases = new Map<string, SpanContext>()

  /**
   * Makes no span yet; give it to `connect` as `observer`.
   *
   * @throws TypeError for a wrong option
   */
  constructor(options: OpenTelemetryOptions = {}) {
    refuseUnknown(options, OPTIONS, 'OpenTelemetryObserver')
    this.#tracer = options.tracer ?? trace.getTracer('quorate')
  }

  /** For the client. */
  readonly onBegin = (beginning: Beginning): Span => {
    const kind = beginning.type === 'call' ? SpanKind.CLIENT : SpanKind.INTERNAL
    const span = this.#tracer.startSpan(`quorate ${nameOf(beginning)}`, { kind, attributes: attributesOf(beginning) })
    if (beginning.type === 'lease') this.#remember(beginning, span.spanContext())
    return span
  }

  /** For the client. */
  readonly onCall = ({ begun, error }: CallNotice): void => {
    endSpan(begun, error)
  }

  /** For the client. */
  readonly onWait = ({ begun, error, outcome, wokenBy }: WaitNotice): void => {
    const span = begun as Span | undefined
    span?.setAttribute('quorate.outcome', outcome)
    const context = wokenBy === undefined ? undefined : this.#leases.get(keyOf(wokenBy))
    if (context !== undefined) span?.addLink({ context, attributes: { 'quorate.link': 'woken-by' } })
    endSpan(span, error)
  }

  /** For the client. */
  readonly onLease = ({ begun, event, reason }: LeaseNotice): void => {
    if (event === 'acquired') return
    const span = begun as Span | undefined
    span?.setAttribute('quorate.end', event)
    if (reason !== undefined) {
      span?.setAttribute('error.type', 'LEASE_LOST')
      span?.setAttribute('quorate.reason', reason)
      span?.setStatus({ code: SpanStatusCode.ERROR, message: reason })
    }
    span?.end()
  }

  /** For the client. */
  readonly onPublish = ({ begun, error }: PublishNotice): void => {
    endSpan(begun, error)
  }

  #remember({ path, token }: Required<Waker>, context: SpanContext): void {
    for (const key of [keyOf({ path }), keyOf({ path, token })]) {
      // The newest is last, so the first is the oldest.
      this.#leases.delete(key)
      this.#leases.set(key, context)
      const [oldest] = this.#leases.keys()
      if (this.#leases.size > KEYS_MAX && oldest !== undefined) this.#leases.delete(oldest)
    }
  }
}

function keyOf({ path, token }: Waker): string {
  return token === undefined ? path : `${token} ${path}`
}

function nameOf(beginning: Beginning): string {
  switch (beginning.type) {
    case 'call':
      return beginning.method
    case 'wait':
      return beginning.what === 'campaign' ? 'elect' : beginning.what
    case 'lease':
      return 'hold'
    case 'publish':
      return beginning.action
  }
}

function attributesOf(beginning: Beginning): Attributes {
  const path = beginning.path === undefined ? {} : { 'quorate.path': beginning.path }
  const kind = 'kind' in beginning ? { 'quorate.kind': beginning.kind } : {}
  // Attributes have no bigint.
  const token = 'token' in beginning ? { 'quorate.token': String(beginning.token) } : {}
  return { ...path, ...kind, ...token }
}

function endSpan(begun: unknown, error: unknown): void {
  const span = begun as Span | undefined
  if (error !== undefined) {
    const code = errorCode(error)
    span?.setAttribute('error.type', code)
    span?.setStatus({ code: SpanStatusCode.ERROR, message: code })
  }
  span?.end()
}
