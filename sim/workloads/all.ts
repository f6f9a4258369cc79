/** Every workload, by name. */
import type { MakeWorkload } from '../workload.ts'
import { makeBarriers } from './barriers.ts'
import { makeCaches } from './caches.ts'
import { makeConfig } from './config.ts'
import { makeKeys } from './keys.ts'
import { makeLeaders } from './leaders.ts'
import { makeLocks } from './locks.ts'
import { makeMembership } from './membership.ts'
import { makeOnce } from './once.ts'
import { makePartitions } from './partitions.ts'
import { makeQueues } from './queues.ts'
import { makeRaw } from './raw.ts'
import { makeServices } from './services.ts'
import { makeSharing } from './sharing.ts'
import { makeTransactions } from './transactions.ts'

/** The workloads that a seed may draw; the order counts, and a new one comes last: see `drawWorkload`. */
export const WORKLOADS: Readonly<Record<string, MakeWorkload>> = Object.freeze({
  keys: makeKeys,
  raw: makeRaw,
  locks: makeLocks,
  leaders: makeLeaders,
  config: makeConfig,
  membership: makeMembership,
  partitions: makePartitions,
  sharing: makeSharing,
  caches: makeCaches,
  queues: makeQueues,
  barriers: makeBarriers,
  once: makeOnce,
  transactions: makeTransactions,
  services: makeServices,
})
