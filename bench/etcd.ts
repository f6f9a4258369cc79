/**
 * Locks on etcd: what a cycle costs, and how often the lock goes from one to the next while many want it; beside them,
 * on the same member and in the same way, the lock of the `etcd3` client.
 *
 * etcd3     its lock tries once and has no queue, so whoever does not get it tries again behind a short pause; without
 *           one the tries of a hundred keep the holder from its own requests.
 */
import { connect, FairLock } from 'quorate'
import type { Backend } from 'quorate'
import { etcd } from 'quorate/etcd'
import { Etcd3, EtcdLockFailedError } from 'etcd3'
import { startEtcd } from '../test/engines/etcd.ts'
import { measureRate, percentiles } from './measure.ts'
import type { Effort, Figure } from './measure.ts'

const IN_FLIGHT = [1, 16]
const CONTENDERS = [10, 100]
const KEY = '/locks/contended'
const LEASE_SECONDS = 30
/** Pauses between the tries of etcd3's lock are drawn evenly from zero to this, in milliseconds. */
const TRY_PAUSE_MS_MAX = 50
/** Rounds of `effort.roundMs` that a contention lasts. */
const CONTENTION_ROUNDS = 20

/** Gets a lock and gives it back. */
interface Contender {
  acquire(): Promise<() => Promise<unknown>>
  close(): Promise<void>
}

/** Measures reads, writes and locks on one member of etcd that is started for it, with its data on a disk. */
export async function* measureEtcd(effort: Effort): AsyncGenerator<Figure> {
  const cluster = await startEtcd(1, { onDisk: true })
  try {
    const [url = ''] = cluster.urls
    yield* measureOperations(url, effort)
    for (const contenders of CONTENDERS) {
      const backend = etcd(url)
      yield* contend('etcd FairLock', () => openOurs(backend), contenders, effort)
      yield* contend('etcd3 lock', () => openTheirs(url), contenders, effort)
    }
  } finally {
    await cluster.close()
  }
}

async function* measureOperations(url: string, effort: Effort): AsyncGenerator<Figure> {
  await using client = await connect(etcd(url))
  await client.makePath('/bench/n')
  for (const inFlight of IN_FLIGHT) {
    yield await measureRate('etcd get', () => client.get('/bench/n'), { effort, inFlight })
    yield await measureRate('etcd set', () => client.set('/bench/n', 'x'), { effort, inFlight })
  }
  const lock = new FairLock(client, '/locks/free')
  const cycle = async (): Promise<void> => (await lock.acquire()).release()
  yield await measureRate('etcd FairLock cycle', cycle, { effort, inFlight: 1 })
  const theirs = await openTheirs(url)
  const theirCycle = async (): Promise<unknown> => (await theirs.acquire())()
  yield await measureRate('etcd3 lock cycle', theirCycle, { effort, inFlight: 1 })
  await theirs.close()
}

async function openOurs(backend: Backend): Promise<Contender> {
  const client = await connect(backend)
  const lock = new FairLock(client, KEY)
  return {
    acquire: async () => {
      const lease = await lock.acquire()
      return () => lease.release()
    },
    close: () => client.close(),
  }
}

function openTheirs(url: string): Promise<Contender> {
  const client = new Etcd3({ hosts: url })
  const acquire = async (): Promise<() => Promise<unknown>> => {
    for (;;) {
      const lock = client.lock(KEY).ttl(LEASE_SECONDS)
      try {
        await lock.acquire()
        return () => lock.release()
      } catch (error) {
        if (!(error instanceof EtcdLockFailedError)) throw error
        await new Promise((resolve) => setTimeout(resolve, Math.random() * TRY_PAUSE_MS_MAX))
      }
    }
  }
  return Promise.resolve({
    acquire,
    close: () => {
      client.close()
      return Promise.resolve()
    },
  })
}

/** Everybody acquires and releases, again and again, with no pause between; every contender has its own session. */
async function* contend(
  name: string,
  open: () => Promise<Contender>,
  contenders: number,
  effort: Effort,
): AsyncGenerator<Figure> {
  const all = await Promise.all(Array.from({ length: contenders }, open))
  const waits: number[] = []
  const turns = all.map(() => 0)
  let [handOvers, owner, isOver] = [0, -1, false]
  const run = async (contender: Contender, index: number): Promise<void> => {
    while (!isOver) {
      const calledAtMs = performance.now()
      const release = await contender.acquire()
      waits.push(performance.now() - calledAtMs)
      if (owner !== index) handOvers += 1
      owner = index
      turns[index] = (turns[index] ?? 0) + 1
      await release()
    }
  }
  const running = all.map(run)
  await new Promise((resolve) => setTimeout(resolve, effort.warmUpMs))
  waits.length = 0
  const [before, startMs] = [handOvers, performance.now()]
  await new Promise((resolve) => setTimeout(resolve, effort.roundMs * CONTENTION_ROUNDS))
  const value = ((handOvers - before) * 1_000) / (performance.now() - startMs)
  const { p50Ms, p99Ms } = percentiles(waits)
  isOver = true
  await Promise.all(running)
  yield { figure: `${name} hand-over`, size: contenders, unit: 'ops/s', value, p50Ms, p99Ms }
  await Promise.all(all.map((contender) => contender.close()))
}
