/// <reference lib="es2018.asyncgenerator" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Coordination recipes for Node.js, and the client that they stand on.
 *
 * @packageDocumentation
 */
export { connect } from './core/connect.ts'
export { backendOfUrl, connectUrl } from './connect-url.ts'
export type { UrlBackend } from './connect-url.ts'
export type {
  Client,
  ClientCreateOptions,
  CloseOptions,
  ConnectOptions,
  Data,
  MakePathOptions,
  OwnedResource,
  ReadOptions,
  VersionOptions,
  WaitOptions,
} from './core/client.ts'
export type { ClientState } from './core/client-state.ts'
export type {
  Backend,
  Capabilities,
  Children,
  Created,
  CreateMode,
  CreateOptions,
  NodeData,
  OpenOptions,
  Operation,
  OperationResult,
  Session,
  SessionState,
  Stat,
  WatchEvent,
  Watcher,
} from './core/backend.ts'
export type { CallNotice, ObservedMethod, Observer, StateNotice } from './core/observer.ts'
export { CoordinationError, ERROR_CODES, isCoordinationError } from './core/errors.ts'
export type { CoordinationErrorOptions, ErrorCode, Outcome } from './core/errors.ts'
export { FairLock } from './recipes/locks/fair-lock.ts'
export type { FairLockOptions } from './recipes/locks/fair-lock.ts'
export type { LockLayout } from './recipes/locks/contender-names.ts'
export { ExclusiveLock } from './recipes/locks/exclusive-lock.ts'
export type { HolderInfo } from './recipes/locks/exclusive-lock.ts'
export type { AcquireOptions, OnSessionLoss, TryAcquireOptions } from './recipes/engine/acquire-options.ts'
export type { ContenderInfo } from './recipes/engine/contenders.ts'
export type { Lease, LeaseState } from './recipes/engine/lease.ts'
export { lossReason } from './recipes/engine/ownership.ts'
export type { LossCause, LossReason } from './recipes/engine/ownership.ts'
export { pendingCleanups } from './recipes/engine/cleanups.ts'
export type { TimedWaitOptions } from './recipes/engine/wait.ts'
export { ConfigCenter } from './recipes/config/config-center.ts'
export type {
  ConfigCenterOptions,
  ConfigChange,
  ConfigPublishOptions,
  Published,
} from './recipes/config/config-center.ts'
export type { HistoryEntry, HistoryOptions, HistoryReadOptions, PublishNote } from './recipes/config/config-history.ts'
export type { RecordKind } from './recipes/config/config-records.ts'
export type { ValueChange } from './recipes/config/json-diff.ts'
export { ConfigTree } from './recipes/config/config-tree.ts'
export type { ConfigTreeChange } from './recipes/config/config-tree.ts'
export type {
  ChangeValue,
  ConfigEntry,
  ConfigFormatOptions,
  ConfigState,
  InvalidValue,
  PublishOptions,
  Updated,
} from './recipes/config/config-values.ts'
export { jsonCodec } from './recipes/engine/codec.ts'
export type { Codec } from './recipes/engine/codec.ts'
export type { SchemaIssue, SchemaResult, StandardSchema } from './recipes/engine/standard-schema.ts'
export type { Written } from './recipes/engine/compare-and-set.ts'
export type { IterateOptions, SubscribeOptions, Unsubscribe } from './recipes/engine/feed.ts'
export { GroupMembership } from './recipes/membership/group-membership.ts'
export type { GroupChange, GroupMembershipOptions, MemberInfo } from './recipes/membership/group-membership.ts'
export type { JoinOptions, Member, MemberNotice, MemberState } from './recipes/membership/member.ts'
