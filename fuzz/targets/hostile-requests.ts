/**
 * Requests that no well-meaning client sends, many at once on one connection: xids that are equal, negative or
 * reserved, bodies that are cut, too long or of another operation.
 */
import { CreateFlag, OpCode, Perm, Xid } from '../../src/backends/wire/codes.ts'
import { OPEN_ACL } from '../../src/backends/wire/records.ts'
import type { MultiOperation, RequestBodies } from '../../src/backends/wire/records.ts'
import { Chance } from '../../test/differential/chance.ts'
import { RawClient } from '../../test/backends/embedded/host/clients/raw-client.ts'

/** Where the fuzzed requests make their nodes. */
export const FUZZ_ROOT = '/fuzz'

const BATCH_MAX = 40
/** Behind a batch: whatever comes before its answer is about the batch. */
const LAST_XID = 0x7ead_beef
/** Mostly one xid for all, so that many requests of it are in flight; now and then what means something else. */
const XIDS = [1, 1, 1, 1, 2, 0, Xid.notification, Xid.ping, Xid.auth, Xid.setWatches, 2 ** 31 - 1, -(2 ** 31)]
const PATHS = ['', '/', 'x', FUZZ_ROOT, `${FUZZ_ROOT}/a`, `${FUZZ_ROOT}/b`, `${FUZZ_ROOT}/a/c`, `${FUZZ_ROOT}//`, '/\0']
const FLAGS = [...Object.values(CreateFlag), 9, -1]
const ACLS = [
  OPEN_ACL,
  [],
  [{ perms: Perm.all, scheme: 'auth', id: '' }],
  [{ perms: Perm.read, scheme: 'digest', id: 'a:b' }, { perms: Perm.all, scheme: 'ip', id: '127.0.0.1/8' }],
  [{ perms: -1, scheme: 'nothing', id: ':::' }],
]

/** Writes requests under any xid. */
type Encoder = Pick<RawClient, 'encodeAs'>

type Bodies = { readonly [O in keyof RequestBodies]: (chance: Chance) => RequestBodies[O] }

const read = (chance: Chance) => ({ path: chance.pick(PATHS), watch: chance.is(0.3) })
const path = (chance: Chance) => ({ path: chance.pick(PATHS) })
const creation = (chance: Chance) => ({
  path: chance.pick(PATHS),
  data: chance.is(0.5) ? null : new Uint8Array(chance.below(30)),
  acl: chance.pick(ACLS),
  flags: chance.pick(FLAGS),
})
const deletion = (chance: Chance) => ({ path: chance.pick(PATHS), version: chance.pick([-1, 0, 1]) })
const paths = (chance: Chance) => Array.from({ length: chance.below(4) }, () => chance.pick(PATHS))
const watches = (chance: Chance) => ({
  relativeZxid: BigInt(chance.below(100)),
  dataWatches: paths(chance),
  existWatches: paths(chance),
  childWatches: paths(chance),
})
const watcher = (chance: Chance) => ({ path: chance.pick(PATHS), type: chance.below(5) })

