import { describe, it } from 'vitest'
import { redis } from '../../../src/backends/redis/index.ts'
import { redisMissing, startRedis } from '../../engines/redis.ts'
import { burst } from '../burst.ts'

const reason = redisMissing === null ? '' : ` (skipped: ${redisMissing})`

describe.skipIf(redisMissing !== null)(`a burst of heavy calls on a real Redis${reason}`, { timeout: 300_000 }, () => {
  it('costs no lease, since renewals do not wait for data', async () => {
    const server = await startRedis()
    try {
      await burst(redis(`redis://127.0.0.1:${server.port}`))
    } finally {
      await server.close()
    }
  })
})
