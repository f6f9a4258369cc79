/**
 * Order: first come, first served within a session; one order of writes for all; reads that do not go back.
 */
import type { Session } from '../../core/backend.ts'
import { bytes, text } from './case.ts'
import type { Case, BackendWorld } from './case.ts'
import { equal, ok, rejection } from './expect.ts'

const PIPELINED = 50
const ROUNDS = 20
const REFUSED_EACH = 7

/** Cases about order. */
export const orderCases: readonly Case<BackendWorld>[] = [
  {
    name: 'writes that were sent without waiting take effect in the order of the calls',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      const numbers = Array.from({ length: PIPELINED }, (_, index) => index)
      const stats = await Promise.all(numbers.map((index) => session.set(path, bytes(`${index}`), index)))
      equal(stats.map(({ version }) => version), numbers.map((index) => index + 1), 'versions')
      const zxids = stats.map(({ mzxid }) => mzxid)
      equal(zxids, [...zxids].sort((a, b) => (a < b ? -1 : 1)), 'zxids')
      equal(text((await session.get(path)).data), `${PIPELINED - 1}`, 'data in the end')
    },
  },
  {
    name: 'calls are answered in the order in which they were made, refusals too',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      // One kind of call at a time: how many microtasks a kind takes to its caller is no order.
      const kinds = [
        (missing: boolean) => session.get(missing ? world.path('missing') : path),
        (missing: boolean) => session.set(missing ? world.path('missing') : path, bytes(''), -1),
      ]
      const indexes = Array.from({ length: PIPELINED }, (_, index) => index)
      for (const call of kinds) {
        const answered: number[] = []
        await Promise.all(
          indexes.map((index) => {
            const note = (): void => void answered.push(index)
            return call(index % REFUSED_EACH === 0).then(note, note)
          }),
        )
        equal(answered, indexes, 'order of the answers')
      }
    },
  },
  {
    name: 'a session reads what it wrote, even without waiting for the answer of the write',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      const reads: Promise<string>[] = []
      for (let round = 0; round < ROUNDS; round++) {
        void session.set(path, bytes(`${round}`), -1).catch(() => undefined)
        reads.push(session.get(path).then(({ data }) => text(data)))
      }
      equal(await Promise.all(reads), Array.from({ length: ROUNDS }, (_, index) => `${index}`), 'values read')
    },
  },
  {
    name: 'a write that is refused does not stop those behind it',
    run: async (world) => {
      const session = await world.open()
      const path = await world.node(session, 'n')
      const refused = rejection(session.set(path, bytes('no'), 77), 'a set of a wrong version')
      const behind = session.set(path, bytes('yes'), 0)
      await refused
      equal((await behind).version, 1, 'version after the set behind it')
    },
  },
  {
    name: 'after a sync a session reads every write that was acknowledged to anyone',
    run: async (world) => {
      const [writer, reader] = [await world.open(), await world.open()]
      const path = await world.node(writer, 'n')
      for (let round = 0; round < ROUNDS; round++) {
        const { version } = await writer.set(path, bytes(`${round}`), -1)
        const synced = reader.sync(path)
        const read = reader.get(path)
        await synced
        const seen = (await read).stat.version
        ok(seen >= version, `version ${seen}, read behind a sync, is not older than ${version}, written before it`)
      }
    },
  },
  {
    name: 'a sync of a path that does not exist is no error',
    run: async (world) => {
      const session = await world.open()
      await session.sync(world.path('missing'))
      equal(await session.exists(world.path('missing')), null, 'exists')
    },
  },
  {
    name: 'a session never reads an older state than it has read before',
    run: async (world) => {
      const [writer, reader] = [await world.open(), await world.open()]
      const path = await world.node(writer, 'n')
      await reader.sync(path)
      const writes = Array.from({ length: PIPELINED }, (_, index) => writer.set(path, bytes(`${index}`), -1))
      let last = -1
      await world.readUntil(async () => {
        const reads = await Promise.all(Array.from({ length: ROUNDS }, () => reader.get(path)))
        for (const { stat } of reads) {
          ok(stat.version >= last, `version ${stat.version} is not older than version ${last}, which was read before`)
          last = stat.version
        }
        return last === PIPELINED
      })
      await Promise.all(writes)
    },
  },
  {
    name: 'a write that starts when another was acknowledged has the greater zxid, whoever wrote',
    run: async (world) => {
      const sessions = [await world.open(), await world.open(), await world.open()]
      let last = 0n
      for (let round = 0; round < ROUNDS; round++) {
        const czxid = await createdZxid(sessions[round % sessions.length], world.path(`n${round}`))
        ok(czxid > last, `round ${round}: zxid ${czxid} is above ${last}`)
        last = czxid
      }
    },
  },
]

async function createdZxid(session: Session | undefined, path: string): Promise<bigint> {
  ok(session !== undefined, 'there is a session')
  return (await session.create(path, bytes(''), { mode: 'persistent' })).stat.czxid
}
