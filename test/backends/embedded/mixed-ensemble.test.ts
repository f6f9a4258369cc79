/** One server of ours in an ensemble with two real ones of ZooKeeper, each a process of its own. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connect } from '../../../src/index.ts'
import type { Client, Operation } from '../../../src/index.ts'
import { Migration } from '../../../chaos/migration.ts'
import { Err, OWN_SERVER, OpCode } from '../../../src/backends/wire/codes.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { mixedEnsemble } from '../../engines/mixed-ensemble.ts'
import type { MixedEnsemble } from '../../engines/mixed-ensemble.ts'
import { compiledPackage } from '../../engines/quorate-server.ts'
import type { CompiledPackage } from '../../engines/quorate-server.ts'
import { reasonToSkipZooKeeper } from '../../engines/zookeeper.ts'
import { RawClient } from './host/clients/raw-client.ts'

const skip = reasonToSkipZooKeeper()
const why = skip === null ? '' : ` (${skip})`
const START_MS_MAX = 180_000
const WAIT = { timeout: 30_000, interval: 50 }
const SESSION_MS = 20_000
/** Between two steps of the migration. */
const WORK_MS = 100
const LITTLE = { clients: 2, pauseMs: 200 }
const DATA = Buffer.from('data')
const PART: Operation = { type: 'create', path: '/part', data: DATA, mode: 'persistent' }
const REFUSED: Operation = { type: 'delete', path: '/none', version: -1 }

let compiled: CompiledPackage
let mixed: MixedEnsemble
let clients: Client[] = []

/** A client that may use these servers. */
async function clientOf(...ids: readonly number[]): Promise<Client> {
  const addresses = ids.map((id) => mixed.address(id)).join(',')
  const client = await connect(zookeeper(addresses), { sessionTimeoutMs: SESSION_MS, onError: () => undefined })
  clients.push(client)
  return client
}

async function textAt(client: Client, path: string): Promise<string> {
  await client.sync('/')
  return Buffer.from((await client.get(path)).data).toString()
}

/** Creates nodes below a new one. */
async function fill(client: Client, parent: string, count: number): Promise<void> {
  await client.create(parent, '')
  for (let i = 0; i < count; i++) await client.create(`${parent}/${i}`, `${i}`)
}

/** How many children each of the three has. */
async function countsOf(parent: string): Promise<number[]> {
  return Promise.all(mixed.ids.map(async (id) => {
    const reader = await clientOf(id)
    await reader.sync('/')
    return (await reader.children(parent)).names.length
  }))
}

async function closeClients(): Promise<void> {
  const open = clients
  clients = []
  await Promise.all(open.map((client) => client.close().catch(() => undefined)))
}

/** The promises to two clients at two servers, in both directions. */
function itServesBoth(one: number, other: number): void {
  it('takes writes at each server, and refuses as always', async () => {
    const [here, there] = [await clientOf(one), await clientOf(other)]
    await here.create('/w', 'here')
    expect(await textAt(there, '/w')).toBe('here')
    await there.set('/w', 'there', { version: 0 })
    expect(await textAt(here, '/w')).toBe('there')
    for (const client of [here, there]) {
      await expect(client.set('/w', 'late', { version: 0 })).rejects.toMatchObject({ code: 'BAD_VERSION' })
      await expect(client.create('/w', '')).rejects.toMatchObject({ code: 'NODE_EXISTS' })
      await expect(client.multi([PART, REFUSED])).rejects.toMatchObject({ code: 'NO_NODE', index: 1 })
    }
    await here.multi([PART, { type: 'set', path: '/w', data: DATA, version: -1 }])
    expect(await textAt(there, '/part')).toBe('data')
  })

  it('fires watches for writes at the other server', async () => {
    for (const [from, to] of [[one, other], [other, one]] as const) {
      const [watcher, writer] = [await clientOf(from), await clientOf(to)]
      const path = `/watched-${from}`
      await writer.create(path, '')
      await watcher.sync('/')
      const events: string[] = []
      await watcher.get(path, { watch: (event) => void events.push(event.type) })
      await writer.set(path, 'x')
      await expect.poll(() => events, WAIT).toContain('changed')
    }
  })

  it('shows ephemeral nodes at the other server, until their session ends', async () => {
    for (const [from, to] of [[one, other], [other, one]] as const) {
      const [owner, reader] = [await clientOf(from), await clientOf(to)]
      const path = `/ephemeral-${from}`
      await owner.create(path, '', { mode: 'ephemeral' })
      await reader.sync('/')
      expect(await reader.exists(path)).not.toBeNull()
      await owner.close()
      await reader.sync('/')
      expect(await reader.exists(path)).toBeNull()
    }
  })
}

