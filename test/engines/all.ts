/** The engines that are no servers of ours, for suites that run on each: how to start one, or why it cannot be. */
import type { Backend } from '../../src/core/backend.ts'
import { etcd } from '../../src/backends/etcd/index.ts'
import { redis } from '../../src/backends/redis/index.ts'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import { etcdMissing, startEtcd } from './etcd.ts'
import { redisMissing, startRedis } from './redis.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from './zookeeper.ts'

/** An engine that runs. */
export interface StartedEngine {
  readonly backend: Backend
  /** Where its servers tell of themselves; absent where they do not. */
  readonly servers?: readonly string[]
  stop(): Promise<unknown>
}

/** An engine that can be started, unless it is missing here. */
export interface RealEngine {
  readonly name: 'ZooKeeper' | 'etcd' | 'Redis'
  /** Why it is missing; null if it is there. */
  readonly missing: string | null
  start(): Promise<StartedEngine>
}

/** One server of each engine. */
export const REAL_ENGINES: readonly RealEngine[] = [
  {
    name: 'ZooKeeper',
    missing: reasonToSkipZooKeeper(),
    start: async () => {
      const servers = await startZooKeeper()
      const { connectString } = servers
      return { backend: zookeeper(connectString), servers: [connectString], stop: () => servers.stop() }
    },
  },
  {
    name: 'etcd',
    missing: etcdMissing,
    start: async () => {
      const cluster = await startEtcd(1)
      return { backend: etcd(cluster.urls), stop: () => cluster.close() }
    },
  },
  {
    name: 'Redis',
    missing: redisMissing,
    start: async () => {
      const server = await startRedis()
      return { backend: redis(`redis://127.0.0.1:${server.port}`), stop: () => server.close() }
    },
  },
]
