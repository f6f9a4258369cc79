/** `quorate server` in a process of its own: the contract and the recipes over TCP, and what a freeze of it costs. */
import { afterAll, beforeAll } from 'vitest'
import { connect } from '../../../src/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { compiledPackage, startQuorateServer } from '../../engines/quorate-server.ts'
import type { CompiledPackage } from '../../engines/quorate-server.ts'
import { suitesThroughProxies } from '../proxied-suites.ts'
import { freezeTwice, recipeFaults, SESSION_TIMEOUT_MS } from '../recipe-faults.ts'

let compiled: CompiledPackage

beforeAll(() => {
  compiled = compiledPackage()
})

afterAll(() => compiled.remove())

suitesThroughProxies('quorate server in a process of its own', async () => {
  const { port, process } = await startQuorateServer(compiled)
  return { ports: [port], stop: () => process.kill() }
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
