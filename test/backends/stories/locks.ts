/** The parts of the locks other than those that are one holder's alone, and of the semaphore. */
import { FairLock, MultiLock, ReadWriteLock, ReentrantLock, Semaphore } from 'quorate'
import { held, overfull, tokensBack } from './holds.ts'
import type { Hold } from './holds.ts'
import { CLIENTS, part } from './part.ts'

const READ_WRITE = '/story/read-write'
/** The place of writers alone, who keep it while they read on. */
const WRITERS = 'the writers'
/** The weight of a writer: nobody else fits in. */
const WHOLE = CLIENTS

/** Everyone reads, writes, and reads on after that. */
export const READ_WRITE_LOCK = part<Hold>('ReadWriteLock lets nobody in beside a writer, and serves everyone again', {
  paths: [READ_WRITE],
  open: ({ client, tell }) => {
    const lock = new ReadWriteLock(client, READ_WRITE)
    return {
      round: async () => {
        {
          await using reading = await lock.reader.acquire()
          tell({ place: READ_WRITE, weight: 1, token: String(reading.token), ...await held(reading) })
        }
        await using writing = await lock.writer.acquire()
        const token = String(writing.token)
        const span = await held(writing)
        tell({ place: READ_WRITE, weight: WHOLE, token, ...span })
        await using reading = await lock.downgrade(writing)
        const { fromMs, toMs } = await held(reading)
        tell({ place: READ_WRITE, weight: 1, token, fromMs, toMs })
        tell({ place: WRITERS, weight: 1, token, fromMs: span.fromMs, toMs })
      },
    }
  },
  broken: ({ said }) => {
    const written = said.filter(({ weight }) => weight === WHOLE)
    const late = said.filter(({ fromMs, token }) => {
      return written.some((other) => other.fromMs < fromMs && BigInt(other.token) > BigInt(token))
    })
    return [
      ...overfull(said.filter(({ place }) => place === READ_WRITE), WHOLE),
      ...overfull(said.filter(({ place }) => place === WRITERS), 1),
      ...tokensBack(written),
      ...late.map(({ token }) => `${token} is a token from before another writer's`),
    ]
  },
})

const REENTRANT = '/story/reentrant'

/** Everyone takes it twice, and gives it back twice. */
export const REENTRANT_LOCK = part<Hold & { readonly inner: string; readonly count: number }>(
  'ReentrantLock has one holder by token, who may take it again, and serves everyone again',
  {
    paths: [REENTRANT],
    open: ({ client, tell }) => {
      const lock = new ReentrantLock(client, REENTRANT)
      return {
        round: () => lock.using(async (lease) => {
          await using again = await lock.acquire()
          const { count } = again
          await again.release()
          const hold = { place: REENTRANT, weight: 1, token: String(lease.token), ...await held(lease) }
          tell({ ...hold, inner: String(again.token), count })
        }),
      }
    },
    broken: ({ said }) => [
      ...overfull(said, 1),
      ...tokensBack(said),
      ...said.filter(({ inner, token }) => inner !== token).map(({ token }) => `${token} was taken twice as two`),
      ...said.filter(({ count }) => count !== 2).map(({ token, count }) => `${token} was held ${count} times, not 2`),
    ],
  },
)

const MULTI = '/story/multi'

/** Everyone takes two of three locks, so that each of them is asked for by two, in two orders. */
export const MULTI_LOCK = part<Hold>('MultiLock has all of its locks or none, and serves everyone again', {
  paths: Array.from({ length: CLIENTS }, (_, index) => `${MULTI}/${index}`),
  open: ({ client, who, tell }) => {
    const paths = [who, (who + 1) % CLIENTS].map((index) => `${MULTI}/${index}`)
    const lock = new MultiLock(paths.map((path) => new FairLock(client, path)))
    return {
      round: async () => {
        await using lease = await lock.acquire()
        const span = await held(lease)
        for (const [index, { token }] of lease.parts.entries()) {
          tell({ place: paths[index] ?? '', weight: 1, token: String(token), ...span })
        }
      },
    }
  },
  broken: ({ said }) => [...overfull(said, 1), ...tokensBack(said)],
})

const SEMAPHORE = '/story/semaphore'
const PERMITS = 3

/** Some take one permit, and some two. */
export const SEMAPHORES = part<Hold>('Semaphore gives out no more permits than there are, and serves everyone again', {
  paths: [`${SEMAPHORE}/locks`, `${SEMAPHORE}/leases`],
  open: ({ client, who, tell }) => {
    const semaphore = new Semaphore(client, SEMAPHORE, { permits: PERMITS })
    const weight = 1 + who % 2
    return {
      round: async () => {
        await using lease = await semaphore.acquire({ permits: weight })
        tell({ place: SEMAPHORE, weight, token: String(lease.token), ...await held(lease) })
      },
    }
  },
  broken: ({ said }) => overfull(said, PERMITS),
})
