/** The suite of the contract and those of all recipes, on servers that are reached through proxies. */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import type { ZooKeeperOptions } from '../../src/backends/zookeeper/index.ts'
import type { Backend } from '../../src/core/backend.ts'
import { backendSuite } from '../../src/testing/index.ts'
import type { BackendControl } from '../../src/testing/index.ts'
import { freePort } from '../engines/process.ts'
import { startProxies } from '../engines/proxy.ts'
import type { Proxies, ProxyTls } from '../engines/proxy.ts'
import { recipeSuites } from '../testing/recipe-suites.ts'
import { ABILITIES } from './abilities.ts'

/** A case may take four times as long, which is below the limit of a test. */
const PATIENCE_MS = 14_000

/** Servers that serve. */
export interface Served {
  /** Where, on 127.0.0.1. */
  readonly ports: readonly number[]
  /** TLS on these ports, and before them. */
  readonly tls?: ProxyTls
  /** Of the backend. */
  readonly options?: ZooKeeperOptions
  stop(): Promise<unknown>
}

/**
 * Registers the suites.
 *
 * @param name - of the servers, for the names of the cases
 * @param start - starts them, when the first case runs; they look for containers and nodes to remove by themselves
 */
export function suitesThroughProxies(name: string, start: () => Promise<Served>): void {
  describe(name, () => {
    let served: Served
    let proxies: Proxies
    let backend: Backend

    beforeAll(async () => {
      served = await start()
      proxies = await startProxies(served.ports, served.tls)
      backend = zookeeper(proxies.connectString, served.options)
    })
    afterAll(async () => {
      await proxies.stop()
      await served.stop()
    })

    const control: BackendControl = {
      expire: (sessionId) => proxies.expire(sessionId),
      disconnect: (sessionId) => {
        proxies.isolate(sessionId)
      },
      reconnect: (sessionId) => {
        proxies.admit(sessionId)
      },
      reap: () => undefined,
      unreachable: async () => zookeeper(`127.0.0.1:${await freePort()}`),
    }
    const create = (): ReturnType<Parameters<typeof backendSuite>[1]['create']> => {
      return Promise.resolve({ backend, control, close: () => Promise.resolve() })
    }
    backendSuite({ describe, it, afterAll }, { name, create, abilities: ABILITIES, patienceMs: PATIENCE_MS })
    // The servers start when the cases run, and these are registered before.
    const later: Backend = {
      name,
      get capabilities() {
        return backend.capabilities
      },
      open: (options) => backend.open(options),
    }
    recipeSuites(later, control)
  })
}
