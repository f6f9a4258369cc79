/**
 * Watches beyond the matrix: their place among the replies, several on one path, unwatch, and broken connections.
 */
import type { Session, WatchEvent } from '../../core/backend.ts'
import { bytes, recorder, settle, steps, text } from './case.ts'
import type { Case, BackendWorld } from './case.ts'
import { equal, ok } from './expect.ts'

const ROUNDS = 20

const orderCases: readonly Case<BackendWorld>[] = [
  {
    name: 'an event comes before the reply of a read that was sent behind the change',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      for (let round = 0; round < ROUNDS; round++) {
        const log: string[] = []
        await session.get(path, () => void log.push('event'))
        const calls = [session.set(path, bytes(`${round}`), -1), session.get(path).then(() => log.push('reply'))]
        await Promise.all(calls)
        equal(log, ['event', 'reply'], `order in round ${round}`)
      }
    },
  },
  {
    name: 'an event comes before the first reply that shows what another session changed',
    run: async (world) => {
      const [watcher, writer] = [await world.open(), await world.open()]
      const path = await world.node(writer, 'n')
      await watcher.sync(path)
      for (let round = 0; round < ROUNDS; round++) {
        const { watch, events } = recorder()
        const { stat } = await watcher.get(path, watch)
        const written = writer.set(path, bytes(`${round}`), -1)
        await world.readUntil(async () => (await watcher.get(path)).stat.version > stat.version)
        equal(events, [{ type: 'changed', path }], 'events at the first reply that shows the new version')
        await written
      }
    },
  },
  {
    name: 'a children event comes before the first list that shows the change',
    run: async (world) => {
      const [watcher, writer] = [await world.open(), await world.open()]
      await watcher.sync(world.base)
      for (let round = 0; round < ROUNDS; round++) {
        const { watch, events } = recorder()
        await watcher.children(world.base, watch)
        const written = world.node(writer, `n${round}`)
        await world.readUntil(async () => (await watcher.children(world.base)).names.length > round)
        equal(events, [{ type: 'children', path: world.base }], 'events at the first list that shows the node')
        await written
      }
    },
  },
  {
    name: 'events come in the order of the changes',
    run: async (world) => {
      const [watcher, writer] = [await world.open(), await world.open()]
      const paths = await Promise.all(Array.from({ length: ROUNDS }, (_, index) => world.node(writer, `n${index}`)))
      await watcher.sync(world.base)
      const { watch, events } = recorder()
      await Promise.all(paths.map((path) => watcher.get(path, watch)))
      const shuffled = [...paths].reverse()
      await Promise.all(shuffled.map((path) => writer.set(path, bytes('new'), -1)))
      await settle(watcher)
      equal(events.map(({ path }) => path), shuffled, 'paths of the events')
    },
  },
  {
    name: 'a watcher that reads and watches again misses no last state',
    run: async (world) => {
      const [watcher, writer] = [await world.open(), await world.open()]
      const path = await world.node(writer, 'n', '0')
      await watcher.sync(path)
      let seen = ''
      const look = async (): Promise<void> => {
        seen = text((await watcher.get(path, () => void look())).data)
      }
      await look()
      for (let round = 1; round <= ROUNDS; round++) await writer.set(path, bytes(`${round}`), -1)
      await world.eventually(() => seen === `${ROUNDS}`, 'the last value is seen')
    },
  },
]