describe.skipIf(skip !== null)(`a server of ours with two of ZooKeeper${why}`, () => {
  /** In an election of equals the greatest id wins, so this one follows. */
  const [OURS, TWO, THREE] = [1, 2, 3]

  beforeAll(async () => {
    compiled = compiledPackage()
    mixed = await mixedEnsemble(compiled, { ours: [OURS] })
    await mixed.start(TWO, THREE)
    await fill(await clientOf(TWO), '/before', 5)
    await mixed.start(OURS)
  }, START_MS_MAX)

  afterEach(closeClients)

  afterAll(async () => {
    await mixed.stop()
    compiled.remove()
  }, START_MS_MAX)

  it('follows, with the state that a real leader has sent it', async () => {
    expect(await mixed.role(OURS)).toBe('follower')
    expect(await countsOf('/before')).toEqual([5, 5, 5])
  })

  it('is not recognised as one of ours: its leader asks no majority before a ping or a sync is answered', async () => {
    const client = await RawClient.open(Number(mixed.address(OURS).split(':')[1]))
    expect((await client.ask(OpCode.exists, { path: OWN_SERVER, watch: false })).err).toBe(Err.noNode)
    await client.drop()
  })

  itServesBoth(OURS, TWO)

  it('comes back with its data, and its sessions go on at the real ones meanwhile', async () => {
    const mover = await clientOf(OURS, TWO)
    await mover.create('/moved', '', { mode: 'ephemeral' })
    await mixed.kill(OURS)
    const writer = await clientOf(THREE)
    await fill(writer, '/meanwhile', 5)
    // Its leader remembers what it undid in another form than that in which it was proposed.
    await expect(writer.multi([{ ...PART, path: '/undone' }, REFUSED])).rejects.toMatchObject({ code: 'NO_NODE' })
    expect(await textAt(mover, '/moved')).toBe('')
    await mixed.start(OURS)
    expect(await countsOf('/meanwhile')).toEqual([5, 5, 5])
    expect(await (await clientOf(OURS)).exists('/moved')).not.toBeNull()
  }, START_MS_MAX)

  it('goes on without the real leader, of whose ensemble it is half then', async () => {
    await mixed.kill(THREE)
    const [ours, theirs] = [await clientOf(OURS), await clientOf(TWO)]
    await fill(ours, '/half', 5)
    await theirs.create('/half/theirs', '')
    await mixed.start(THREE)
    expect(await countsOf('/half')).toEqual([6, 6, 6])
  }, START_MS_MAX)

  it('is given a state again when it has lost its data, and votes again', async () => {
    await mixed.kill(OURS)
    mixed.wipe(OURS)
    await mixed.start(OURS)
    expect(await countsOf('/half')).toEqual([6, 6, 6])
    await mixed.kill(await mixed.leader())
    await fill(await clientOf(OURS), '/voted', 5)
  }, START_MS_MAX)
})

describe.skipIf(skip !== null)(`three servers of ZooKeeper${why}`, () => {
  beforeAll(async () => {
    compiled = compiledPackage()
    mixed = await mixedEnsemble(compiled, { ours: [] })
    await mixed.start(...mixed.ids)
  }, START_MS_MAX)

  afterEach(closeClients)

  afterAll(async () => {
    await mixed.stop()
    compiled.remove()
  }, START_MS_MAX)

  it('become ours on their own data, one by one and under load, and theirs again', async () => {
    const lines: string[] = []
    const found = await new Migration(mixed, 1, (line) => void lines.push(line), LITTLE).run(WORK_MS)
    expect(found.complaints).toEqual([])
    expect(lines).toHaveLength(2 * mixed.ids.length + 2)
    expect(found.created).toBeGreaterThan(0)
  }, 2 * START_MS_MAX)
})

