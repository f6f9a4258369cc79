/**
 * The data of the page, kept live: one stream for all topics that its views want.
 *
 * Lost      without a beat for five seconds the picture stays and is said to be old; the stream is opened again after
 *           1, 2, 4, 8 and then 15 seconds, forever. A tab that is hidden for a minute lets go of it.
 */
import { useEffect, useState } from 'preact/hooks'
import type { Answer, Failure, Reads, StreamEvents } from '../api.ts'
import { CallFailed, call } from './calls.ts'

/** Whether what is shown is how it is. */
export type Liveness = 'connecting' | 'live' | 'stale' | 'signed-out'

/** The last of a topic. */
export interface Shown<T> {
  readonly answer: Answer<T> | null
  readonly failure: Failure['error'] | null
}

const NOTHING: Shown<never> = { answer: null, failure: null }
const BEAT_MS_MAX = 5_000
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000]
const HIDDEN_MS_MAX = 60_000
const WATCH_MS = 1_000

class Live {
  liveness: Liveness = 'connecting'
  /** When the server was heard last, by the clock of this browser. */
  heardMs = Date.now()
  /** How far the server's clock is ahead of the browser's. */
  aheadMs = 0
  readonly #wanted = new Map<string, number>()
  readonly #shown = new Map<string, Shown<unknown>>()
  readonly #listeners = new Set<() => void>()
  #stream: AbortController | null = null
  #opening: number | null = null
  #failures = 0
  #hiddenAtMs: number | null = null

  constructor() {
    setInterval(() => this.#watch(), WATCH_MS)
    document.addEventListener('visibilitychange', () => {
      this.#hiddenAtMs = document.hidden ? Date.now() : null
      if (!document.hidden && this.#stream === null && this.liveness !== 'signed-out') this.open(0)
    })
  }

  shown(topic: string): Shown<unknown> {
    return this.#shown.get(topic) ?? NOTHING
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  want(topic: string): () => void {
    const count = this.#wanted.get(topic) ?? 0
    this.#wanted.set(topic, count + 1)
    if (count === 0) this.open(0)
    return () => {
      const left = (this.#wanted.get(topic) ?? 1) - 1
      if (left > 0) this.#wanted.set(topic, left)
      else {
        this.#wanted.delete(topic)
        this.#shown.delete(topic)
      }
    }
  }

  /** Opens the stream again, with what is wanted by then. */
  open(afterMs: number): void {
    if (this.#opening !== null) clearTimeout(this.#opening)
    this.#opening = setTimeout(() => {
      this.#opening = null
      this.#stream?.abort()
      void this.#follow((this.#stream = new AbortController()))
    }, afterMs)
  }

  async #follow(own: AbortController): Promise<void> {
    const query = [...this.#wanted.keys()].map((topic) => `topic=${encodeURIComponent(topic)}`).join('&')
    try {
      const response = await call(`stream?${query}`, { signal: own.signal })
      const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader()
      let text = ''
      for (;;) {
        const { done, value } = (await reader?.read()) ?? { done: true, value: '' }
        if (done) break
        const parts = (text + value).split('\n\n')
        text = parts.pop() ?? ''
        for (const part of parts) this.#take(part)
      }
    } catch (error) {
      if (error instanceof CallFailed && error.status === 401) {
        this.#stream = null
        return this.#become('signed-out')
      }
    }
    if (own.signal.aborted) return
    this.#stream = null
    this.#lose()
  }

  #take(part: string): void {
    const [, name, data] = /^event: (\w+)\ndata: (.*)$/s.exec(part) ?? []
    if (name === undefined || data === undefined) return
    this.heardMs = Date.now()
    this.#failures = 0
    const value: unknown = JSON.parse(data)
    if (name === 'beat') this.aheadMs = (value as StreamEvents['beat']).ms - Date.now()
    else if (name === 'answer') {
      const { topic, answer } = value as StreamEvents['answer']
      this.#shown.set(topic, { answer, failure: null })
    } else if (name === 'failed') {
      const { topic, error } = value as StreamEvents['failed']
      this.#shown.set(topic, { answer: this.shown(topic).answer, failure: error })
    }
    this.#become('live')
  }

  #watch(): void {
    if (this.#hiddenAtMs !== null && Date.now() - this.#hiddenAtMs > HIDDEN_MS_MAX && this.#stream !== null) {
      this.#stream.abort()
      this.#stream = null
      return this.#become('stale')
    }
    if (this.#stream !== null && this.liveness === 'live' && Date.now() - this.heardMs > BEAT_MS_MAX) {
      this.#stream.abort()
      this.#stream = null
      this.#lose()
    } else this.#tell()
  }

  #lose(): void {
    this.#become('stale')
    this.open(RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)] ?? 0)
  }

  #become(liveness: Liveness): void {
    this.liveness = liveness
    this.#tell()
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}

/** The stream of this page. */
export const live = new Live()

/** Follows a topic while the component is shown. */
export function useTopic<N extends keyof Reads>(name: N, query = ''): Shown<Reads[N]> {
  const topic = name + query
  useTick()
  useEffect(() => live.want(topic), [topic])
  return live.shown(topic) as Shown<Reads[N]>
}

/** Draws the component again whenever there is news, and each second. */
export function useTick(): void {
  const [, draw] = useState(0)
  useEffect(() => live.listen(() => draw((count) => count + 1)), [])
}

/** The time by the server's clock, in milliseconds since 1970; it stands still while the picture is old. */
export function nowMs(): number {
  return (live.liveness === 'live' ? Date.now() : live.heardMs) + live.aheadMs
}
