/**
 * Multi-locks in their small scope: three clients that want two of three locks each, given in orders that would let
 * them wait for each other, whenever they come; and a connection or a session that is lost at each request.
 */
import { describe, expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { connect } from '../../src/core/connect.ts'
import { pendingCleanups } from '../../src/recipes/engine/cleanups.ts'
import type { JointLease } from '../../src/recipes/engine/joint-lease.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { MultiLock } from '../../src/recipes/locks/multi-lock.ts'
import { modelBackend } from '../../src/testing/model/backend.ts'
import type { ModelBackend } from '../../src/testing/model/backend.ts'
import type { Fate } from '../../src/testing/model/ensemble.ts'
import { Kernel } from '../../src/testing/simulation/kernel.ts'

/** The locks of each client, in the order that it gives: a circle. */
const WISHES = [['a', 'b'], ['b', 'c'], ['c', 'a']] as const
const LATENCY_MS = 10
const STEP_MS = LATENCY_MS
/** More than one acquisition takes. */
const STEPS = 8
const HOLD_MS = LATENCY_MS / 2
const LIMIT_MS = 120_000

/** One schedule: when each client comes, and what becomes of the n-th request of all. */
interface Schedule {
  readonly startsMs: readonly number[]
  readonly nth?: number
  readonly fate?: Fate
  /** Deletes the node of the first client's first part after so long. */
  readonly deleteAfterMs?: number
}

interface Result {
  readonly requests: number
  readonly wrong: readonly string[]
}

async function play({ startsMs, nth, fate, deleteAfterMs }: Schedule): Promise<Result> {
  const kernel = new Kernel({ seed: 1 })
  const backend = modelBackend({ latencyMs: LATENCY_MS })
  const wrong: string[] = []
  const owners = new Map<string, JointLease>()
  let [requests, done, connected] = [0, 0, 0]
  kernel.install()
  try {
    const clients: Client[] = []
    for (const index of WISHES.keys()) {
      kernel.after(0, kernel.addNode(`c${String(index)}`), 'connect', () => {
        void connect(backend, { onError: (error) => void wrong.push(String(error)) }).then((client) => {
          clients[index] = client
          connected += 1
        })
      })
    }
    await kernel.run(LIMIT_MS, () => connected === WISHES.length)
    backend.control.onRequest(() => (requests++ === nth ? fate : undefined))
    const use = async (client: Client, names: readonly string[]): Promise<void> => {
      const lease = await new MultiLock(names.map((name) => new FairLock(client, `/${name}`))).acquire()
      for (const name of names) {
        if (owners.get(name)?.signal.aborted === false) wrong.push(`two hold ${name}`)
        owners.set(name, lease)
      }
      await new Promise((resolve) => setTimeout(resolve, HOLD_MS))
      const isLost = lease.parts.some((part) => part.signal.aborted)
      if (isLost && !lease.signal.aborted) wrong.push('a lost part is not told')
      for (const name of names) if (owners.get(name) === lease) owners.delete(name)
      await lease.release()
      done += 1
    }
    for (const [index, client] of clients.entries()) {
      kernel.after(startsMs[index] ?? 0, null, 'come', () => {
        use(client, WISHES[index] ?? []).catch((error: unknown) => void wrong.push(String(error)))
      })
    }
    const strike = async (): Promise<void> => {
      const node = backend.control.nodes().find(({ path }) => /^\/[abc]\//.test(path))
      if (node !== undefined) await clients[2]?.delete(node.path).catch(() => undefined)
    }
    if (deleteAfterMs !== undefined) kernel.after(deleteAfterMs, null, 'delete', () => void strike())
    await kernel.run(LIMIT_MS, () => done === WISHES.length)
    if (done < WISHES.length) wrong.push(`${String(done)} of ${String(WISHES.length)} got their locks`)
    const count = requests
    return { requests: count, wrong: [...wrong, ...(await leftBy(clients, kernel, backend))] }
  } finally {
    kernel.uninstall()
  }
}

/** Closes the clients, and says what they left behind. */
async function leftBy(clients: readonly Client[], kernel: Kernel, { control }: ModelBackend): Promise<string[]> {
  await kernel.run(LIMIT_MS, () => clients.every((client) => pendingCleanups(client) === 0))
  const ephemeral = control.nodes().filter(({ ephemeralOwner }) => ephemeralOwner !== 0n)
  let closed = 0
  for (const client of clients) void client.close().then(() => (closed += 1))
  await kernel.run(2 * LIMIT_MS, () => closed === clients.length && control.liveTimers === 0)
  const left = ephemeral.map(({ path }) => `left: ${path}`)
  if (kernel.timerCount > 0) left.push(`left: ${String(kernel.timerCount)} timers`)
  if (control.watchCount() > 0) left.push(`left: ${String(control.watchCount())} watches`)
  return left
}

const ARRIVALS = Array.from({ length: STEPS }, (_, second) =>
  Array.from({ length: STEPS }, (_, third) => [0, second * STEP_MS, third * STEP_MS]),
).flat()

/** Plays schedules, and says what was wrong with any of them. */
async function complaintsOf(schedules: readonly Schedule[]): Promise<string[]> {
  const complaints: string[] = []
  for (const schedule of schedules) {
    const { wrong } = await play(schedule)
    if (wrong.length > 0) complaints.push(`${JSON.stringify(schedule)}: ${wrong.join('; ')}`)
  }
  return complaints
}

describe('three multi-locks in a circle', () => {
  it('never wait for each other, whenever they come', async () => {
    expect(await complaintsOf(ARRIVALS.map((startsMs) => ({ startsMs })))).toEqual([])
  })

  it.each(['lose-before', 'lose-after', 'expire-before', 'expire-after'] as const)(
    'all get their locks, and leave nothing, with a request that meets its fate (%s)',
    async (fate) => {
      for (const startsMs of [[0, 0, 0], [0, 2 * STEP_MS, STEP_MS], [4 * STEP_MS, 0, 2 * STEP_MS]]) {
        const { requests } = await play({ startsMs })
        const schedules = Array.from({ length: requests }, (_, nth) => ({ startsMs, nth, fate }))
        expect(await complaintsOf(schedules)).toEqual([])
      }
    },
  )

  it('tell a part that somebody deletes, whenever', async () => {
    const times = Array.from({ length: 60 }, (_, index) => (index * STEP_MS) / 2)
    expect(await complaintsOf(times.map((deleteAfterMs) => ({ startsMs: [0, 0, 0], deleteAfterMs })))).toEqual([])
  })
})
