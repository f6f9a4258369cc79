/**
 * Optional capabilities: each case holds for engines that have them, and asserts that the others refuse.
 */
import type { Capabilities, CreateOptions, Session } from '../../core/backend.ts'
import { bytes } from './case.ts'
import type { Case, BackendWorld } from './case.ts'
import { equal, ok, rejects } from './expect.ts'

const TTL_MIN_MS = 20
const TTL_LONG_MS = 3_600_000

/** Cases about optional abilities of an engine. */
export const capabilityCases: readonly Case<BackendWorld>[] = [
  {
    name: 'the engine says what it can give',
    run: async ({ backend: { capabilities, name } }) => {
      ok(name.length > 0, 'the backend has a name')
      ok(['disk', 'memory', 'best-effort'].includes(capabilities.durability), 'durability is one of the three')
      ok(capabilities.dataBytesMax > 0, 'dataBytesMax is a number of bytes above 0')
      const { ttlGranularityMs } = capabilities
      ok(ttlGranularityMs === null || ttlGranularityMs > 0, 'ttlGranularityMs is above 0, or null')
    },
  },
  {
    name: 'a container takes children like any node, or is refused with UNSUPPORTED',
    lacks: lacksContainers,
    run: async (world) => {
      const session = await world.open()
      if (await refusedContainer(world, session)) return
      const { path, stat } = await session.create(world.path('box'), bytes('x'), { mode: 'container' })
      equal(stat.ephemeralOwner, 0n, 'owner of a container')
      const child = await session.create(`${path}/c`, bytes(''), { mode: 'ephemeral' })
      equal(child.stat.ephemeralOwner, session.id, 'owner of its child')
      equal((await session.children(path)).names, ['c'], 'names')
      await rejects(session.delete(path, -1), { code: 'NOT_EMPTY' }, 'a delete of a container with a child')
    },
  },
  {
    name: 'a container goes after its last child and not before its first, or is refused with UNSUPPORTED',
    needs: ['reap'],
    lacks: lacksContainers,
    run: async (world) => {
      const session = await world.open()
      if (await refusedContainer(world, session)) return
      for (const name of ['emptied', 'unused', 'full']) {
        await session.create(world.path(name), bytes(''), { mode: 'container' })
      }
      await world.node(session, 'emptied/c')
      await world.node(session, 'full/c')
      await session.delete(world.path('emptied/c'), -1)
      await world.eventually(() => reaped(world, session, 'emptied'), 'the container that became empty is removed')
      equal((await session.children(world.base)).names, ['full', 'unused'], 'names that are left')
    },
  },
  {
    name: 'a node with a time to live is one like any other before, or is refused with UNSUPPORTED',
    lacks: lacksTtl,
    run: async (world) => {
      const session = await world.open()
      const options: CreateOptions = { mode: 'persistent-with-ttl', ttlMs: TTL_LONG_MS }
      if (await refusedTtl(world, session, options)) return
      const { path, stat } = await session.create(world.path('n'), bytes('x'), options)
      equal(stat.ephemeralOwner, 0n, 'owner')
      await world.node(session, 'n/c')
      equal((await session.children(path)).names, ['c'], 'names')
    },
  },
  {
    name: 'a node goes after its time to live and not with children, or is refused with UNSUPPORTED',
    needs: ['reap'],
    lacks: lacksTtl,
    run: async (world) => {
      const session = await world.open()
      const ttlMs = Math.max(TTL_MIN_MS, world.backend.capabilities.ttlGranularityMs ?? 0)
      const options: CreateOptions = { mode: 'persistent-with-ttl', ttlMs }
      if (await refusedTtl(world, session, options)) return
      // At once: its time could be over before it has a child.
      await session.multi([
        { type: 'create', path: world.path('parent'), data: bytes(''), ...options },
        { type: 'create', path: world.path('parent/c'), data: bytes(''), mode: 'persistent' },
      ])
      await session.create(world.path('long'), bytes(''), { mode: 'persistent-with-ttl', ttlMs: TTL_LONG_MS })
      await session.create(world.path('short'), bytes(''), options)
      await world.eventually(() => reaped(world, session, 'short'), 'the node whose time is over is removed')
      equal((await session.children(world.base)).names, ['long', 'parent'], 'names that are left')
    },
  },
]

function lacksContainers({ containers }: Capabilities): string | null {
  return containers ? null : 'no container nodes'
}

function lacksTtl({ ttlGranularityMs }: Capabilities): string | null {
  return ttlGranularityMs === null ? 'no time to live' : null
}

async function reaped(world: BackendWorld, session: Session, name: string): Promise<boolean> {
  await world.control.reap?.()
  await session.sync(world.base)
  return (await session.exists(world.path(name))) === null
}

async function refusedContainer(world: BackendWorld, session: Session): Promise<boolean> {
  if (lacksContainers(world.backend.capabilities) === null) return false
  const call = session.create(world.path('box'), bytes(''), { mode: 'container' })
  await rejects(call, { code: 'UNSUPPORTED' }, 'a container on an engine without')
  return true
}

async function refusedTtl(world: BackendWorld, session: Session, options: CreateOptions): Promise<boolean> {
  if (lacksTtl(world.backend.capabilities) === null) return false
  const call = session.create(world.path('n'), bytes(''), options)
  await rejects(call, { code: 'UNSUPPORTED' }, 'a time to live on an engine without')
  return true
}