const callbackCases: readonly Case<BackendWorld>[] = [
  {
    name: 'several watchers of one path are each called once',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      const [first, second] = [recorder(), recorder()]
      await session.get(path, first.watch)
      await session.exists(path, second.watch)
      await session.set(path, bytes('new'), -1)
      await settle(session)
      equal([first.events.length, second.events.length], [1, 1], 'calls')
    },
  },
  {
    name: 'one function is called once for each read that armed it',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      const { watch, events } = recorder()
      await session.get(path, watch)
      await session.get(path, watch)
      await session.children(path, watch)
      await session.delete(path, -1)
      await settle(session)
      const deleted: WatchEvent = { type: 'deleted', path }
      equal(events, [deleted, deleted, deleted], 'events')
    },
  },
  {
    name: 'a watcher that throws is reported and harms no other',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      const thrown = new Error('a watcher of the test')
      await session.get(path, () => {
        throw thrown
      })
      const { watch, events } = recorder()
      await session.get(path, watch)
      await session.set(path, bytes('new'), -1)
      await settle(session)
      equal(events.length, 1, 'events of the other watcher')
      ok(world.takeErrors().includes(thrown), 'onError gets what a watcher throws')
    },
  },
  {
    name: 'the end of an ephemeral node fires the watches on it and on its parent',
    run: async (world) => {
      const [owner, watcher] = [await world.open(), await world.open()]
      const { path } = await owner.create(world.path('e'), bytes(''), { mode: 'ephemeral' })
      await watcher.sync(path)
      const [onNode, onParent] = [recorder(), recorder()]
      await watcher.get(path, onNode.watch)
      await watcher.children(world.base, onParent.watch)
      await owner.close()
      await settle(watcher)
      equal(onNode.events, [{ type: 'deleted', path }], 'events of the node')
      equal(onParent.events, [{ type: 'children', path: world.base }], 'events of the parent')
    },
  },
]

const unwatchCases: readonly Case<BackendWorld>[] = [
  {
    name: 'unwatch drops one function from every read of one path, and nothing else',
    run: async (world) => {
      const session = await world.open()
      const [path, otherPath] = [await world.node(session, 'n'), await world.node(session, 'other')]
      const [dropped, kept] = [recorder(), recorder()]
      await session.get(path, dropped.watch)
      await session.exists(path, dropped.watch)
      await session.children(path, dropped.watch)
      await session.get(otherPath, dropped.watch)
      await session.get(path, kept.watch)
      session.unwatch(path, dropped.watch)
      session.unwatch(path, dropped.watch)
      session.unwatch(path, () => undefined)
      for (const changed of [path, otherPath]) await session.set(changed, bytes('new'), -1)
      await session.delete(path, -1)
      await settle(session)
      equal(dropped.events, [{ type: 'changed', path: otherPath }], 'events of the function that was dropped')
      equal(kept.events, [{ type: 'changed', path }], 'events of the function that was kept')
    },
  },
  {
    name: 'unwatch drops a function whose read is still on the way',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      const { watch, events } = recorder()
      const reading = session.get(path, watch)
      session.unwatch(path, watch)
      await reading
      await session.set(path, bytes('new'), -1)
      await settle(session)
      equal(events, [], 'events')
    },
  },
  {
    name: 'a function that was dropped can be armed again',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      const { watch, events } = recorder()
      await session.get(path, watch)
      session.unwatch(path, watch)
      await session.get(path, watch)
      await session.set(path, bytes('new'), -1)
      await settle(session)
      equal(events, [{ type: 'changed', path }], 'events')
    },
  },
]

