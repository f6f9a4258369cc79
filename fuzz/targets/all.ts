/** All targets, in the order in which they run. */
import type { Target } from '../target.ts'
import { codec } from './codec.ts'
import { disk } from './disk.ts'
import { etcd, etcdAnswers } from './etcd.ts'
import { peers } from './peers.ts'
import { port } from './port.ts'
import { redis } from './redis.ts'
import { redisReplies } from './redis-replies.ts'
import { sasl } from './sasl.ts'
import { shell } from './shell.ts'
import { zooCfg } from './zoo-cfg.ts'

export const TARGETS: readonly Target[] = [
  ...[codec, port, peers, disk, redisReplies, redis, etcdAnswers, etcd, zooCfg, shell, sasl],
]
