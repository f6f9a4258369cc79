/** Lower bounds of anything in one process: a promise, a turn of the event loop, a mutex of one process. */
import { Mutex } from 'async-mutex'
import { measureRate } from './measure.ts'
import type { Effort, Figure } from './measure.ts'

/** These tasks are about as quick as a look at the clock. */
const BATCH = 100

/** Measures the floor. */
export async function* measureFloor(effort: Effort): AsyncGenerator<Figure> {
  const mutex = new Mutex()
  const cycle = async (): Promise<void> => {
    const release = await mutex.acquire()
    release()
  }
  const options = { effort, inFlight: 1, batch: BATCH }
  yield await measureRate('promise round trip', () => new Promise<void>((resolve) => queueMicrotask(resolve)), options)
  yield await measureRate('event loop turn', () => new Promise<void>((resolve) => setImmediate(resolve)), options)
  yield await measureRate('async-mutex cycle', cycle, options)
}
