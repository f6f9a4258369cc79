/** Looks on at a cluster of pure machines. */
import type { PeerMessage } from '../../../../src/backends/wire/packets.ts'
import type { ServerMessage } from '../../../../src/backends/wire/records.ts'
import type { ServerEvent } from '../../../../src/backends/embedded/server/ready.ts'
import type { PersistOperation } from '../../../../src/backends/embedded/server/zab/journal.ts'
import type { TestConnection } from './test-connection.ts'

/** Callbacks of a running cluster; each is called at the moment of its event. */
export interface ClusterObserver {
  onEvent?(server: number, event: ServerEvent): void
  /** Just before operations become durable. */
  onPersist?(server: number, operations: readonly PersistOperation[]): void
  onSend?(from: number, to: number, message: PeerMessage): void
  onReply?(connection: TestConnection, message: ServerMessage): void
}
