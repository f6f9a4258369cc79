/// <reference lib="es2018.asyncgenerator" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * Coordination recipes for Node.js, and the client that they stand on.
 *
 * @packageDocumentation
 */
export { connect } from './observe/connect.ts'
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
export type { Transaction, TransactionCheckOptions, TransactionCreateOptions } from './core/transaction.ts'
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
export type { Logger } from './core/log-observer.ts'
export type { CallNotice, ObservedMethod, Observer, StateNotice } from './core/observer.ts'
export type { Beginning, ElectionEvent, ElectionNotice, EndNotice, LeaseEvent, LeaseNotice } from './core/observer.ts'
export type { PublishAction, PublishNotice, WaitNotice, WaitOutcome, Waker } from './core/observer.ts'
export { CoordinationError, ERROR_CODES, isCoordinationError } from './core/errors.ts'
export type { CoordinationErrorOptions, ErrorCode, Outcome } from './core/errors.ts'
export { FairLock } from './recipes/locks/fair-lock.ts'
export type { FairLockOptions } from './recipes/locks/fair-lock.ts'
export type { LockLayout } from './recipes/engine/lock-names.ts'
export { ExclusiveLock } from './recipes/locks/exclusive-lock.ts'
export { ReadWriteLock } from './recipes/locks/read-write-lock.ts'
export type { ReadWriteSide } from './recipes/locks/read-write-lock.ts'
export type { ReadWriteKind } from './recipes/locks/contender-names.ts'
export { MultiLock } from './recipes/locks/multi-lock.ts'
export type { Lockable, MultiLockOptions } from './recipes/locks/multi-lock-round.ts'
export { ReentrantLock } from './recipes/locks/reentrant-lock.ts'
export type { ReentrantLease } from './recipes/locks/reentrant-lock.ts'
export { Semaphore } from './recipes/locks/semaphore.ts'
export type { PermitOptions, SemaphoreOptions, TryPermitOptions } from './recipes/locks/semaphore.ts'
export type { PermitLease } from './recipes/locks/permit-lease.ts'
export type { JointLease } from './recipes/engine/joint-lease.ts'
export type { HolderInfo } from './recipes/locks/exclusive-lock.ts'
export { Barrier } from './recipes/barriers/barrier.ts'
export { CountDownLatch } from './recipes/barriers/count-down-latch.ts'
export type { CountDownLatchOptions, CountDownOptions } from './recipes/barriers/count-down-latch.ts'
export { DoubleBarrier } from './recipes/barriers/double-barrier.ts'
export type { DoubleBarrierOptions } from './recipes/barriers/double-barrier.ts'
export { NodeCache } from './recipes/caches/node-cache.ts'
export { ChildrenCache } from './recipes/caches/children-cache.ts'
export type { ChildrenCacheOptions } from './recipes/caches/children-cache.ts'
export { TreeCache } from './recipes/caches/tree-cache.ts'
export type { TreeCacheOptions } from './recipes/caches/tree-cache.ts'
export type { CacheBase, CacheChange, ChangedNode } from './recipes/caches/cache-base.ts'
export type { MirrorNode } from './recipes/engine/mirror.ts'
export { DistributedQueue } from './recipes/queues/distributed-queue.ts'
export type { ConsumeOptions, DeadLetter, DistributedQueueOptions } from './recipes/queues/distributed-queue.ts'
export type { PutOptions, QueueItem } from './recipes/queues/distributed-queue.ts'
export { LeaderElection } from './recipes/leader/leader-election.ts'
export type { ElectionLayout } from './recipes/leader/candidate-names.ts'
export type { LeaderChange, LeaderElectionOptions } from './recipes/leader/leader-election.ts'
export type { CampaignOptions } from './recipes/leader/candidacy.ts'
export type { CandidateInfo, ElectionState, LeaderInfo } from './recipes/leader/leader-view.ts'
export type { LeaderWork, RunOptions } from './recipes/leader/tenure.ts'
export type { Leadership, OnResign } from './recipes/leader/leadership.ts'
export { AtomicCounter } from './recipes/counters/atomic-counter.ts'
export type { AtomicCounterOptions, Counted } from './recipes/counters/atomic-counter.ts'
export { IdAllocator } from './recipes/counters/id-allocator.ts'
export type { IdAllocatorOptions } from './recipes/counters/id-allocator.ts'
export { RateLimiter } from './recipes/counters/rate-limiter.ts'
export type { RateLimiterOptions, RateOptions } from './recipes/counters/rate-limiter.ts'
export type { Bits } from './recipes/counters/integer-bytes.ts'
export { SharedCount } from './recipes/counters/shared-count.ts'
export type { SharedCountOptions } from './recipes/counters/shared-count.ts'
export { SharedValue } from './recipes/counters/shared-value.ts'
export type { SharedValueOptions } from './recipes/counters/shared-value.ts'
export type { SharedChange, SharedState } from './recipes/counters/shared-cell.ts'
export { transact } from './recipes/transactions/transact.ts'
export type { TransactOptions } from './recipes/transactions/transact.ts'
export type { TransactionView } from './recipes/transactions/transaction-view.ts'
export type { AcquireOptions, OnReentry, OnSessionLoss, TryAcquireOptions } from './recipes/engine/acquire-options.ts'
export type { ContendOptions, RevocableOptions, TryContendOptions } from './recipes/engine/acquire-options.ts'
export type { ContenderRef, RevokeOptions, RevokeRequest } from './recipes/engine/revocation.ts'
export type { ContenderInfo } from './recipes/engine/contenders.ts'
export type { Lease, LeaseState } from './recipes/engine/lease.ts'
export type { LeasedWork, UsingArguments } from './recipes/engine/leased-work.ts'
export { lossReason } from './recipes/engine/ownership.ts'
export type { LossCause, LossReason } from './recipes/engine/ownership.ts'
export { pendingCleanups } from './recipes/engine/cleanups.ts'
export type { TimedWaitOptions } from './recipes/engine/wait.ts'
export { ConfigCenter } from './recipes/config/config-center.ts'
export type {
  ConfigCenterOptions,
  ConfigChange,
  ConfigPublishOptions,
  ConfigRollbackOptions,
  ConfigUpdateOptions,
  Published,
} from './recipes/config/config-center.ts'
export type { ConfigFormat } from './recipes/config/config-formats.ts'
export type { ConfigSource, FallbackOptions } from './recipes/config/config-fallback.ts'
export type { CopyStore } from './recipes/config/last-copy.ts'
export type { HistoryEntry, HistoryOptions, HistoryReadOptions, PublishNote } from './recipes/config/config-history.ts'
export type { RecordKind } from './recipes/config/config-records.ts'
export { ConfigRollout } from './recipes/config/rollout.ts'
export type {
  AppliedValue,
  PromoteOptions,
  RolloutOptions,
  RolloutStep,
  StagedValue,
} from './recipes/config/rollout.ts'
export type { StagedPolicy } from './recipes/config/rollout-plans.ts'
export type { RolloutMember, RolloutSelection } from './recipes/config/rollout-records.ts'
export type { ValueChange } from './recipes/config/json-diff.ts'
export { LayeredConfig } from './recipes/config/layered-config.ts'
export type {
  ConfigLayer,
  InvalidLayers,
  LayeredChange,
  LayeredConfigOptions,
} from './recipes/config/layered-config.ts'
export { secretCodec, secretText } from './recipes/config/secret-codec.ts'
export type { SecretKey, SecretOptions } from './recipes/config/secret-codec.ts'
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
export { onceOnly } from './recipes/once/once-only.ts'
export type { OnceOptions, OnceWork } from './recipes/once/once-only.ts'
export { jsonCodec } from './recipes/engine/codec.ts'
export type { Codec } from './recipes/engine/codec.ts'
export type { SchemaIssue, SchemaResult, StandardSchema } from './recipes/engine/standard-schema.ts'
export type { Written } from './recipes/engine/compare-and-set.ts'
export type { IterateOptions, SubscribeOptions, Unsubscribe } from './recipes/engine/feed.ts'
export { GroupMembership } from './recipes/membership/group-membership.ts'
export type { GroupChange, GroupMembershipOptions, MemberInfo } from './recipes/membership/group-membership.ts'
export type { JoinOptions, Member, MemberNotice, MemberState } from './recipes/membership/member.ts'
export { PersistentNode } from './recipes/membership/persistent-node.ts'
export type { PersistentNodeNotice, PersistentNodeOptions } from './recipes/membership/persistent-node.ts'
export type { KeptState } from './recipes/engine/kept-node.ts'
export { Partitioner } from './recipes/membership/partitioner.ts'
export type { PartitionChange, PartitionerOptions } from './recipes/membership/partitioner.ts'
export type { Assignment, AssignmentState } from './recipes/membership/partition-share.ts'
export { ServiceRegistry } from './recipes/services/service-registry.ts'
export type { InstanceDetails, RegisterOptions, ServiceRegistration } from './recipes/services/service-registry.ts'
export type { ServiceInstance, ServiceType, UriSpec } from './recipes/services/service-instance.ts'
export { ServiceWatcher } from './recipes/services/service-watcher.ts'
export type { DiscoveredInstance, ServiceChange } from './recipes/services/service-watcher.ts'
export { ServiceProvider, leastLoaded, random, roundRobin, sticky } from './recipes/services/service-provider.ts'
export type { ProviderStrategy, ServiceProviderOptions } from './recipes/services/service-provider.ts'
