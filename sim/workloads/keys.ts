/**
 * The plainest workload: clients write values of their own to a few keys, read them, and keep an ephemeral node.
 *
 * Checks    a client that reads a key never sees an older version of it than it saw before, as long as its session
 *           lives.
 */
import type { Client } from '../../src/core/client.ts'
import { CoordinationError } from '../../src/core/errors.ts'
import { Violation } from '../check.ts'
import type { ClientLife, MakeWorkload, Workload } from '../workload.ts'

const KEYS = 5
/** Longest pause between two steps of a client, in ticks; some runs are busy, some are not. */
const PAUSES_TICKS_MAX = Object.freeze([2.5, 15, 50])

/** Makes the workload `keys`. */
export const makeKeys: MakeWorkload = ({ probes, random: runRandom }) => {
  const pauseTicksMax = runRandom.pick(PAUSES_TICKS_MAX)
  const attempt = async (run: () => Promise<unknown>): Promise<void> => {
    try {
      await run()
    } catch (error) {
      if (!(error instanceof CoordinationError)) throw error
      if (error.outcome === 'unknown') probes.hit('write-unknown')
      if (error.outcome === 'not-sent') probes.hit('write-not-sent')
      if (error.code === 'BAD_VERSION') probes.hit('bad-version')
    }
  }
  const program = async (client: Client, life: ClientLife): Promise<void> => {
    const { random } = life
    const seen = new Map<string, { readonly sessionId: bigint | null; readonly mzxid: bigint }>()
    const read = async (path: string): Promise<void> => {
      const { sessionId } = client
      const { stat } = await client.get(path)
      if (client.sessionId !== sessionId) return
      const before = seen.get(path)
      if (before !== undefined && before.sessionId === sessionId && stat.mzxid < before.mzxid) {
        throw new Violation('keys', `${life.node.name} read ${path} at ${stat.mzxid} after ${before.mzxid}`)
      }
      seen.set(path, { sessionId, mzxid: stat.mzxid })
    }
    let writes = 0
    const steps: ((path: string) => Promise<unknown>)[] = [
      (path) => client.create(path, `${life.node.name} ${writes++}`),
      (path) => client.set(path, `${life.node.name} ${writes++}`),
      (path) => client.set(path, `${life.node.name} ${writes++}`, { version: random.between(0, 9) }),
      (path) => client.delete(path),
      () => client.create('/keys/ephemeral-', '', { mode: 'ephemeral-sequential' }),
      read, read, read,
      () => client.sync(),
    ]
    await attempt(() => client.makePath('/keys', { mode: 'persistent' }))
    while (!life.isEnding()) {
      const path = `/keys/${random.between(1, KEYS)}`
      const step = random.pick(steps)
      await attempt(() => step(path))
      await life.sleep(random.unit() * pauseTicksMax)
    }
  }
  return { name: 'keys', checks: [], program } satisfies Workload
}
