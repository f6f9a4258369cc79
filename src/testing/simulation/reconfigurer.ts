/**
 * An operator who changes the servers of the ensemble, at the console of one of them.
 *
 * Model     a client in the process of that server: it opens a session, says that it is the superuser, asks for one
 *           change, and closes its session when that is answered. No fault comes between it and its server.
 * Unseen    its requests have the number 0, as those of servers have: checks do not look for them on the network.
 */
import { OpCode } from '../../backends/wire/codes.ts'
import type { Request, ServerMessage } from '../../backends/wire/records.ts'
import type { Host } from '../../backends/embedded/host/host.ts'

const PASSWORD = 'operator'
/** The hash of `super:operator`, as ZooKeeper's option superDigest has it. */
export const OPERATOR_DIGEST = 'super:50PTL5uPffq+H9AbDUx3SkOIHNQ='
/** Of its session, in milliseconds; the servers have a least one. */
const TIMEOUT_MS = 1
const NO_XID = 0

/** The text of a server in the configuration of a simulated world. */
export function serverText(id: number, votes: boolean): string {
  return `server.${id}=s${id}:2888:3888:${votes ? 'participant' : 'observer'};0.0.0.0:2181`
}

/** The configuration that an operator wants. */
export interface Change {
  readonly voters: readonly number[]
  readonly observers: readonly number[]
}

/**
 * Asks for a change at one server.
 *
 * @param onAnswer - gets the error number of the answer, if one comes
 */
export function reconfigure(host: Host, change: Change, onAnswer: (err: number) => void): void {
  const ask = (request: Pick<Request, 'op' | 'body'>): void => {
    const numbered = { xid: NO_XID, ...request } as Request
    host.receiveClient(connection, { kind: 'request', request: numbered })
  }
  const newMembers = [
    ...change.voters.map((id) => serverText(id, true)),
    ...change.observers.map((id) => serverText(id, false)),
  ].join(',')
  const receive = (message: ServerMessage): void => {
    if (message.kind === 'connect') {
      const auth = Buffer.from(`super:${PASSWORD}`)
      ask({ op: OpCode.auth, body: { type: 0, scheme: 'digest', auth } })
      ask({ op: OpCode.reconfig, body: { joiningServers: null, leavingServers: null, newMembers, curConfigId: -1n } })
      ask({ op: OpCode.closeSession, body: null })
    } else if (message.kind === 'reply' && message.op === OpCode.reconfig) onAnswer(message.reply.err)
  }
  const connection = host.openClient({ onMessage: receive, onClose: () => undefined })
  const passwd = new Uint8Array(16)
  const request = { protocolVersion: 0, lastZxidSeen: 0n, timeOut: TIMEOUT_MS, sessionId: 0n, passwd, readOnly: false }
  host.receiveClient(connection, { kind: 'connect', request })
}
