/** The part of the queue. */
import { DistributedQueue, isCoordinationError } from 'quorate'
import type { QueueItem } from 'quorate'
import { held, overfull, tokensBack } from './holds.ts'
import type { Hold } from './holds.ts'
import { part, pause, twice } from './part.ts'

const PATH = '/story/queue'
const FULL = 1
/** Every so many items one is given back first. */
const NACKS_EVERY = 4

type QueueSaid =
  | { readonly type: 'put'; readonly value: string }
  | { readonly type: 'held'; readonly hold: Hold }
  /** `isSure`: it was confirmed; otherwise it is not known whether it was removed. */
  | { readonly type: 'done'; readonly id: string; readonly value: string; readonly isSure: boolean }

/** Everyone puts an item and works on one, and in the end on all that are left. */
export const DISTRIBUTED_QUEUE = part<QueueSaid>(
  'DistributedQueue hands out every item until it is done, to one at a time, and it is done once',
  {
    paths: [`${PATH}/items`, `${PATH}/claims`],
    open: ({ client, who, ending, tell }) => {
      const queue = new DistributedQueue<string>(client, PATH)
      let puts = 0
      let takes = 0
      /** False: it was given back, undone. */
      const work = async (item: QueueItem<string>): Promise<boolean> => {
        const { id, value } = item
        try {
          const span = await held(item)
          tell({ type: 'held', hold: { place: id, weight: FULL, token: String(item.token), ...span } })
          takes += 1
          if (takes % NACKS_EVERY === 0) return false
          await item.ack()
          tell({ type: 'done', id, value, isSure: true })
          return true
        } catch (error) {
          const isUnsure = isCoordinationError(error) && error.outcome === 'unknown'
          if (isUnsure) tell({ type: 'done', id, value, isSure: false })
          throw error
        } finally {
          await item.nack()
        }
      }
      return {
        round: async () => {
          puts += 1
          const value = `${who}-${puts}`
          await queue.put(value)
          tell({ type: 'put', value })
          // In the end there may be none: those who have come to theirs take all that are left.
          while (!(await work(await queue.take({ signal: ending }))));
        },
        last: async () => {
          while ((await queue.size()) > 0) {
            const item = await queue.take({ waitMs: 0 }).catch(noneInTime)
            await (item === null ? pause(1) : work(item))
          }
        },
      }
    },
    broken: ({ said }) => {
      const holds = said.flatMap((one) => (one.type === 'held' ? [one.hold] : []))
      const done = said.filter((one) => one.type === 'done')
      const ids = new Map(done.map(({ id, value }) => [id, value]))
      return [
        ...overfull(holds, FULL),
        ...tokensBack(holds),
        ...twice(done.filter(({ isSure }) => isSure).map(({ id }) => id), 'what is done'),
        ...twice([...ids.values()], 'the value'),
      ]
    },
    missing: ({ said }) => {
      const done = new Set(said.flatMap((one) => (one.type === 'done' ? [one.value] : [])))
      return said.flatMap((one) => (one.type === 'put' && !done.has(one.value) ? [`${one.value} is not done`] : []))
    },
  },
)

function noneInTime(error: unknown): null {
  if (isCoordinationError(error, 'TIMEOUT')) return null
  throw error
}