const BODIES: Bodies = {
  [OpCode.create]: creation,
  [OpCode.create2]: creation,
  [OpCode.createContainer]: creation,
  [OpCode.createTTL]: (chance) => ({ ...creation(chance), ttl: BigInt(chance.pick([-1, 0, 1, 1_000])) }),
  [OpCode.delete]: deletion,
  [OpCode.exists]: read,
  [OpCode.getData]: read,
  [OpCode.getAcl]: path,
  [OpCode.setAcl]: (chance) => ({ path: chance.pick(PATHS), acl: chance.pick(ACLS), version: -1 }),
  [OpCode.getChildren]: read,
  [OpCode.getChildren2]: read,
  [OpCode.setData]: (chance) => ({ ...deletion(chance), data: new Uint8Array(chance.below(30)) }),
  [OpCode.sync]: path,
  [OpCode.check]: deletion,
  [OpCode.multi]: (chance) => Array.from({ length: chance.below(5) }, () => part(chance)),
  [OpCode.multiRead]: (chance) => Array.from({ length: chance.below(5) }, () => {
    return { op: chance.pick([OpCode.getData, OpCode.getChildren] as const), body: read(chance) }
  }),
  [OpCode.reconfig]: () => ({ joiningServers: null, leavingServers: '', newMembers: 'x', curConfigId: -1n }),
  [OpCode.checkWatches]: watcher,
  [OpCode.removeWatches]: watcher,
  [OpCode.auth]: (chance) => {
    return { type: 0, scheme: chance.pick(['digest', 'ip', 'x']), auth: Uint8Array.of(97, 58, chance.below(256)) }
  },
  [OpCode.sasl]: () => ({ token: null }),
  [OpCode.setWatches]: watches,
  [OpCode.setWatches2]: (chance) => {
    return { ...watches(chance), persistentWatches: paths(chance), persistentRecursiveWatches: paths(chance) }
  },
  [OpCode.addWatch]: (chance) => ({ path: chance.pick(PATHS), mode: chance.below(3) }),
  [OpCode.getEphemerals]: (chance) => ({ prefixPath: chance.pick(PATHS) }),
  [OpCode.getAllChildrenNumber]: path,
  [OpCode.whoAmI]: () => null,
  [OpCode.ping]: () => null,
  [OpCode.closeSession]: () => null,
}

/** Those that end the connection come less often, so that others are in flight at their end. */
const OPS: readonly (readonly [number, keyof RequestBodies])[] = Object.keys(BODIES)
  .map((op) => Number(op) as keyof RequestBodies)
  .map((op) => [op === OpCode.closeSession || op === OpCode.auth ? 0.1 : 1, op])

function part(chance: Chance): MultiOperation {
  const op = chance.pick([OpCode.create, OpCode.create2, OpCode.delete, OpCode.setData, OpCode.check] as const)
  return { op, body: BODIES[op](chance) } as MultiOperation
}

/** One request as a frame, with its length. */
function frameOf(client: Encoder, chance: Chance): Uint8Array {
  const op = chance.weighted(OPS)
  const frame = client.encodeAs(chance.pick(XIDS), op, BODIES[op](chance))
  if (!chance.is(0.1)) return frame
  const view = new DataView(frame.buffer, frame.byteOffset)
  if (chance.is(0.3)) {
    // Another operation than the body is of.
    view.setInt32(8, chance.is(0.9) ? chance.weighted(OPS) : chance.below(200) - 20)
    return frame
  }
  if (chance.is(0.3)) {
    frame[12 + chance.below(Math.max(1, frame.length - 12))] = chance.below(256)
    return frame
  }
  const length = 12 + chance.below(frame.length - 11)
  view.setInt32(0, length - 4)
  return frame.subarray(0, length)
}

/** A batch of requests, the same for the same seed; behind it one that is sound. */
export function batchOf(client: Encoder, chance: Chance): Uint8Array[] {
  const count = 1 + chance.below(BATCH_MAX)
  const frames = Array.from({ length: count }, () => frameOf(client, chance))
  return [...frames, client.encodeAs(LAST_XID, OpCode.sync, { path: '/' })]
}

/**
 * Sends one batch on a connection of its own, and waits until the server has answered it or ended the connection.
 *
 * @returns how many requests there were
 */
export async function sendBatch(port: number, seed: number): Promise<number> {
  const chance = new Chance(seed)
  const client = await RawClient.open(port, { timeOut: 4_000 })
  const frames = batchOf(client, chance)
  client.socket.write(Buffer.concat(frames))
  await client.answered(LAST_XID)
  // Half of the clients go without a word: their ephemeral nodes stay for a while.
  if (chance.is(0.5) && !client.isClosed) {
    client.socket.write(client.encodeAs(1, OpCode.closeSession, null))
    await client.closed
  }
  await client.drop()
  return frames.length - 1
}
