/** Hand-overs of one FairLock on a server of ZooKeeper's protocol, whichever it is, by the same client. */
import { connect, FairLock } from 'quorate'
import { zookeeper } from 'quorate/zookeeper'
import { Contention } from './contention.ts'
import type { Contender } from './contention.ts'
import type { Effort, Figure } from './measure.ts'
import type { RunningEngine } from './wire-engines.ts'

const PATH = '/wire/lock'
const SESSION_TIMEOUT_MS = 60_000

/**
 * Measures how often a lock goes from one session to another, in rounds that the engines take in turn.
 *
 * @param contenders - how many sessions want it
 * @returns a figure of each engine
 */
export async function measureHandOvers(
  effort: Effort,
  engines: readonly RunningEngine[],
  contenders: number,
): Promise<Figure[]> {
  const contentions: Contention[] = []
  for (const { name, port } of engines) {
    const backend = zookeeper(`127.0.0.1:${port}`, { sessionTimeoutMs: SESSION_TIMEOUT_MS })
    const open = async (): Promise<Contender> => {
      const client = await connect(backend)
      const lock = new FairLock(client, PATH)
      return {
        acquire: async () => {
          const lease = await lock.acquire()
          return () => lease.release()
        },
        close: () => client.close(),
      }
    }
    contentions.push(await Contention.open({ name, open, requests: null }, contenders))
  }
  for (let i = 0; i < effort.rounds; i++) {
    for (const contention of contentions) await contention.round(effort)
  }
  const figures = contentions.flatMap((contention) => contention.figures().slice(0, 1))
  await Promise.all(contentions.map((contention) => contention.close()))
  return figures
}
