/// <reference lib="es2018.asyncgenerator" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The public surface of `quorate/testing`: suites that prove backends, and engines for tests.
 *
 * @packageDocumentation
 */
export { modelBackend } from './model/backend.ts'
export type { ModelBackend, ModelControl, ModelOptions } from './model/backend.ts'
export type { Fate, ModelRequest, RequestFilter, RequestHook, RequestKind } from './model/ensemble.ts'
export { checkHistory } from './history.ts'
export type { HistoryCall, HistoryOptions, HistoryVerdict, SequentialModel } from './history.ts'
export { backendSuite } from './conformance/backend-suite.ts'
export type { BackendSuiteOptions } from './conformance/backend-suite.ts'
export type { BackendControl, Runner, RunnerIt, Subject } from './conformance/case.ts'
export { ConformanceError } from './conformance/expect.ts'
export { lockSuite } from './conformance/lock-suite.ts'
export type { LockSuiteOptions, TestedLease, TestedLock } from './conformance/lock-suite.ts'
export { readWriteSuite } from './conformance/read-write-suite.ts'
export type { ReadWriteSuiteOptions, TestedReadWriteLock, TestedSide } from './conformance/read-write-suite.ts'
export { semaphoreSuite } from './conformance/semaphore-suite.ts'
export type { SemaphoreSuiteOptions, TestedPermitOptions, TestedSemaphore } from './conformance/semaphore-suite.ts'
export type { RecipeSuiteOptions } from './conformance/recipe-world.ts'
export { reentrantSuite } from './conformance/reentrant-suite.ts'
export type { ReentrantSuiteOptions, TestedReentrantLock } from './conformance/reentrant-suite.ts'
export { revocationSuite } from './conformance/revocation-suite.ts'
export type { RevocationSuiteOptions, TestedContender } from './conformance/revocation-suite.ts'
export type { TestedRevocableLease, TestedRevocableLock } from './conformance/revocation-suite.ts'
export { fencingSuite } from './conformance/fencing-suite.ts'
export type { FencingSuiteOptions, TestedHolding } from './conformance/fencing-suite.ts'
export { barrierSuite, latchSuite } from './conformance/barrier-suite.ts'
export { queueSuite } from './conformance/queue-suite.ts'
export type { QueueSuiteOptions, TestedItem, TestedQueue } from './conformance/queue-suite.ts'
export { doubleBarrierSuite } from './conformance/barrier-suite.ts'
export type { DoubleBarrierSuiteOptions, TestedDoubleBarrier } from './conformance/barrier-suite.ts'
export type { LatchSuiteOptions, TestedLatch } from './conformance/barrier-suite.ts'
export type { BarrierSuiteOptions, TestedBarrier, TestedBarrierOptions } from './conformance/barrier-suite.ts'
export { configSuite } from './conformance/config-suite.ts'
export type { ConfigSuiteOptions, TestedConfig, TestedConfigChange } from './conformance/config-suite.ts'
export { counterSuite, idSuite, sharedSuite } from './conformance/counter-suite.ts'
export type {
  CounterSuiteOptions,
  IdSuiteOptions,
  SharedSuiteOptions,
  TestedCounter,
  TestedIds,
  TestedShared,
} from './conformance/counter-suite.ts'
export { rateSuite } from './conformance/rate-suite.ts'
export type { RateSuiteOptions, TestedLimiter, TestedRate } from './conformance/rate-suite.ts'
export { electionSuite } from './conformance/election-suite.ts'
export type {
  ElectionSuiteOptions,
  TestedElection,
  TestedLeader,
  TestedLeadership,
} from './conformance/election-suite.ts'
export { configHistorySuite } from './conformance/config-history-suite.ts'
export type {
  ConfigHistorySuiteOptions,
  TestedConfigHistory,
  TestedHistoryEntry,
} from './conformance/config-history-suite.ts'
export { onceSuite } from './conformance/once-suite.ts'
export type { OnceSuiteOptions, TestedOnceWork } from './conformance/once-suite.ts'
export { layeredSuite } from './conformance/layered-suite.ts'
export type { LayeredSuiteOptions, TestedLayered } from './conformance/layered-suite.ts'
export { rolloutSuite } from './conformance/rollout-suite.ts'
export type { RolloutSuiteOptions, TestedRollout, TestedSelection } from './conformance/rollout-suite.ts'
export { membershipSuite } from './conformance/membership-suite.ts'
export type {
  MembershipSuiteOptions,
  TestedGroup,
  TestedGroupChange,
  TestedMember,
  TestedMemberInfo,
} from './conformance/membership-suite.ts'
export { persistentNodeSuite } from './conformance/persistent-node-suite.ts'
export type { PersistentNodeSuiteOptions, TestedPersistentNode } from './conformance/persistent-node-suite.ts'
export { serviceSuite } from './conformance/service-suite.ts'
export type { ServiceSuiteOptions, TestedRegistration, TestedRegistry } from './conformance/service-suite.ts'
export type { TestedInstance, TestedServiceChange, TestedServiceWatcher } from './conformance/service-suite.ts'
export { partitionerSuite } from './conformance/partitioner-suite.ts'
export type { PartitionerSuiteOptions, TestedAssignment } from './conformance/partitioner-suite.ts'
export type { TestedPartitioner, TestedPartitionerOptions } from './conformance/partitioner-suite.ts'
export { cacheSuite } from './conformance/cache-suite.ts'
export type { CacheSuiteOptions, TestedCache } from './conformance/cache-suite.ts'
export type { TestedCacheChange, TestedCacheNode } from './conformance/cache-suite.ts'
export { simulate } from './simulation/simulate.ts'
export type {
  SimulatedClient,
  SimulatedMachine,
  SimulatedServer,
  SimulatedWorld,
  SimulateOptions,
  SimulationReport,
} from './simulation/simulate.ts'
export type { Draining } from './simulation/kernel.ts'
export type { Fault, FaultKind, Lasting, LosableRequest, OperatorStrike } from './simulation/plan.ts'
export type { Place, Plan, StruckPacket, Timed } from './simulation/plan.ts'
export type { ProfileName } from './simulation/profiles.ts'
export { transactionSuite } from './conformance/transaction-suite.ts'
export type { TestedTransaction, TransactionSuiteOptions } from './conformance/transaction-suite.ts'
