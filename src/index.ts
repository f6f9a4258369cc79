/// <reference lib="es2018.asyncgenerator" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Coordination recipes for Node.js, and the client that they stand on.
 *
 * @packageDocumentation
 */
export { connect } from './core/client.ts'
export type {
  Client,
  ClientCreateOptions,
  ClientState,
  ConnectOptions,
  Data,
  OwnedResource,
  ReadOptions,
  VersionOptions,
  WaitOptions,
} from './core/client.ts'
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
export { CoordinationError, ERROR_CODES, isCoordinationError } from './core/errors.ts'
export type { CoordinationErrorOptions, ErrorCode, Outcome } from './core/errors.ts'
export { FairLock } from './recipes/fair-lock.ts'
export type { FairLockOptions } from './recipes/fair-lock.ts'
export type { LockLayout } from './recipes/contender-names.ts'
export { ExclusiveLock } from './recipes/exclusive-lock.ts'
export type { HolderInfo } from './recipes/exclusive-lock.ts'
export type { AcquireOptions, ContenderInfo, OnSessionLoss, TryAcquireOptions } from './recipes/contenders.ts'
export type { Lease, LeaseState } from './recipes/lease.ts'
export { lossReason } from './recipes/tenure.ts'
export type { LossCause, LossReason } from './recipes/tenure.ts'
export { pendingCleanups } from './recipes/cleanups.ts'
export type { TimedWaitOptions } from './recipes/wait.ts'
export { ConfigCenter } from './recipes/config-center.ts'
export type { ConfigCenterOptions, ConfigChange } from './recipes/config-center.ts'
export { ConfigTree } from './recipes/config-tree.ts'
export type { ConfigTreeChange } from './recipes/config-tree.ts'
export type {
  ConfigEntry,
  ConfigFormatOptions,
  ConfigState,
  InvalidValue,
  PublishOptions,
} from './recipes/config-store.ts'
export { jsonCodec } from './recipes/codec.ts'
export type { Codec } from './recipes/codec.ts'
export type { SchemaIssue, SchemaResult, StandardSchema } from './recipes/standard-schema.ts'
export type { Written } from './recipes/versioned-write.ts'
export type { IterateOptions, SubscribeOptions, Unsubscribe } from './recipes/feed.ts'
export { GroupMembership } from './recipes/group-membership.ts'
export type { GroupChange, GroupMembershipOptions, MemberInfo } from './recipes/group-membership.ts'
export type { JoinOptions } from './recipes/member-claim.ts'
export type { Member, MemberNotice, MemberState } from './recipes/member.ts'
