/**
 * Ephemeral nodes: they live exactly as long as their session.
 */
import type { Session } from '../../core/backend.ts'
import { bytes, recorder, settle } from './case.ts'
import type { Case, BackendWorld } from './case.ts'
import { equal, ok } from './expect.ts'

const EPHEMERALS = 5

/** Cases about ephemeral nodes. */
export const ephemeralCases: readonly Case<BackendWorld>[] = [
  {
    name: 'an ephemeral node names its owner to everyone',
    run: async (world) => {
      const [owner, other] = [await world.open(), await world.open()]
      const { path, stat } = await owner.create(world.path('e'), bytes(''), { mode: 'ephemeral' })
      equal(stat.ephemeralOwner, owner.id, 'ephemeralOwner as it was made')
      await other.sync(path)
      equal((await other.exists(path))?.ephemeralOwner, owner.id, 'ephemeralOwner as another session reads it')
    },
  },
  {
    name: 'a close removes the ephemeral nodes of its session, and no others',
    run: async (world) => {
      const [leaving, staying] = [await world.open(), await world.open()]
      await leaving.create(world.path('gone'), bytes(''), { mode: 'ephemeral' })
      await leaving.create(world.path('gone-'), bytes(''), { mode: 'ephemeral-sequential' })
      await leaving.create(world.path('kept'), bytes(''), { mode: 'persistent' })
      await staying.create(world.path('other'), bytes(''), { mode: 'ephemeral' })
      await leaving.close()
      await staying.sync(world.base)
      equal((await staying.children(world.base)).names, ['kept', 'other'], 'names after the close')
    },
  },
  {
    name: 'the ephemeral nodes of a session go in one step that nobody can look into',
    run: async (world) => {
      const [leaving, watcher] = [await world.open(), await world.open()]
      await makeEphemerals(leaving, world)
      await watcher.sync(world.base)
      const { watch, events } = recorder()
      equal((await watcher.children(world.base, watch)).names.length, EPHEMERALS, 'names before')
      const counts = new Set<number>()
      const closed = leaving.close()
      await world.readUntil(async () => {
        counts.add((await watcher.children(world.base)).names.length)
        return events.length > 0
      })
      counts.add((await watcher.children(world.base)).names.length)
      await closed
      const seen = [...counts]
      ok(seen.every((count) => count === 0 || count === EPHEMERALS), `all or none were seen (${seen.join()})`)
    },
  },
  {
    name: 'another session may set and delete an ephemeral node, and its owner lives on',
    run: async (world) => {
      const [owner, other] = [await world.open(), await world.open()]
      const { path } = await owner.create(world.path('e'), bytes(''), { mode: 'ephemeral' })
      equal((await other.set(path, bytes('x'), -1)).ephemeralOwner, owner.id, 'owner after the set')
      await other.delete(path, -1)
      await settle(owner)
      equal(await owner.exists(path), null, 'exists after the delete')
      const again = await owner.create(path, bytes(''), { mode: 'ephemeral' })
      equal(again.stat.ephemeralOwner, owner.id, 'owner of the node that was made again')
    },
  },
  {
    name: 'the close of a session does not remove a node that another one made in the same place',
    run: async (world) => {
      const [first, second] = [await world.open(), await world.open()]
      const { path } = await first.create(world.path('e'), bytes(''), { mode: 'ephemeral' })
      await second.delete(path, -1)
      await second.create(path, bytes('mine'), { mode: 'ephemeral' })
      await first.close()
      await settle(second)
      equal((await second.exists(path))?.ephemeralOwner, second.id, 'owner after the close of the first')
    },
  },
  {
    name: 'an expiry removes the ephemeral nodes of its session, and no others',
    needs: ['expire'],
    run: async (world) => {
      const [lost, other] = [await world.open(), await world.open()]
      await makeEphemerals(lost, world)
      await other.create(world.path('other'), bytes(''), { mode: 'ephemeral' })
      await world.expire(lost)
      await other.sync(world.base)
      equal((await other.children(world.base)).names, ['other'], 'names after the expiry')
    },
  },
  {
    name: 'ephemeral nodes outlive a broken connection',
    needs: ['disconnect'],
    run: async (world) => {
      const [owner, other] = [await world.open(), await world.open()]
      const { path } = await owner.create(world.path('e'), bytes(''), { mode: 'ephemeral' })
      await world.disconnect(owner)
      await other.sync(path)
      equal((await other.exists(path))?.ephemeralOwner, owner.id, 'owner while the connection is broken')
      await world.reconnect(owner)
      equal((await owner.exists(path))?.ephemeralOwner, owner.id, 'owner after the reconnect')
    },
  },
]

async function makeEphemerals(session: Session, world: BackendWorld): Promise<void> {
  const names = Array.from({ length: EPHEMERALS }, (_, index) => world.path(`e${index}`))
  await Promise.all(names.map((path) => session.create(path, bytes(''), { mode: 'ephemeral' })))
}