const brokenConnectionCases: readonly Case<BackendWorld>[] = [
  {
    name: 'watches outlive a broken connection and fire for what changes behind it, once',
    needs: ['disconnect'],
    run: async (world) => {
      const [watcher, writer] = [await world.open(), await world.open()]
      const watched = await armAll(world, watcher, writer)
      await world.disconnect(watcher)
      await world.reconnect(watcher)
      await settle(watcher)
      equal(watched.events(), {}, 'events of a reconnect without changes')
      await watched.change()
      await settle(watcher)
      equal(watched.events(), watched.expected, 'events after the changes')
      await watched.changeBack()
      await settle(watcher)
      equal(watched.events(), watched.expected, 'events after more changes')
    },
  },
  {
    name: 'watches fire for what changed while the connection was broken',
    needs: ['disconnect'],
    run: async (world) => {
      const [watcher, writer] = [await world.open(), await world.open()]
      const watched = await armAll(world, watcher, writer)
      await world.disconnect(watcher)
      await watched.change()
      await world.reconnect(watcher)
      await settle(watcher)
      equal(watched.events(), watched.expected, 'events after the reconnect')
      await watched.changeBack()
      await settle(watcher)
      equal(watched.events(), watched.expected, 'events after more changes')
    },
  },
  {
    name: 'each watch fires once, at whatever step of a change the connection breaks',
    needs: ['disconnect'],
    run: async (world) => {
      const [watcher, writer] = [await world.open(), await world.open()]
      for (let round = 0; round < ROUNDS; round++) {
        const watched = await armAll(world, watcher, writer)
        const [changeStep, breakStep] = round % 2 === 0 ? [0, round] : [round, 0]
        const changed = steps(changeStep).then(() => watched.change())
        const broken = steps(breakStep).then(() => world.disconnect(watcher))
        await Promise.all([changed, broken])
        await world.reconnect(watcher)
        await settle(watcher)
        equal(watched.events(), watched.expected, `events in round ${round}`)
      }
    },
  },
  {
    name: 'a watch that was dropped while the connection was broken stays dropped',
    needs: ['disconnect'],
    run: async (world) => {
      const [watcher, writer] = [await world.open(), await world.open()]
      const path = await world.node(writer, 'n')
      await watcher.sync(path)
      const { watch, events } = recorder()
      await watcher.get(path, watch)
      await world.disconnect(watcher)
      watcher.unwatch(path, watch)
      await world.reconnect(watcher)
      await writer.set(path, bytes('new'), -1)
      await settle(watcher)
      equal(events, [], 'events')
    },
  },
]

/** Cases about watches, but the matrix. */
export const watchCases: readonly Case<BackendWorld>[] = [
  ...orderCases,
  ...callbackCases,
  ...unwatchCases,
  ...brokenConnectionCases,
]

interface Watched {
  /** The events that each watch must have got after `change`, by the name of its node. */
  readonly expected: Readonly<Record<string, readonly string[]>>
  /** The events that they got. */
  events(): Readonly<Record<string, readonly string[]>>
  /** Fires each of them. */
  change(): Promise<unknown>
  /** Would fire each of them again. */
  changeBack(): Promise<unknown>
}

/** Arms one watch of each kind, on nodes of their own. */
async function armAll(world: BackendWorld, watcher: Session, writer: Session): Promise<Watched> {
  const told: Record<string, string[]> = {}
  const record = (name: string) => (event: WatchEvent): void => void (told[name] ??= []).push(event.type)
  const folder = crypto.randomUUID()
  await world.node(writer, folder)
  const names = ['changed', 'deleted', 'children'] as const
  const [changed, deleted, parent] = await Promise.all(names.map((name) => world.node(writer, `${folder}/${name}`)))
  const missing = world.path(`${folder}/missing`)
  ok(changed !== undefined && deleted !== undefined && parent !== undefined, 'three nodes were made')
  await watcher.sync(world.base)
  await watcher.get(changed, record('changed'))
  await watcher.get(deleted, record('deleted'))
  await watcher.children(parent, record('children'))
  await watcher.exists(missing, record('missing'))
  const create = (path: string): Promise<unknown> => writer.create(path, bytes(''), { mode: 'persistent' })
  return {
    expected: { changed: ['changed'], deleted: ['deleted'], children: ['children'], missing: ['created'] },
    events: () => told,
    change: () => {
      const writes = [writer.set(changed, bytes('new'), -1), writer.delete(deleted, -1)]
      return Promise.all([...writes, create(`${parent}/c`), create(missing)])
    },
    changeBack: () => {
      const writes = [writer.delete(changed, -1), create(deleted), writer.delete(`${parent}/c`, -1)]
      return Promise.all([...writes, writer.delete(missing, -1)])
    },
  }
}
