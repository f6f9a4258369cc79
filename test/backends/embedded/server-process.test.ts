/** `quorate server` in a process of its own: the contract and the recipes over TCP, and what a freeze of it costs. */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { connect } from '../../../src/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import type { Backend } from '../../../src/core/backend.ts'
import { backendSuite } from '../../../src/testing/index.ts'
import type { BackendControl, Subject } from '../../../src/testing/index.ts'
import { freePort } from '../../engines/process.ts'
import { startProxies } from '../../engines/proxy.ts'
import type { Proxies } from '../../engines/proxy.ts'
import { compiledPackage, startQuorateServer } from '../../engines/quorate-server.ts'
import type { CompiledPackage } from '../../engines/quorate-server.ts'
import { recipeSuites } from '../../testing/recipe-suites.ts'
import { ABILITIES } from '../abilities.ts'
import { freezeTwice, recipeFaults, SESSION_TIMEOUT_MS } from '../recipe-faults.ts'

const PATIENCE_MS = 14_000

let compiled: CompiledPackage

beforeAll(() => {
  compiled = compiledPackage()
})

afterAll(() => compiled.remove())

describe('quorate server in a process of its own', () => {
  let proxies: Proxies
  let stop: () => Promise<unknown>
  let backend: Backend

  beforeAll(async () => {
    const server = await startQuorateServer(compiled)
    proxies = await startProxies([server.port])
    backend = zookeeper(proxies.connectString)
    stop = async () => {
      await proxies.stop()
      await server.process.kill()
    }
  })
  afterAll(() => stop())

  const control: BackendControl = {
    expire: (sessionId) => proxies.expire(sessionId),
    disconnect: (sessionId) => {
      proxies.isolate(sessionId)
    },
    reconnect: (sessionId) => {
      proxies.admit(sessionId)
    },
    // The leader does it by itself, in every tick.
    reap: () => undefined,
    unreachable: async () => zookeeper(`127.0.0.1:${await freePort()}`),
  }
  const create = (): Promise<Subject> => Promise.resolve({ backend, control, close: () => Promise.resolve() })
  const name = 'quorate server'
  backendSuite({ describe, it, afterAll }, { name, create, abilities: ABILITIES, patienceMs: PATIENCE_MS })
  // The server starts when the cases run, and they are registered before.
  const later: Backend = {
    name,
    get capabilities() {
      return backend.capabilities
    },
    open: (options) => backend.open(options),
  }
  recipeSuites(later, control)
})

recipeFaults('embedded: the server is frozen for twice the session time-out', async () => {
  const server = await startQuorateServer(compiled)
  const backend = zookeeper(server.address)
  return {
    connect: () => connect(backend, { sessionTimeoutMs: SESSION_TIMEOUT_MS, onError: () => undefined }),
    strike: () => freezeTwice(() => server.process.signal('SIGSTOP'), () => server.process.signal('SIGCONT')),
    close: () => server.process.kill(),
  }
})
