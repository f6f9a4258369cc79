/**
 * Every operation of a session, each on a node of its own, so that it can be called in any state of the session and be
 * looked at afterwards: was it done, and does its watch fire?
 */
import type { CreateMode, Session, Stat, WatchEvent, Watcher } from '../../core/backend.ts'
import { bytes, recorder, settle } from './case.ts'
import type { BackendWorld } from './case.ts'
import { equal, ok } from './expect.ts'

/** An operation, in a form that can be called on any node that is there. */
interface EveryOperation {
  /** The operation, in a word or a few. */
  readonly name: string
  /** Its effect on the node: one that can be seen in its stat, or none. */
  readonly effect: 'change' | 'none'
  /** Whether it takes a watch along. */
  readonly hasWatch: boolean
  readonly call: (session: Session, path: string, watch: Watcher) => Promise<unknown>
}

/** An operation and the node that it is called on. */
export interface Target extends EveryOperation {
  /** A node that is there, without data, children or changes. */
  readonly path: string
  readonly watch: Watcher
  /** The events that its watch got. */
  readonly events: readonly WatchEvent[]
}

/** A call that has ended. */
export interface Ended {
  readonly target: Target
  /** The error it rejected with, or null if it was answered. */
  readonly error: unknown
}

const TTL_MS = 3_600_000
const READS = ['get', 'exists', 'children'] as const
const EMPTY = bytes('')

/** Makes a node for each operation that the engine has. */
export async function makeTargets(
  world: BackendWorld,
  session: Session,
  name = 'target',
): Promise<readonly Target[]> {
  return Promise.all(
    operationsOf(world).map(async (operation, index) => {
      return { ...operation, ...recorder(), path: await world.node(session, `${name}-${index}`) }
    }),
  )
}

/** Calls each operation, in order and without waiting; returns their results when all have ended. */
export function callAll(session: Session, targets: readonly Target[]): Promise<readonly Ended[]> {
  return Promise.all(
    targets.map((target) =>
      target.call(session, target.path, target.watch).then(
        () => ({ target, error: null }),
        (error: unknown) => ({ target, error }),
      ),
    ),
  )
}

/** The targets whose nodes were changed, as another session sees them. */
export async function changedTargets(session: Session, targets: readonly Target[]): Promise<ReadonlySet<Target>> {
  await session.sync('/')
  const stats = await Promise.all(targets.map(({ path }) => session.exists(path)))
  return new Set(targets.filter((_, index) => wasChanged(stats[index] ?? null)))
}

/** Asserts that no operation took effect, and that no watch was armed: another session changes what they watch. */
export async function assertNothingDone(world: BackendWorld, targets: readonly Target[], when: string): Promise<void> {
  const other = await world.open()
  const changed = [...(await changedTargets(other, targets))].map(({ name }) => name)
  equal(changed, [], `operations that took effect, called ${when}`)
  await fireWatches(other, targets)
  for (const { name, events } of targets) equal(events, [], `events of ${name}, called ${when}`)
}

/** Changes what the watches of targets are on. */
export async function fireWatches(session: Session, targets: readonly Target[]): Promise<void> {
  for (const { hasWatch, path } of targets) {
    if (!hasWatch) continue
    await session.set(path, bytes('new'), -1)
    await session.create(`${path}/new`, EMPTY, { mode: 'persistent' })
  }
  await settle(session)
}

/** Asserts that a call ended as its effect says: what was answered is done, and what was not sent is not. */
export function assertHonest({ target, error }: Ended, outcome: string, isChanged: boolean): void {
  const { name, effect } = target
  if (error === null) equal(isChanged, effect === 'change', `effect of ${name}, which was answered`)
  else if (outcome !== 'unknown') ok(!isChanged, `${name}, told as ${outcome}, was not done`)
}

/** Outcomes that a call may tell if it was on its way when the session came to an end. */
export function outcomesInFlight({ effect, name }: Target, otherwise: string): readonly string[] {
  const isWrite = effect === 'change' || name.startsWith('multi')
  return isWrite ? [otherwise, 'unknown'] : [otherwise]
}

function operationsOf({ backend }: BackendWorld): readonly EveryOperation[] {
  const { containers, ttlGranularityMs } = backend.capabilities
  const modes: readonly CreateMode[] = [
    ...(['persistent', 'ephemeral', 'persistent-sequential', 'ephemeral-sequential'] as const),
    ...(containers ? (['container'] as const) : []),
    ...(ttlGranularityMs === null ? [] : (['persistent-with-ttl'] as const)),
  ]
  return [...modes.map(createOf), ...READS.flatMap(readsOf), ...OTHERS.map(([name, effect, call]) => {
    return { name, effect, call, hasWatch: false }
  })]
}

const OTHERS: readonly (readonly [string, EveryOperation['effect'], EveryOperation['call']])[] = [
  ['set', 'change', (session, path) => session.set(path, bytes('x'), -1)],
  ['sync', 'none', (session, path) => session.sync(path)],
  ['multi of a check', 'none', (session, path) => session.multi([{ type: 'check', path, version: -1 }])],
  ['multi of a set', 'change', (session, path) => {
    return session.multi([{ type: 'set', path, data: bytes('x'), version: -1 }])
  }],
  ['multi of a create', 'change', (session, path) => {
    return session.multi([{ type: 'create', path: `${path}/c`, data: EMPTY, mode: 'persistent' }])
  }],
  ['multi of a delete', 'change', (session, path) => session.multi([{ type: 'delete', path, version: -1 }])],
  ['delete', 'change', (session, path) => session.delete(path, -1)],
]

function createOf(mode: CreateMode): EveryOperation {
  const options = { mode, ...(mode === 'persistent-with-ttl' ? { ttlMs: TTL_MS } : {}) }
  const call: EveryOperation['call'] = (session, path) => session.create(`${path}/c`, EMPTY, options)
  return { name: `create (${mode})`, effect: 'change', hasWatch: false, call }
}

function readsOf(kind: (typeof READS)[number]): readonly EveryOperation[] {
  return [
    { name: kind, effect: 'none', hasWatch: false, call: (session, path) => session[kind](path) },
    {
      name: `${kind} with a watch`,
      effect: 'none',
      hasWatch: true,
      call: (session, path, watch) => session[kind](path, watch),
    },
  ]
}

/** A child that was made and is gone counts too: the count of changes stays. */
function wasChanged(stat: Stat | null): boolean {
  return stat === null || stat.version > 0 || stat.cversion > 0
}
