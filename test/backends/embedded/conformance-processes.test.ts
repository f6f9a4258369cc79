/**
 * The suite of the contract and those of all recipes on processes: three of ours, with TLS between them and to their
 * clients; and one of ours with two of ZooKeeper, which leads, and which follows.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, it } from 'vitest'
import { freePorts } from '../../engines/process.ts'
import { mixedEnsemble } from '../../engines/mixed-ensemble.ts'
import { QuorateEnsemble } from '../../engines/quorate-ensemble.ts'
import { compiledPackage } from '../../engines/quorate-server.ts'
import type { CompiledPackage } from '../../engines/quorate-server.ts'
import { reasonToSkipZooKeeper } from '../../engines/zookeeper.ts'
import { authority } from '../../support/certificates.ts'
import { suitesThroughProxies } from '../proxied-suites.ts'
import type { Served } from '../proxied-suites.ts'

const PORTS_EACH = 3
const IDS = [1, 2, 3]
/** One of ours among the others; when the leader ends, that with the largest id of equals leads. */
const OURS = 3
/** How often a leader may have to be ended until it is the wanted one. */
const CHANGES_MAX = 5
/** How often a leader looks for containers and nodes to remove, in milliseconds. */
const REAP = { 'znode.container.checkIntervalMs': 50 }

let compiled: CompiledPackage

beforeAll(() => {
  compiled = compiledPackage()
})
afterAll(() => {
  compiled.remove()
})

/** Three servers that take nothing but TLS, from peers and from clients, who have a certificate as well. */
async function threeByTls(): Promise<Served> {
  const ca = authority('ensemble')
  const { keyStore, key, certificate: cert } = ca.issue({ hosts: ['127.0.0.1', 'localhost'] })
  const folder = join(compiled.path, 'tls')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'key.pem'), keyStore)
  writeFileSync(join(folder, 'ca.pem'), ca.certificate)
  const stores = ['ssl', 'ssl.quorum'].flatMap((prefix) => [
    `${prefix}.keyStore.location=${join(folder, 'key.pem')}`,
    `${prefix}.trustStore.location=${join(folder, 'ca.pem')}`,
  ])
  const ports = await freePorts(PORTS_EACH * IDS.length + IDS.length)
  const secure = ports.splice(PORTS_EACH * IDS.length)
  const ensemble = new QuorateEnsemble(compiled, ports)
  for (const id of ensemble.ids) {
    const more = Object.entries({ ...REAP, sslQuorum: true, secureClientPort: secure[id - 1] })
    ensemble.configure(id, [...stores, ...more.map(([name, value]) => `${name}=${value}`)])
  }
  ensemble.start()
  await ensemble.untilServing()
  const own = { key, cert, ca: ca.certificate }
  return {
    ports: secure,
    tls: { toClients: { ...own, requestCert: true }, toServers: own },
    options: { tls: own },
    stop: () => ensemble.stop(),
  }
}

suitesThroughProxies('three processes, by TLS', threeByTls)

/** One server of ours and two of ZooKeeper. */
async function mixed(leads: boolean): Promise<Served> {
  const ensemble = await mixedEnsemble(compiled, { ours: [OURS], config: REAP, reference: { properties: REAP } })
  await ensemble.start(...IDS)
  let leader = await ensemble.leader()
  for (let changes = 0; (leader === OURS) !== leads; changes++) {
    if (changes === CHANGES_MAX) throw new Error(`server ${leader} leads again`)
    await ensemble.end(leader)
    const next = await ensemble.leader()
    await ensemble.start(leader)
    leader = next
  }
  return { ports: IDS.map((id) => Number(ensemble.address(id).split(':')[1])), stop: () => ensemble.stop() }
}

const skipped = reasonToSkipZooKeeper()
if (skipped === null) {
  suitesThroughProxies('two servers of ZooKeeper that one of ours leads', () => mixed(true))
  suitesThroughProxies('two servers of ZooKeeper that one of ours follows', () => mixed(false))
} else {
  it.skipIf(true)(`conformance on mixed ensembles (skipped: ${skipped})`, () => undefined)
}
