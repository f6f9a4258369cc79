/** The parts of values and numbers that all clients set, and of what is given out by number. */
import { IdAllocator, RateLimiter, SharedCount, SharedValue } from 'quorate'
import type { Client } from 'quorate'
import { now } from './holds.ts'
import type { Span } from './holds.ts'
import { part, pause, twice, wentBack } from './part.ts'
import type { Part } from './part.ts'

/** A number that everyone may set. */
interface Shared {
  readonly current: number | undefined
  ready(): Promise<number>
  trySet(value: number): Promise<boolean>
  subscribe(listener: (value: number) => void): void
}

interface SharedSaid {
  readonly type: 'saw' | 'set'
  readonly value: number
}

const LOOK_MS = 5

/** Everyone adds one to what it sees, if that is still so. */
function sharedPart(title: string, path: string, make: (client: Client, path: string) => Shared): Part {
  return part<SharedSaid>(title, {
    paths: [],
    open: ({ client, tell }) => {
      const shared = make(client, path)
      shared.subscribe((value) => tell({ type: 'saw', value }))
      const add = async (): Promise<void> => {
        for (;;) {
          const seen = shared.current ?? await shared.ready()
          const value = seen + 1
          if (await shared.trySet(value)) return tell({ type: 'set', value })
          while (shared.current === seen && client.state.status !== 'closed') await pause(LOOK_MS)
        }
      }
      return { round: add, last: add }
    },
    broken: ({ said, present }) => {
      const values = (type: SharedSaid['type'], who?: number): number[] => {
        return said.filter((one) => one.type === type && (who ?? one.who) === one.who).map(({ value }) => value)
      }
      return [...twice(values('set'), 'the value'), ...present.flatMap((who) => wentBack(values('saw', who), `${who}`))]
    },
    missing: ({ said, present }) => {
      const last = Math.max(...said.filter(({ type }) => type === 'set').map(({ value }) => value))
      return present.flatMap((who) => {
        const seen = said.findLast((one) => one.type === 'saw' && one.who === who)?.value
        return seen === last ? [] : [`${who} sees ${seen}, and not ${last}`]
      })
    },
  })
}

export const SHARED_VALUE = sharedPart(
  'SharedValue brings everyone to the last value and never back, and none that was seen is overwritten unseen',
  '/story/shared-value',
  (client, path) => {
    const value = new SharedValue(client, path, { seed: '0' })
    const read = (data: Uint8Array): number => Number(new TextDecoder().decode(data))
    return {
      get current() {
        return value.current && read(value.current)
      },
      ready: async () => read(await value.ready()),
      trySet: (next) => value.trySet(String(next)),
      subscribe: (listener) => void value.subscribe((change) => listener(read(change.value))),
    }
  },
)

export const SHARED_COUNT = sharedPart(
  'SharedCount brings everyone to the last value and never back, and none that was seen is overwritten unseen',
  '/story/shared-count',
  (client, path) => {
    const count = new SharedCount(client, path)
    return {
      get current() {
        return count.current
      },
      ready: () => count.ready(),
      trySet: (next) => count.trySet(next),
      subscribe: (listener) => void count.subscribe(({ value }) => listener(value)),
    }
  },
)

/** How many ids a client takes at a time. */
const BLOCK = 3

/** Everyone takes ids, each time a few less or more than a block. */
export const ID_ALLOCATOR = part<{ readonly id: string }>('IdAllocator gives an id once', {
  paths: [],
  open: ({ client, tell }) => {
    const ids = new IdAllocator(client, '/story/ids', { block: BLOCK })
    return {
      round: async () => {
        tell({ id: String(await ids.next()) })
        tell({ id: String(await ids.next()) })
      },
    }
  },
  broken: ({ said }) => twice(said.map(({ id }) => id), 'the id'),
})

const RATE = { limit: 200, perMs: 1_000, burst: 10 }
const TOKENS = 4
/** Times of nodes are whole milliseconds. */
const CLOCK_ERROR_MS = 5

/** Everyone takes tokens, faster than there are any. */
export const RATE_LIMITER = part<Span>('RateLimiter gives out no more than the rate allows, and serves all again', {
  paths: [],
  open: ({ client, tell }) => {
    const limiter = new RateLimiter(client, '/story/rate', RATE)
    return {
      round: async () => {
        const fromMs = now()
        await limiter.acquire(TOKENS)
        tell({ fromMs, toMs: now() })
      },
    }
  },
  broken: ({ said }) => {
    // Tokens that were given by a call were there at some instant of it.
    const calls = [...said].sort((a, b) => a.toMs - b.toMs)
    return calls.flatMap(({ fromMs }) => {
      const within = calls.filter((call) => call.fromMs >= fromMs)
      return within.flatMap(({ toMs }, index) => {
        const allowed = RATE.burst + (toMs - fromMs + CLOCK_ERROR_MS) * RATE.limit / RATE.perMs
        const given = (index + 1) * TOKENS
        return given > allowed ? [`${given} tokens were given within ${toMs - fromMs} ms`] : []
      })
    })
  },
})
