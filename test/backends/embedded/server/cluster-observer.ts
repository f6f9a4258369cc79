/** Looks on at a cluster of pure machines. */
import type { PeerMessage } from '../../../../src/backends/wire/packets.ts'
import type { ServerMessage } from '../../../../src/backends/wire/records.ts'
import type { ServerEvent } from '../../../../src/backends/embedded/server/ready.ts'
import type { PersistOperation } from '../../../../src/backends/embedded/server/zab/journal.ts'
import type { TestConnection } from './test-connection.ts'

/** What a cluster tells of while it runs; each is called at the moment at which it happens. */
export interface ClusterObserver {
  onEvent?(server: number, event: ServerEvent): void
  /** Just before operations become durable. */
  onPersist?(server: number, operations: readonly PersistOperation[]): void
  onSend?(from: number, to: number, message: PeerMessage): void
  onReply?(connection: TestConnection, message: ServerMessage): void
}
