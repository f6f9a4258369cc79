/** A client of a cluster of pure machines. */
import type { Reply, ServerMessage } from '../../../../src/backends/wire/records.ts'

/** One client's connection to one server. */
export interface TestConnection {
  readonly server: number
  readonly number: number
  readonly received: ServerMessage[]
  closed: boolean
  sessionId: bigint
  passwd: Uint8Array
}

/** The answer to a client's request; undefined if there is none yet. */
export function replyOf({ received }: TestConnection, xid: number): Reply | undefined {
  for (const message of received) if (message.kind === 'reply' && message.reply.xid === xid) return message.reply
  return undefined
}
