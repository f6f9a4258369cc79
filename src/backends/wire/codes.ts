/**
 * ZooKeeper's numbers: operations, create flags, event types, errors.
 *
 * Source    ZooDefs.java, CreateMode.java, Watcher.java, KeeperException.java of ZooKeeper 3.8.
 */
import type { ErrorCode } from '../../core/errors.ts'

/** Operation codes of requests and transactions. */
export const OpCode = {
  notification: 0,
  create: 1,
  delete: 2,
  exists: 3,
  getData: 4,
  setData: 5,
  getAcl: 6,
  setAcl: 7,
  getChildren: 8,
  sync: 9,
  ping: 11,
  getChildren2: 12,
  check: 13,
  multi: 14,
  create2: 15,
  reconfig: 16,
  checkWatches: 17,
  removeWatches: 18,
  createContainer: 19,
  deleteContainer: 20,
  createTTL: 21,
  multiRead: 22,
  auth: 100,
  setWatches: 101,
  sasl: 102,
  getEphemerals: 103,
  getAllChildrenNumber: 104,
  setWatches2: 105,
  addWatch: 106,
  whoAmI: 107,
  /**
   * Ours alone, and only inside a multi: a check of which creation of a node is there. A transaction never has it, so
   * that logs stay readable for the reference.
   */
  checkCreation: 1013,
  createSession: -10,
  closeSession: -11,
  error: -1,
} as const

/**
 * A path by which a client learns that a server is one of ours: `exists` finds a node there, on ours alone. No server
 * of ZooKeeper's can have one, since a create refuses the segment; its `exists` looks paths up as they are, and finds
 * none. A server may answer so only while it keeps what ours promise, its leader included (decision 0014).
 */
export const OWN_SERVER = '/zookeeper/./quorate'

/** xids that are not requests of an application. */
export const Xid = { notification: -1, ping: -2, auth: -4, setWatches: -8 } as const

/** The flags of a create request. */
export const CreateFlag = {
  persistent: 0,
  ephemeral: 1,
  persistentSequential: 2,
  ephemeralSequential: 3,
  container: 4,
  persistentWithTtl: 5,
  persistentSequentialWithTtl: 6,
} as const

/** Types of watch events, as a WatcherEvent numbers them. */
export const EventType = { nodeCreated: 1, nodeDeleted: 2, nodeDataChanged: 3, nodeChildrenChanged: 4 } as const

/** The state that stands in a watch event of a live session. */
export const SYNC_CONNECTED = 3

/** Which watches a removeWatches is about. */
export const WatcherType = { children: 1, data: 2, any: 3 } as const

/** How long a watch of addWatch lives, and what it sees: until it is removed, of one node or of all below it too. */
export const AddWatchMode = { persistent: 0, persistentRecursive: 1 } as const

/** The bits of an access control list's permissions. */
export const Perm = { read: 1, write: 2, create: 4, delete: 8, admin: 16, all: 31 } as const

/** Error numbers in replies. */
export const Err = {
  ok: 0,
  systemError: -1,
  runtimeInconsistency: -2,
  dataInconsistency: -3,
  connectionLoss: -4,
  marshallingError: -5,
  unimplemented: -6,
  operationTimeout: -7,
  badArguments: -8,
  unknownSession: -12,
  newConfigNoQuorum: -13,
  reconfigInProgress: -14,
  apiError: -100,
  noNode: -101,
  noAuth: -102,
  badVersion: -103,
  noChildrenForEphemerals: -108,
  nodeExists: -110,
  notEmpty: -111,
  sessionExpired: -112,
  invalidAcl: -114,
  authFailed: -115,
  sessionMoved: -118,
  notReadOnly: -119,
  ephemeralOnLocalSession: -120,
  noWatcher: -121,
  requestTimeout: -122,
  reconfigDisabled: -123,
  sessionClosedRequireSaslAuth: -124,
  quotaExceeded: -125,
  throttledOp: -127,
} as const

/**
 * The code that a caller gets for each number. Some only the reference's own client and servers use among themselves.
 */
const CODE_OF_ERR: ReadonlyMap<number, ErrorCode> = new Map([
  [Err.systemError, 'SYSTEM_ERROR'],
  [Err.runtimeInconsistency, 'SYSTEM_ERROR'],
  [Err.dataInconsistency, 'SYSTEM_ERROR'],
  [Err.connectionLoss, 'CONNECTION_LOSS'],
  [Err.operationTimeout, 'TIMEOUT'],
  [Err.unknownSession, 'SESSION_EXPIRED'],
  [Err.newConfigNoQuorum, 'RECONFIG_REFUSED'],
  [Err.reconfigInProgress, 'RECONFIG_REFUSED'],
  [Err.apiError, 'SYSTEM_ERROR'],
  [Err.authFailed, 'NO_AUTH'],
  [Err.notReadOnly, 'READ_ONLY'],
  [Err.ephemeralOnLocalSession, 'LOCAL_SESSION'],
  [Err.noWatcher, 'NO_WATCHER'],
  [Err.requestTimeout, 'TIMEOUT'],
  [Err.reconfigDisabled, 'RECONFIG_REFUSED'],
  [Err.sessionClosedRequireSaslAuth, 'NO_AUTH'],
  [Err.quotaExceeded, 'QUOTA_EXCEEDED'],
  [Err.throttledOp, 'THROTTLED'],
  [Err.marshallingError, 'BAD_ARGUMENTS'],
  [Err.unimplemented, 'UNSUPPORTED'],
  [Err.badArguments, 'BAD_ARGUMENTS'],
  [Err.noNode, 'NO_NODE'],
  [Err.noAuth, 'NO_AUTH'],
  [Err.badVersion, 'BAD_VERSION'],
  [Err.noChildrenForEphemerals, 'NO_CHILDREN_FOR_EPHEMERALS'],
  [Err.nodeExists, 'NODE_EXISTS'],
  [Err.notEmpty, 'NOT_EMPTY'],
  [Err.sessionExpired, 'SESSION_EXPIRED'],
  [Err.invalidAcl, 'INVALID_ACL'],
  [Err.sessionMoved, 'SESSION_MOVED'],
])

/** Operations of clients that become transactions, except the end of a session. */
export const WRITE_OPS: ReadonlySet<number> = new Set([
  OpCode.create,
  OpCode.create2,
  OpCode.createContainer,
  OpCode.createTTL,
  OpCode.delete,
  OpCode.setData,
  OpCode.setAcl,
  OpCode.check,
  OpCode.multi,
])

/**
 * The stable name for an error number of the wire.
 *
 * @param err - the number in a reply's header
 * @returns the code; `SYSTEM_ERROR` for a number that ZooKeeper 3.8 does not have
 */
export function errorCodeOf(err: number): ErrorCode {
  return CODE_OF_ERR.get(err) ?? 'SYSTEM_ERROR'
}
