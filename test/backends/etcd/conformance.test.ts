import { afterAll, beforeAll, describe, it } from 'vitest'
import type { Backend } from '../../../src/core/backend.ts'
import { backendSuite } from '../../../src/testing/index.ts'
import type { Subject } from '../../../src/testing/index.ts'
import { etcdMissing, startEtcd } from '../../engines/etcd.ts'
import type { EtcdCluster } from '../../engines/etcd.ts'
import { recipeSuites } from '../../testing/recipe-suites.ts'
import { proxiedEtcd } from './subject.ts'
import type { ProxiedEtcd } from './subject.ts'
import { ABILITIES } from '../abilities.ts'

const MISSING = etcdMissing === null ? '' : ` (skipped: ${etcdMissing})`

for (const members of [1, 3]) {
  const name = `etcd with ${members} ${members === 1 ? 'member' : 'members'}`
  describe.skipIf(etcdMissing !== null)(`${name}${MISSING}`, () => {
    let cluster: EtcdCluster | null = null
    let proxied: ProxiedEtcd | null = null
    const get = (): ProxiedEtcd => {
      if (proxied === null) throw new Error('etcd was not started')
      return proxied
    }
    beforeAll(async () => {
      cluster = await startEtcd(members)
      proxied = proxiedEtcd(cluster, '/quorate')
    })
    afterAll(async () => {
      await proxied?.close()
      await cluster?.close()
    })

    const create = (): Promise<Subject> => {
      return Promise.resolve({ backend: get().backend, control: get().control, close: () => Promise.resolve() })
    }
    backendSuite({ describe, it, afterAll }, { name, create, abilities: ABILITIES })

    if (members === 1) return
    const later: Backend = {
      name,
      get capabilities() {
        return get().backend.capabilities
      },
      open: (options) => get().backend.open(options),
    }
    recipeSuites(later, {
      expire: (sessionId) => get().control.expire(sessionId),
      disconnect: (sessionId) => get().control.disconnect(sessionId),
      reconnect: (sessionId) => get().control.reconnect(sessionId),
    })
  })
}
