/**
 * Sequential nodes: the number is the parent's count of children ever created.
 */
import type { Session } from '../../core/backend.ts'
import { bytes } from './case.ts'
import type { Case, BackendWorld } from './case.ts'
import { equal, rejection } from './expect.ts'

const CONTENDERS = 3
const CREATES = 10

/** Cases about the numbers of sequential nodes. */
export const sequenceCases: readonly Case<BackendWorld>[] = [
  {
    name: 'a sequential node gets ten digits, counted from 0',
    run: async (world) => {
      const session = await world.open()
      const paths = [await sequential(session, world.path('s-')), await sequential(session, world.path('s-'))]
      equal(paths, [world.path('s-0000000000'), world.path('s-0000000001')], 'paths')
      equal((await session.children(world.base)).names, ['s-0000000000', 's-0000000001'], 'names')
    },
  },
  {
    name: 'the name before the number may be empty',
    run: async (world) => {
      const session = await world.open()
      equal(await sequential(session, `${world.base}/`), world.path('0000000000'), 'path')
    },
  },
  {
    name: 'ephemeral and persistent ones, whatever their names, share one count',
    run: async (world) => {
      const session = await world.open()
      equal(await sequential(session, world.path('a-')), world.path('a-0000000000'), 'the first')
      const { path, stat } = await session.create(world.path('b-'), bytes(''), { mode: 'ephemeral-sequential' })
      equal([path, stat.ephemeralOwner], [world.path('b-0000000001'), session.id], 'the second, ephemeral')
    },
  },
  {
    name: 'every create of a child counts, of whatever kind; a grandchild does not',
    run: async (world) => {
      const session = await world.open()
      await world.node(session, 'plain')
      await session.create(world.path('ephemeral'), bytes(''), { mode: 'ephemeral' })
      await world.node(session, 'plain/grandchild')
      equal(await sequential(session, world.path('s-')), world.path('s-0000000002'), 'path')
    },
  },
  {
    name: 'a create that was refused does not count',
    run: async (world) => {
      const session = await world.open()
      await world.node(session, 'n')
      await rejection(session.create(world.path('n'), bytes(''), { mode: 'persistent' }), 'a second create')
      await rejection(
        session.multi([
          { type: 'create', path: world.path('m-'), data: bytes(''), mode: 'persistent-sequential' },
          { type: 'check', path: world.path('missing'), version: -1 },
        ]),
        'a multi that fails',
      )
      equal(await sequential(session, world.path('s-')), world.path('s-0000000001'), 'path')
    },
  },
  {
    name: 'deletes do not set the count back',
    run: async (world) => {
      const session = await world.open()
      for (let i = 0; i < 3; i++) await session.delete(await sequential(session, world.path('s-')), -1)
      equal(await sequential(session, world.path('s-')), world.path('s-0000000003'), 'path')
    },
  },
  {
    name: 'a parent that is made again counts from 0 again',
    run: async (world) => {
      const session = await world.open()
      const parent = await world.node(session, 'parent')
      await session.delete(await sequential(session, `${parent}/s-`), -1)
      await session.delete(parent, -1)
      await world.node(session, 'parent')
      equal(await sequential(session, `${parent}/s-`), `${parent}/s-0000000000`, 'path')
    },
  },
  {
    name: 'sessions that create at once get each its own number, in the order of their zxids',
    run: async (world) => {
      const sessions = await Promise.all(Array.from({ length: CONTENDERS }, () => world.open()))
      const all = sessions.flatMap((session) => {
        return Array.from({ length: CREATES }, () => {
          return session.create(world.path('s-'), bytes(''), { mode: 'ephemeral-sequential' })
        })
      })
      const created = await Promise.all(all)
      created.sort((a, b) => (a.stat.czxid < b.stat.czxid ? -1 : 1))
      const expected = created.map((_, index) => world.path(`s-${String(index).padStart(10, '0')}`))
      equal(created.map(({ path }) => path), expected, 'paths in the order of their zxids')
    },
  },
]

async function sequential(session: Session, prefix: string): Promise<string> {
  return (await session.create(prefix, bytes(''), { mode: 'persistent-sequential' })).path
}