describe.skipIf(skip !== null)(`a server of ZooKeeper that was ended while it led${why}`, () => {
  beforeAll(async () => {
    compiled = compiledPackage()
    mixed = await mixedEnsemble(compiled, { ours: [] })
    await mixed.start(...mixed.ids)
  }, START_MS_MAX)

  afterEach(closeClients)

  afterAll(async () => {
    await mixed.stop()
    compiled.remove()
  }, START_MS_MAX)

  /** Whether a server has this text in its log. */
  function hasLogged(id: number, text: string): boolean {
    const directory = join(mixed.dataDir(id), 'version-2')
    const logs = readdirSync(directory).filter((name) => name.startsWith('log.'))
    return logs.some((name) => readFileSync(join(directory, name)).includes(text))
  }

  it('becomes ours with what only it has logged, and undoes that by itself', async () => {
    const led = await mixed.leader()
    const others = mixed.ids.filter((id) => id !== led)
    const client = await clientOf(led)
    await fill(client, '/before', 5)
    for (const id of others) mixed.process(id).signal('SIGSTOP')
    const undone = client.create('/undone', '').catch((error: unknown) => error)
    await expect.poll(() => hasLogged(led, '/undone'), WAIT).toBe(true)
    await mixed.kill(led)
    await Promise.all(others.map((id) => mixed.kill(id)))
    await client.close().catch(() => undefined)
    expect(await undone).toMatchObject({ outcome: 'unknown' })
    await mixed.start(...others)
    mixed.become(led, 'ours')
    // Had its leader committed something in the meantime, it would send its state.
    await mixed.start(led)
    expect(mixed.process(led).output()).toMatch(/was never committed: cuts it off and reads them again/)
    expect(await (await clientOf(led)).exists('/undone')).toBeNull()
    expect(await countsOf('/before')).toEqual([5, 5, 5])
    await (await clientOf(led)).create('/goes-on', '')
    await mixed.kill(led)
    await mixed.start(led)
    expect(mixed.process(led).output()).not.toMatch(/never committed/)
    expect(await (await clientOf(led)).exists('/undone')).toBeNull()
  }, START_MS_MAX)
})

describe.skipIf(skip !== null)(`a leader of ours with two servers of ZooKeeper${why}`, () => {
  const [ONE, TWO, OURS] = [1, 2, 3]

  beforeAll(async () => {
    compiled = compiledPackage()
    mixed = await mixedEnsemble(compiled, { ours: [OURS] })
    await mixed.start(ONE, TWO)
    await fill(await clientOf(ONE), '/before', 5)
    await mixed.start(OURS)
    await mixed.kill(TWO)
    await mixed.untilServing(OURS)
    await mixed.untilServing(ONE)
    await mixed.start(TWO)
  }, START_MS_MAX)

  afterEach(closeClients)

  afterAll(async () => {
    await mixed.stop()
    compiled.remove()
  }, START_MS_MAX)

  it('is elected, and brings the others up to date', async () => {
    expect(await Promise.all(mixed.ids.map((id) => mixed.role(id)))).toEqual(['follower', 'follower', 'leader'])
    expect(await countsOf('/before')).toEqual([5, 5, 5])
  })

  itServesBoth(ONE, TWO)

  it('keeps sessions of real servers alive, and lets them move', async () => {
    const mover = await clientOf(ONE, OURS)
    await mover.create('/moved', '', { mode: 'ephemeral' })
    await mixed.kill(ONE)
    await fill(await clientOf(TWO), '/meanwhile', 5)
    expect(await textAt(mover, '/moved')).toBe('')
    await mixed.start(ONE)
    expect(await countsOf('/meanwhile')).toEqual([5, 5, 5])
  }, START_MS_MAX)

  it('sends its state to a real one that has lost its data', async () => {
    await mixed.kill(ONE)
    mixed.wipe(ONE)
    await mixed.start(ONE)
    expect(await countsOf('/meanwhile')).toEqual([5, 5, 5])
    await (await clientOf(ONE)).create('/after-state', '')
  }, START_MS_MAX)

  it('is replaced when it is killed, and follows then', async () => {
    await mixed.kill(OURS)
    await fill(await clientOf(ONE), '/replaced', 5)
    await mixed.start(OURS)
    expect(await mixed.role(OURS)).toBe('follower')
    expect(await countsOf('/replaced')).toEqual([5, 5, 5])
  }, START_MS_MAX)
})
