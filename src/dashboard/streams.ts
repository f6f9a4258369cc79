/**
 * Live answers over server-sent events.
 *
 * Model     a topic is a read, by its address. Each topic that somebody looks at is read again and again, once for all
 *           who look at it; an answer that is another one than the last is sent to them. Nothing is read for nobody.
 * Bounds    streams, topics per stream, and what waits for a viewer who does not read: that one is cut off, and its
 *           page comes again.
 */
import type { ServerResponse } from 'node:http'
import { delay } from '../core/async.ts'
import type { Answer, StreamEvents } from './api.ts'
import { Refusal, failureOf } from './refusal.ts'

/** Reads a topic. */
export type ReadTopic = (topic: string, signal: AbortSignal) => Promise<Answer<unknown>>

/** The most streams at a time. */
export const STREAMS_MAX = 64
const TOPICS_MAX = 40
const TOPIC_CHARS_MAX = 4_096
const UNSENT_BYTES_MAX = 4_194_304
const BEAT_MS = 2_000

/** One who looks. */
interface Viewer {
  send<N extends keyof StreamEvents>(name: N, data: StreamEvents[N]): void
}

export class Streams {
  readonly #read: ReadTopic
  readonly #pollMs: number
  readonly #topics = new Map<string, Topic>()
  readonly #open = new Set<ServerResponse>()

  /** Makes it; nothing is read. */
  constructor(read: ReadTopic, pollMs: number) {
    this.#read = read
    this.#pollMs = pollMs
  }

  /** How many topics are read now. */
  get topics(): number {
    return this.#topics.size
  }

  /**
   * Answers a request with a stream, which lasts until its page goes.
   *
   * @throws Refusal if there are too many, or for wrong topics
   */
  open(response: ServerResponse, topics: readonly string[]): void {
    const names = [...new Set(topics)]
    if (names.length === 0 || names.length > TOPICS_MAX || names.some(({ length }) => length > TOPIC_CHARS_MAX)) {
      throw new Refusal(400, 'USAGE', `a stream has 1 to ${TOPICS_MAX} topics, got ${names.length}`)
    }
    if (this.#open.size >= STREAMS_MAX) {
      throw new Refusal(429, 'THROTTLED', `${STREAMS_MAX} pages are open already; close one`)
    }
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' })
    const viewer: Viewer = {
      send: (name, data) => {
        if (response.writableLength > UNSENT_BYTES_MAX) response.destroy()
        else if (!response.destroyed) response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`)
      },
    }
    this.#open.add(response)
    const beat = (): void => viewer.send('beat', { ms: Date.now() })
    beat()
    const beating = setInterval(beat, BEAT_MS)
    const leaves = names.map((name) => this.#join(name, viewer))
    response.once('close', () => {
      clearInterval(beating)
      this.#open.delete(response)
      for (const leave of leaves) leave()
    })
  }

  /** Ends all streams. */
  close(): void {
    for (const response of this.#open) response.destroy()
  }

  #join(name: string, viewer: Viewer): () => void {
    const topic = this.#topics.get(name) ?? new Topic(name, this.#read, this.#pollMs)
    this.#topics.set(name, topic)
    topic.join(viewer)
    return () => {
      if (topic.leave(viewer) && this.#topics.get(name) === topic) this.#topics.delete(name)
    }
  }
}

/** A read that somebody looks at. */
class Topic {
  readonly #name: string
  readonly #read: ReadTopic
  readonly #pollMs: number
  readonly #viewers = new Set<Viewer>()
  readonly #ended = new AbortController()
  /** The last value that was sent, and its text to compare the next with. */
  #told: { readonly text: string; readonly tell: (viewer: Viewer) => void } | null = null

  constructor(name: string, read: ReadTopic, pollMs: number) {
    this.#name = name
    this.#read = read
    this.#pollMs = pollMs
  }

  join(viewer: Viewer): void {
    this.#viewers.add(viewer)
    if (this.#viewers.size === 1) void this.#run()
    else this.#told?.tell(viewer)
  }

  /** Whether that was the last one. */
  leave(viewer: Viewer): boolean {
    this.#viewers.delete(viewer)
    if (this.#viewers.size > 0) return false
    this.#ended.abort()
    return true
  }

  async #run(): Promise<void> {
    const { signal } = this.#ended
    while (!signal.aborted) {
      await this.#look(signal)
      await delay(this.#pollMs, signal).catch(() => undefined)
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const topic = this.#name
    try {
      const found = await this.#read(topic, signal)
      this.#tell(textOf(found), (viewer) => viewer.send('answer', { topic, answer: found }))
    } catch (error) {
      const { body } = failureOf(error)
      this.#tell(JSON.stringify(body), (viewer) => viewer.send('failed', { topic, ...body }))
    }
  }

  #tell(text: string, tell: (viewer: Viewer) => void): void {
    if (this.#ended.signal.aborted || this.#told?.text === text) return
    this.#told = { text, tell }
    for (const viewer of this.#viewers) tell(viewer)
  }
}

/** An answer as text, but for when it was read. */
function textOf({ asOfMs: _asOfMs, ...answer }: Answer<unknown>): string {
  return JSON.stringify(answer)
}
