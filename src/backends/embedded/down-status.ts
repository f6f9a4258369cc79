/** The status of a server that does not run. */
import type { ServerStatus } from './server/ready.ts'

/** The status of a server that is down. */
export function downStatus(myid: number): Omit<ServerStatus, 'role'> & { readonly role: 'DOWN' } {
  return {
    myid,
    role: 'DOWN',
    leader: null,
    serving: false,
    readOnly: false,
    epoch: 0,
    zxid: 0n,
    loggedZxid: 0n,
    sessions: 0,
    localSessions: 0,
    connections: 0,
    watches: 0,
    nodes: 0,
  }
}
