/** Events of the ports for other servers. Applications see these types, which therefore need none of Node.js. */

/** Something that an operator should know. */
export type TcpPeersEvent =
  /** A connection was ended since its other end did not say, or not in time, that it is a server of the ensemble. */
  | {
    readonly type: 'stranger-dropped'
    readonly port: 'election' | 'quorum'
    /** Its IP address. */
    readonly address: string
    readonly reason: string
    /** How many were dropped so far, this one included. */
    readonly count: number
  }
  /** A server that was dialled cannot be spoken to by TLS; the same reason is told again after a while. */
  | { readonly type: 'peer-untrusted'; readonly peer: number; readonly reason: string }
  /** A server has sent a vote that cannot be read; said once per connection. */
  | { readonly type: 'vote-malformed'; readonly peer: number; readonly reason: string }
