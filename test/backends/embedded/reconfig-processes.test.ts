/**
 * Processes whose ensemble changes under load: a server joins, gets a vote, the leader leaves, another one loses its
 * vote; then all are killed, and come up in the last configuration.
 *
 * Checked   every write that was acknowledged is there at the end, at each server; /zookeeper/config and the files
 *           beside each zoo.cfg say the same.
 */
import { readFileSync, realpathSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../../src/index.ts'
import { readConfiguration } from '../../../src/backends/wire/configuration.ts'
import type { Configuration } from '../../../src/backends/wire/configuration.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { readZooCfg } from '../../../src/cli/zoo-cfg.ts'
import { TestShell } from '../../cli/shell-rig.ts'
import { freePorts } from '../../engines/process.ts'
import { compiledPackage } from '../../engines/quorate-server.ts'
import type { CompiledPackage } from '../../engines/quorate-server.ts'
import { QuorateEnsemble } from '../../engines/quorate-ensemble.ts'

const PATIENCE_MS = 120_000
const PATIENCE = { timeout: 30_000, interval: 10 }
const PORTS = 15
const WRITERS = 2
const SUPER = 'super:sesame'
const CONFIG = [
  'reconfigEnabled=true', 'DigestAuthenticationProvider.superDigest=super:vj2Twc2lQjSrH72zpcKdVtrT1Pc=',
]

let compiled: CompiledPackage
let ensemble: QuorateEnsemble
const shells: TestShell[] = []

beforeAll(async () => {
  compiled = compiledPackage()
  ensemble = new QuorateEnsemble(compiled, await freePorts(PORTS), { config: CONFIG, first: 3 })
  ensemble.start([1, 2, 3])
  await ensemble.untilServing([1, 2, 3])
}, PATIENCE_MS)

afterAll(async () => {
  await Promise.all(shells.map(({ shell }) => shell.close()))
  await ensemble.stop()
  compiled.remove()
})

/** A shell at some servers, and who it is to them. */
async function shellAt(ids: readonly number[], auth: string | null = SUPER): Promise<TestShell> {
  const shell = new TestShell(ids.map((id) => ensemble.address(id)).join(','))
  shells.push(shell)
  await shell.shell.connect()
  if (auth !== null) await shell.ok(`addauth digest ${auth}`)
  return shell
}

/** Creates one node after the other, and keeps the names of those that were acknowledged. */
class Writer {
  readonly acknowledged: string[] = []
  #isStopped = false
  readonly #ended: Promise<void>

  constructor(addresses: string, name: string) {
    this.#ended = this.#run(addresses, name)
  }

  async #run(addresses: string, name: string): Promise<void> {
    await using client = await connect(zookeeper(addresses), { sessionTimeoutMs: 20_000, onError: () => undefined })
    for (let count = 0; !this.#isStopped; count++) {
      const node = `${name}-${count}`
      // One that failed may be done or not.
      await client.create(`/${node}`, '').then(() => this.acknowledged.push(node), () => undefined)
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ended
  }
}

async function configurationAt(id: number): Promise<Configuration> {
  await using client = await connect(zookeeper(ensemble.address(id)), { onError: () => undefined })
  await client.sync('/')
  return readConfiguration(Buffer.from((await client.get('/zookeeper/config')).data).toString())
}

async function lostAt(id: number, writers: readonly Writer[]): Promise<string[]> {
  await using client = await connect(zookeeper(ensemble.address(id)), { onError: () => undefined })
  const acknowledged = writers.flatMap((writer) => writer.acknowledged)
  await client.sync('/')
  const names = new Set((await client.children('/')).names)
  return acknowledged.filter((name) => !names.has(name))
}

/** Waits until a server says that it serves in a role, once more than before. */
async function untilServes(id: number, role: string, change: () => Promise<unknown>): Promise<void> {
  const count = (): number => ensemble.process(id).output().split(`serves, ${role}`).length
  const before = count()
  await change()
  await expect.poll(count, PATIENCE).toBeGreaterThan(before)
}

/** Waits until all of the servers have written what is in force, and sees that it is what they have in their trees. */
async function expectFiles(ids: readonly number[]): Promise<void> {
  for (const id of ids) {
    const { text, version } = await configurationAt(id)
    const file = realpathSync(ensemble.configuration(id))
    const dynamic = `${file}.dynamic.${version.toString(16)}`
    const pointer = (): boolean => readFileSync(file, 'utf8').includes(`dynamicConfigFile=${dynamic}\n`)
    await expect.poll(pointer, PATIENCE).toBe(true)
    expect(`${readFileSync(dynamic, 'utf8')}\nversion=${version.toString(16)}`).toBe(text)
    expect(readZooCfg(readFileSync(file, 'utf8'), file).notices).toEqual([])
  }
}

describe('an ensemble that changes under load', () => {
  it('loses nothing, whoever joins and leaves, and comes up in its last configuration', async () => {
    const shell = await shellAt([1, 2, 3])
    const writers = Array.from({ length: WRITERS }, (_, index) => new Writer(ensemble.addresses, `w${index}`))
    const inForce = async (line: string): Promise<Configuration> => {
      return readConfiguration((await shell.ok(line)).replace(/^Committed new configuration:/, ''))
    }
    expect(await shell.ok('config')).toMatch(/^server\.1=.*\nserver\.2=.*\nserver\.3=.*\nversion=1000000\d\d\n$/)

    // It is turned away until the configuration names it.
    ensemble.start([4])
    const turnedAway = (): string => [1, 2, 3].map((id) => ensemble.process(id).output()).join('')
    await expect.poll(turnedAway, PATIENCE).toContain('server 4 is none of the others')
    await untilServes(4, 'OBSERVING', () => shell.ok(`reconfig -add ${ensemble.line(4, 'observer')}`))
    let voters: readonly number[] = []
    await untilServes(4, 'FOLLOWING', async () => {
      voters = (await inForce(`reconfig -add ${ensemble.line(4, 'participant')}`)).voters
    })
    expect(voters).toEqual([1, 2, 3, 4])

    const { leader } = ensemble
    const rest = [1, 2, 3, 4].filter((id) => id !== leader)
    expect((await inForce(`reconfig -remove ${leader}`)).voters).toEqual(rest)
    await expect.poll(() => ensemble.leader, PATIENCE).not.toBe(leader)
    await ensemble.process(leader).kill()

    const demoted = rest.find((id) => id !== ensemble.leader && id !== 4) ?? 0
    const lines = rest.map((id) => ensemble.line(id, id === demoted ? 'observer' : 'participant'))
    await untilServes(demoted, 'OBSERVING', async () => {
      const other = await shellAt(rest)
      expect(await other.ok(`reconfig -members ${lines.join(',')}`)).toContain(`${demoted}=`)
    })
    const last = await configurationAt(4)
    expect([last.voters, last.observers]).toEqual([rest.filter((id) => id !== demoted), [demoted]])
    for (const id of rest) expect(await lostAt(id, writers)).toEqual([])
    await expectFiles(rest)

    await Promise.all(rest.map((id) => ensemble.process(id).kill()))
    ensemble.start(rest)
    await ensemble.untilServing(rest)
    await Promise.all(writers.map((writer) => writer.stop()))
    for (const { acknowledged } of writers) expect(acknowledged.length).toBeGreaterThan(20)
    for (const id of rest) {
      expect((await configurationAt(id)).text).toBe(last.text)
      expect(await lostAt(id, writers)).toEqual([])
    }

    // One without data begins with its files.
    await ensemble.process(demoted).kill()
    rmSync(join(ensemble.dataDir(demoted), 'version-2'), { recursive: true })
    ensemble.start([demoted])
    await ensemble.untilServing([demoted])
    expect((await configurationAt(demoted)).text).toBe(last.text)
  }, PATIENCE_MS)

  it('refuses what cannot be with the codes of ZooKeeper', async () => {
    const ids = [1, 2, 3, 4].filter((id) => ensemble.process(id).output().includes('serves on'))
    const { voters, version } = await configurationAt(4)
    const shell = await shellAt(ids)
    const status = async (line: string, by = shell): Promise<string> => (await by.run(line)).err
    const [first = 0] = voters
    expect(await status(`reconfig -v 1 -remove ${first}`)).toContain('version No is not valid')
    expect(await status(`reconfig -remove ${first}`)).toContain('Arguments are not valid')
    expect(await status('reconfig -add server.5=127.0.0.1:1')).toContain('Arguments are not valid')
    const absent = [first, 5].map((id) => ensemble.line(id, 'participant')).join(',')
    expect(await status(`reconfig -members ${absent}`)).toContain('-13')
    const nobody = await shellAt(ids, null)
    expect(await status(`reconfig -add ${ensemble.line(5, 'observer')}`, nobody)).toContain('Insufficient permission')
    expect((await configurationAt(4)).version).toBe(version)
  }, PATIENCE_MS)
})
