import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Backend } from '../../../src/core/backend.ts'
import { redis } from '../../../src/backends/redis/index.ts'
import { backendSuite } from '../../../src/testing/index.ts'
import type { BackendControl, Subject } from '../../../src/testing/index.ts'
import { freePort } from '../../engines/process.ts'
import { RedisProxy, redisControl, redisMissing, startRedis } from '../../engines/redis.ts'
import { recipeSuites } from '../../testing/recipe-suites.ts'
import { ABILITIES } from '../abilities.ts'

const NAMESPACE = 'conformance'

async function start(): Promise<Subject & { readonly control: BackendControl }> {
  const server = await startRedis()
  const proxy = await RedisProxy.start(server.port)
  return {
    backend: redis(proxy.url, { namespace: NAMESPACE }),
    control: {
      ...redisControl(server, proxy, NAMESPACE),
      unreachable: async () => redis(`redis://127.0.0.1:${await freePort()}`),
    },
    close: async () => {
      await proxy.close()
      await server.close()
    },
  }
}

const reason = redisMissing === null ? '' : ` (skipped: ${redisMissing})`

describe.skipIf(redisMissing !== null)(`a real Redis${reason}`, () => {
  backendSuite({ describe, it, afterAll }, { name: 'redis', create: start, abilities: ABILITIES })

  describe('recipes', () => {
    let subject: Awaited<ReturnType<typeof start>>
    beforeAll(async () => {
      subject = await start()
    })
    afterAll(() => subject.close())
    // The server starts when the cases run, and they are registered before.
    const backend: Backend = {
      name: 'redis',
      capabilities: redis('redis://127.0.0.1').capabilities,
      open: (options) => subject.backend.open(options),
    }
    recipeSuites(backend, {
      expire: (sessionId) => subject.control.expire?.(sessionId),
      disconnect: (sessionId) => subject.control.disconnect?.(sessionId),
      reconnect: (sessionId) => subject.control.reconnect?.(sessionId),
      reap: () => subject.control.reap?.(),
    })
  })
})
