import { describe, it } from 'vitest'
import { etcd } from '../../../src/backends/etcd/index.ts'
import { etcdMissing, startEtcd } from '../../engines/etcd.ts'
import { burst } from '../burst.ts'

const reason = etcdMissing === null ? '' : ` (skipped: ${etcdMissing})`

describe.skipIf(etcdMissing !== null)(`a burst of heavy calls on a real etcd${reason}`, { timeout: 300_000 }, () => {
  it('costs no lease, since keep-alives do not wait for data', async () => {
    const cluster = await startEtcd(1)
    try {
      await burst(etcd(cluster.urls))
    } finally {
      await cluster.close()
    }
  })
})
