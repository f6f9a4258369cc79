/** The whole contract by version 6 of ioredis, which speaks RESP3; every other suite runs by version 5. */
import { Redis } from 'ioredis-6'
import { afterAll, describe, it } from 'vitest'
import { redis } from '../../../src/backends/redis/index.ts'
import type { RedisFactory } from '../../../src/backends/redis/index.ts'
import { backendSuite } from '../../../src/testing/index.ts'
import type { BackendControl, Subject } from '../../../src/testing/index.ts'
import { freePort } from '../../engines/process.ts'
import { RedisProxy, redisControl, redisMissing, startRedis } from '../../engines/redis.ts'

const ABILITIES = ['expire', 'disconnect', 'reconnect', 'reap', 'unreachable'] as const
const NAMESPACE = 'version6'
const reason = redisMissing === null ? '' : ` (skipped: ${redisMissing})`

/** Makes instances of version 6 that go to a URL. */
function version6(url: string): RedisFactory {
  return (options) => new Redis(url, options)
}

async function start(): Promise<Subject & { readonly control: BackendControl }> {
  const server = await startRedis()
  const proxy = await RedisProxy.start(server.port)
  return {
    backend: redis(version6(proxy.url), { namespace: NAMESPACE }),
    control: {
      ...redisControl(server, proxy, NAMESPACE),
      unreachable: async () => redis(version6(`redis://127.0.0.1:${await freePort()}`)),
    },
    close: async () => {
      await proxy.close()
      await server.close()
    },
  }
}

describe.skipIf(redisMissing !== null)(`a real Redis by ioredis 6${reason}`, () => {
  backendSuite({ describe, it, afterAll }, { name: 'redis', create: start, abilities: ABILITIES })
})
