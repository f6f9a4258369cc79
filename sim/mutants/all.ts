/** Every mutant. */
import { BARRIER_MUTANTS } from './barriers.ts'
import { CACHE_MUTANTS } from './caches.ts'
import { CARRIED_OVER_MUTANTS } from './carried-over.ts'
import { CLIENT_MUTANTS } from './clients.ts'
import { CONFIG_MUTANTS } from './config.ts'
import { CONSENSUS_MUTANTS } from './consensus.ts'
import { COUNTER_MUTANTS } from './counters.ts'
import { LEADER_MUTANTS } from './leaders.ts'
import { LOCK_MUTANTS } from './locks.ts'
import type { Mutant } from './mutant.ts'
import { ONCE_MUTANTS } from './once.ts'
import { PARTITION_MUTANTS } from './partitions.ts'
import { PEER_MUTANTS } from './peers.ts'
import { QUEUE_MUTANTS } from './queues.ts'
import { RECONFIGURATION_MUTANTS } from './reconfiguration.ts'
import { SERVICE_MUTANTS } from './service.ts'
import { SERVICE_DISCOVERY_MUTANTS } from './services.ts'
import { STORAGE_MUTANTS } from './storage.ts'
import { TRANSACTION_MUTANTS } from './transactions.ts'

/** All mutants; their names are different. */
export const MUTANTS: readonly Mutant[] = Object.freeze([
  ...CONSENSUS_MUTANTS,
  ...RECONFIGURATION_MUTANTS,
  ...SERVICE_MUTANTS,
  ...CLIENT_MUTANTS,
  ...LEADER_MUTANTS,
  ...STORAGE_MUTANTS,
  ...CARRIED_OVER_MUTANTS,
  ...PARTITION_MUTANTS,
  ...BARRIER_MUTANTS,
  ...CACHE_MUTANTS,
  ...QUEUE_MUTANTS,
  ...LOCK_MUTANTS,
  ...CONFIG_MUTANTS,
  ...ONCE_MUTANTS,
  ...COUNTER_MUTANTS,
  ...TRANSACTION_MUTANTS,
  ...SERVICE_DISCOVERY_MUTANTS,
  ...PEER_MUTANTS,
])

/** The one that has to be found in every run of the tests: if it is not, the simulation itself is broken. */
export const CANARY = 'ack-before-durable'
