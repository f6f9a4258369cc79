/** How long there is no service when the leader crashes. */
import { connect, isCoordinationError } from 'quorate'
import type { Client } from 'quorate'
import { embedded } from 'quorate/embedded'
import type { Ensemble } from 'quorate/embedded'
import { spread } from './measure.ts'
import type { Effort, Figure } from './measure.ts'

const PATH = '/written-all-the-time'

/**
 * Crashes the leader again and again, at the default tick. Measures the time until another leads and serves, and until
 * a client has its next write acknowledged: one that was connected to the leader, and so has to find another server.
 */
export async function* measureElection(effort: Effort): AsyncGenerator<Figure> {
  await using ensemble = embedded({ servers: 3 })
  const elections: number[] = []
  const gaps: number[] = []
  for (let i = 0; i < effort.events; i++) {
    await ensemble.start()
    await using client = await connect(ensemble.at(await leaderOf(ensemble)))
    await client.makePath(PATH, { mode: 'persistent' })
    const leader = await leaderOf(ensemble)
    const serving = untilServing(ensemble, 'LEADING')
    const startMs = performance.now()
    ensemble.crash(leader)
    const gap = untilWritten(client).then((atMs) => gaps.push(atMs - startMs))
    elections.push((await serving) - startMs)
    await gap
    const back = untilServing(ensemble, 'FOLLOWING', leader)
    ensemble.restart(leader)
    await back
  }
  yield { figure: 'election after a crash', size: 3, unit: 'ms', ...spread(elections) }
  yield { figure: 'no service for a write', size: 3, unit: 'ms', ...spread(gaps) }
}

async function leaderOf(ensemble: Ensemble): Promise<number> {
  return ensemble.leader ?? (await untilServing(ensemble, 'LEADING'), leaderOf(ensemble))
}

/** Resolves with the instant at which a server begins to serve in a role. */
function untilServing(ensemble: Ensemble, role: 'LEADING' | 'FOLLOWING', id?: number): Promise<number> {
  return new Promise((resolve) => {
    const stop = ensemble.onEvent(({ server, atMs, event }) => {
      if (event.type !== 'serving' || event.role !== role || (id !== undefined && server !== id)) return
      stop()
      resolve(atMs)
    })
  })
}

/** Writes until one write is acknowledged; each of them is fine to be done twice. */
async function untilWritten(client: Client): Promise<number> {
  for (;;) {
    try {
      await client.set(PATH, 'x')
      return performance.now()
    } catch (error) {
      if (!isCoordinationError(error, 'CONNECTION_LOSS')) throw error
      await new Promise(setImmediate)
    }
  }
}
