/**
 * The password of a session that a ZooKeeper began: there it is computed from the session's id. Whoever knows the id
 * can compute it too, so ours are drawn (decision 0001); this one is for sessions that were in a directory of a
 * ZooKeeper.
 *
 * Source    ZooKeeperServer.generatePasswd of ZooKeeper 3.8; java.util.Random.
 */

const SECRET = 0xb3415c00n
const MULTIPLIER = 0x5deece66dn
const ADDEND = 0xbn
const STATE_BITS = 48n
const STATE_MASK = (1n << STATE_BITS) - 1n
const INT_BITS = 32n
const INT_BYTES = 4
const PASSWORD_BYTES = 16

/** The password of a session of this id. */
export function zooKeeperPassword(sessionId: bigint): Uint8Array {
  const password = new Uint8Array(PASSWORD_BYTES)
  const view = new DataView(password.buffer)
  let state = (BigInt.asUintN(64, sessionId ^ SECRET) ^ MULTIPLIER) & STATE_MASK
  for (let at = 0; at < PASSWORD_BYTES; at += INT_BYTES) {
    state = (state * MULTIPLIER + ADDEND) & STATE_MASK
    view.setUint32(at, Number(state >> (STATE_BITS - INT_BITS)), true)
  }
  return password
}
