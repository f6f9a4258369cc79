/** All parts, in the order of docs/guarantees.md. */
import { BARRIER, COUNT_DOWN_LATCH, DOUBLE_BARRIER } from './barriers.ts'
import { CHILDREN_CACHE, NODE_CACHE, TREE_CACHE } from './caches.ts'
import { CONFIG_ROLLOUT, LAYERED_CONFIG } from './configurations.ts'
import { ID_ALLOCATOR, RATE_LIMITER, SHARED_COUNT, SHARED_VALUE } from './counters.ts'
import { MULTI_LOCK, READ_WRITE_LOCK, REENTRANT_LOCK, SEMAPHORES } from './locks.ts'
import type { Part } from './part.ts'
import { DISTRIBUTED_QUEUE } from './queue.ts'
import { ONCE_ONLY, TRANSACT } from './transactions.ts'

export const PARTS: readonly Part[] = [
  READ_WRITE_LOCK,
  REENTRANT_LOCK,
  SEMAPHORES,
  MULTI_LOCK,
  SHARED_VALUE,
  SHARED_COUNT,
  ID_ALLOCATOR,
  RATE_LIMITER,
  BARRIER,
  COUNT_DOWN_LATCH,
  DOUBLE_BARRIER,
  DISTRIBUTED_QUEUE,
  NODE_CACHE,
  CHILDREN_CACHE,
  TREE_CACHE,
  TRANSACT,
  ONCE_ONLY,
  CONFIG_ROLLOUT,
  LAYERED_CONFIG,
]
