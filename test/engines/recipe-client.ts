/**
 * A client in a process of its own: it joins a group, follows a configuration, keeps a node and an instance of a
 * service, has its share of some items, takes two locks and leads, and plays all parts, as it is told.
 *
 * Use       node recipe-client.js URL NAME SESSION_TIMEOUT_MS NUMBER
 * Input     a word per line: `work` takes the locks in turns, `hold` takes and keeps them, `use` asks the leases of
 *           `hold` whether they are held, `count` counts on and on, `publish` publishes the next number, `play` plays
 *           the parts, `conclude` ends the work that comes to an end, `end` ends it
 * Output    an object per line: see {@link Told}
 */
import { createInterface } from 'node:readline'
import { connect, ConfigCenter, ExclusiveLock, FairLock, GroupMembership, isCoordinationError } from 'quorate'
import { AtomicCounter, LeaderElection } from 'quorate'
import { Partitioner, PersistentNode, ServiceRegistry, ServiceWatcher } from 'quorate'
import type { Backend, Client } from 'quorate'
import { etcd } from 'quorate/etcd'
import { redis } from 'quorate/redis'
import { zookeeper } from 'quorate/zookeeper'
import { Troupe } from '../backends/stories/troupe.ts'
import type { Line } from '../backends/stories/troupe.ts'

/** A line that a process prints. */
export type Told =
  | { readonly type: 'ready' }
  /** It took a lock and gave it back. */
  | { readonly type: 'round'; readonly lock: LockName; readonly token: string }
  | { readonly type: 'holding'; readonly lock: LockName; readonly token: string }
  /** The answer of its lease when it was used: `held`, or the code of the error. */
  | { readonly type: 'used'; readonly lock: LockName; readonly answer: string }
  | { readonly type: 'value'; readonly value: number }
  /** The number before a step that was confirmed, or null for one of which it is not known whether it was made. */
  | { readonly type: 'step'; readonly before: string | null }
  | { readonly type: 'members'; readonly ids: readonly string[] }
  | { readonly type: 'instances'; readonly ids: readonly string[] }
  /** The items that it owns. */
  | { readonly type: 'items'; readonly items: readonly string[] }
  /** A line of a part. */
  | { readonly type: 'line'; readonly line: Line }

/** The two locks, and the leadership. */
export type LockName = 'fair' | 'exclusive' | 'leader'

/** A lease or a leadership that is held. */
interface Held extends AsyncDisposable {
  readonly token: bigint
  throwIfLost(): void
}

/** A lock or an election. */
interface Lock {
  acquire(): Promise<Held>
}

/** Where everything is. */
export const PATHS = Object.freeze({
  fair: '/processes/fair',
  exclusive: '/processes/exclusive',
  leader: '/processes/leader',
  counter: '/processes/counter',
  config: '/processes/config',
  group: '/processes/group',
  nodes: '/processes/nodes',
  services: '/processes/services',
  shares: '/processes/shares',
})

/** How many items are shared out. */
export const ITEMS = 6

/** The number of the client that writes what the others follow. */
const LEAD = 1

const [, program = '', url = '', name = '', sessionTimeoutMs = '', number = ''] = process.argv
/** The test imports this module for its types and names. */
if (program.endsWith('recipe-client.js')) await main()

/** The backend that a URL means. */
export function backendOf(address: string): Backend {
  const [scheme, rest = ''] = address.split('://')
  if (scheme === 'zookeeper') return zookeeper(rest)
  if (scheme === 'etcd') return etcd(`http://${rest}`)
  return redis(address, { tickMs: 200 })
}

async function main(): Promise<void> {
  const client = await connect(backendOf(url), { sessionTimeoutMs: Number(sessionTimeoutMs), onError: () => undefined })
  const election = new LeaderElection(client, PATHS.leader, { id: name })
  const locks: Readonly<Record<LockName, Lock>> = {
    fair: new FairLock(client, PATHS.fair),
    exclusive: new ExclusiveLock(client, PATHS.exclusive),
    leader: { acquire: () => election.campaign() },
  }
  const config = new ConfigCenter<number>(client, PATHS.config)
  config.subscribe(({ value }) => {
    if (value !== undefined) tell({ type: 'value', value })
  })
  await followGroup(client)
  await keep(client)
  const names = ['fair', 'exclusive', 'leader'] as const
  const leases = new Map<LockName, Held>()
  let troupe: Troupe | null = null
  const commands: Readonly<Record<string, () => unknown>> = {
    work: () => names.map((lock) => takeInTurns(locks[lock], lock)),
    count: () => count(new AtomicCounter(client, PATHS.counter)),
    hold: () => Promise.all(names.map(async (lock) => leases.set(lock, await hold(locks[lock], lock)))),
    use: () => names.map((lock) => use(lock, leases.get(lock))),
    publish: () => config.publish((config.current ?? 0) + 1),
    play: () => {
      troupe = new Troupe(client, { who: Number(number), lead: LEAD }, (line) => tell({ type: 'line', line }))
    },
    conclude: () => troupe?.conclude(),
    end: () => client.close().then(() => process.exit(0)),
  }
  createInterface({ input: process.stdin }).on('line', (word) => void commands[word]?.())
  tell({ type: 'ready' })
}

async function followGroup(client: Client): Promise<void> {
  const group = new GroupMembership(client, PATHS.group)
  group.subscribe(({ members }) => tell({ type: 'members', ids: members.map(({ id }) => id).sort() }))
  await group.join(name)
}

async function keep(client: Client): Promise<void> {
  await PersistentNode.open(client, `${PATHS.nodes}/${name}`, name)
  await new ServiceRegistry(client, PATHS.services).register('api', { id: name })
  new ServiceWatcher(client, PATHS.services, 'api').subscribe(({ instances }) => {
    tell({ type: 'instances', ids: instances.map(({ id }) => id).sort() })
  })
  const partitioner = new Partitioner(client, PATHS.shares, { id: name, count: ITEMS })
  partitioner.subscribe(({ assignments }) => tell({ type: 'items', items: [...assignments.keys()] }))
  await partitioner.start()
}

async function takeInTurns(lock: Lock, lockName: LockName): Promise<void> {
  for (;;) {
    try {
      await using lease = await lock.acquire()
      lease.throwIfLost()
      tell({ type: 'round', lock: lockName, token: String(lease.token) })
    } catch (error) {
      if (isCoordinationError(error, 'CLIENT_CLOSED')) return
      if (!isCoordinationError(error)) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

async function count(counter: AtomicCounter): Promise<void> {
  for (;;) {
    try {
      tell({ type: 'step', before: String((await counter.add(1)).before) })
    } catch (error) {
      if (isCoordinationError(error, 'CLIENT_CLOSED')) return
      if (!isCoordinationError(error)) throw error
      if (error.outcome === 'unknown') tell({ type: 'step', before: null })
    }
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

async function hold(lock: Lock, lockName: LockName): Promise<Held> {
  const lease = await lock.acquire()
  tell({ type: 'holding', lock: lockName, token: String(lease.token) })
  return lease
}

function use(lock: LockName, lease: Held | undefined): void {
  let answer = 'held'
  try {
    lease?.throwIfLost()
  } catch (error) {
    answer = isCoordinationError(error) ? error.code : String(error)
  }
  tell({ type: 'used', lock, answer })
}

function tell(told: Told): void {
  process.stdout.write(`${JSON.stringify(told)}\n`)
}
