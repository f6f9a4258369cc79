/** One client in all parts. */
import type { Client } from 'quorate'
import { now } from './holds.ts'
import { pause, tolerated } from './part.ts'
import type { Party } from './part.ts'
import { PARTS } from './parts.ts'

/** A line of the book. */
export interface Line {
  /** The title of the part. */
  readonly part: string
  readonly who: number
  /** `begins`: its first round; `round`: the end of one; `owes`: its work comes to an end; `ends`: it has. */
  readonly type: 'begins' | 'round' | 'said' | 'owes' | 'ends'
  readonly atMs: number
  /** The thing that was said. */
  readonly said?: object
}

/** Between two rounds: all parts of a client share one process. */
const REST_MS = 100

/** Makes what has to be there before anyone begins. */
export async function prepare(client: Client): Promise<void> {
  for (const part of PARTS) await part.prepare?.(client)
}

/** One client, which plays all parts. */
export class Troupe {
  readonly #client: Client
  readonly #plays: readonly Promise<void>[]
  readonly #ending = new AbortController()

  /** Begins to play. `who` is its number, and `lead` that of the client which writes what the others follow. */
  constructor(client: Client, { who, lead }: { who: number; lead: number }, write: (line: Line) => void) {
    this.#client = client
    this.#plays = PARTS.map((part) => {
      const line = (type: Line['type'], said?: object): void => {
        write({ part: part.title, who, type, atMs: now(), ...(said && { said }) })
      }
      const { signal: ending } = this.#ending
      const party = part.open({ client, who, isLead: who === lead, ending, tell: (said) => line('said', said) })
      return this.#play(party, line)
    })
  }

  /** Ends the work that comes to an end; the rest goes on. */
  conclude(): void {
    this.#ending.abort()
  }

  /** Resolves when the client is closed and nothing goes on. */
  async ended(): Promise<void> {
    await Promise.all(this.#plays)
  }

  async #play(party: Party, line: (type: Line['type']) => void): Promise<void> {
    const isClosed = (): boolean => this.#client.state.status === 'closed'
    const works = async (): Promise<void> => {
      if (await tolerated(() => party.round?.() ?? Promise.resolve())) line('round')
    }
    if (party.round !== undefined) line('begins')
    if (party.last !== undefined) line('owes')
    while (party.round !== undefined && !isClosed() && (party.last === undefined || !this.#ending.signal.aborted)) {
      await rested(works)
    }
    let isDone = party.last === undefined
    while (!isDone && !isClosed()) {
      await rested(async () => {
        isDone = this.#ending.signal.aborted && await tolerated(() => party.last?.() ?? Promise.resolve())
      })
    }
    if (party.last !== undefined) line('ends')
  }
}

async function rested(work: () => Promise<void>): Promise<void> {
  await work()
  await pause(REST_MS)
}
