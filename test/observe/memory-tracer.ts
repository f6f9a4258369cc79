/** A tracer that keeps its spans in memory, on the API alone: a stand-in for the SDK, as far as these tests need it. */
import { context, trace } from '@opentelemetry/api'
import type { AnyValue, Attributes, Context, Link, Span, SpanContext } from '@opentelemetry/api'
import type { SpanOptions, SpanStatus, Tracer } from '@opentelemetry/api'

/** A span, and what became of it. */
export class MemorySpan implements Span {
  readonly name: string
  readonly kind: number | undefined
  readonly parent: string | undefined
  readonly attributes: Attributes
  readonly links: Link[]
  status: SpanStatus | null = null
  ends = 0
  readonly #context: SpanContext

  constructor(name: string, options: SpanOptions, parent: SpanContext | undefined, spanId: string) {
    this.name = name
    this.kind = options.kind
    this.attributes = { ...options.attributes }
    this.links = [...(options.links ?? [])]
    this.parent = parent?.spanId
    this.#context = { traceId: parent?.traceId ?? spanId.padStart(32, '0'), spanId, traceFlags: 1 }
  }

  get id(): string {
    return this.#context.spanId
  }

  spanContext(): SpanContext {
    return this.#context
  }

  setAttribute(key: string, value: AnyValue): this {
    this.attributes[key] = value
    return this
  }

  setAttributes(attributes: Attributes): this {
    Object.assign(this.attributes, attributes)
    return this
  }

  addEvent(): this {
    return this
  }

  addLink(link: Link): this {
    this.links.push(link)
    return this
  }

  addLinks(links: Link[]): this {
    this.links.push(...links)
    return this
  }

  setStatus(status: SpanStatus): this {
    this.status = status
    return this
  }

  updateName(): this {
    return this
  }

  end(): void {
    this.ends += 1
  }

  isRecording(): boolean {
    return this.ends === 0
  }

  recordException(): void {
    throw new Error('the text of an exception is not for a trace')
  }
}

export class MemoryTracer implements Tracer {
  readonly spans: MemorySpan[] = []

  startSpan(name: string, options: SpanOptions = {}, parent: Context = context.active()): MemorySpan {
    const id = String(this.spans.length + 1).padStart(16, '0')
    const span = new MemorySpan(name, options, trace.getSpanContext(parent), id)
    this.spans.push(span)
    return span
  }

  startActiveSpan(): never {
    throw new Error('an observer makes no span active')
  }
}
