/** How servers tell the nodes of one session from another's at the same path: real ones, and ours over the protocol. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import type { Channel, Dialer } from '../../../src/backends/client/channel.ts'
import { OWN_SERVER, OpCode } from '../../../src/backends/wire/codes.ts'
import { ZooKeeperBackend } from '../../../src/backends/zookeeper/backend.ts'
import { destinationOf } from '../../../src/backends/zookeeper/connection-string.ts'
import { settingsOf } from '../../../src/backends/zookeeper/options.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import type { ZooKeeperOptions } from '../../../src/backends/zookeeper/index.ts'
import type { Operation, Session } from '../../../src/core/backend.ts'
import { joinPath } from '../../../src/core/path.ts'
import { FairLock, connect } from '../../../src/index.ts'
import { startProxies } from '../../engines/proxy.ts'
import { reasonToSkipZooKeeper, startZooKeeper } from '../../engines/zookeeper.ts'

const DATA = Uint8Array.of(7)
const PERSISTENT = { mode: 'persistent' } as const
const OWN = { mode: 'ephemeral', owned: true } as const
const OWN_IN_LINE = { mode: 'ephemeral-sequential', owned: true } as const

/** A server to connect to. */
interface Started {
  readonly address: string
  close(): Promise<unknown>
}

/** A session, and the operations of the requests that it has sent. */
interface Watched {
  readonly session: Session
  readonly sent: number[]
}

const skipped = reasonToSkipZooKeeper()
const endings: (() => Promise<unknown>)[] = []
let folders = 0

afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end()
})

/** A backend that tells the operations of the requests that its sessions send. */
function backendAt(address: string, options: ZooKeeperOptions, sent: number[]): ZooKeeperBackend {
  const around = (dialer: Dialer): Dialer => ({
    serverCount: dialer.serverCount,
    dial: (listener): Channel => {
      const channel = dialer.dial(listener)
      const send: Channel['send'] = (message) => {
        if (message.kind === 'request') {
          const { request } = message
          // Ours are not to be recognised here, where they stand for ZooKeeper's; nobody counts the question.
          if (request.op === OpCode.exists && request.body.path === OWN_SERVER) {
            channel.send({ kind: 'request', request: { ...request, body: { path: '/nobody', watch: false } } })
            return
          }
          sent.push(request.op)
        }
        channel.send(message)
      }
      return { server: channel.server, send, close: () => channel.close() }
    },
  })
  return new ZooKeeperBackend(destinationOf(address), settingsOf(options), around)
}

async function open(address: string, options: ZooKeeperOptions = {}): Promise<Watched> {
  const sent: number[] = []
  const session = await backendAt(address, options, sent).open({ onError: () => undefined })
  endings.push(() => session.close())
  return { session, sent }
}

/** A new parent. */
async function parentIn({ session }: Watched): Promise<string> {
  folders += 1
  return (await session.create(`/folder-${folders}`, DATA, PERSISTENT)).path
}

function check(path: string, czxid: bigint): Operation {
  return { type: 'check', path, version: -1, czxid }
}

function remove(path: string, czxid: bigint): Operation[] {
  return [check(path, czxid), { type: 'delete', path, version: -1 }]
}

/** Does something, and tells which requests it took. */
async function requestsOf({ sent }: Watched, work: () => Promise<unknown>): Promise<number[]> {
  const before = sent.length
  await work()
  return sent.slice(before).filter((op) => op !== OpCode.ping)
}

async function zooKeeperWith(properties: Record<string, string>): Promise<Started> {
  const engine = await startZooKeeper({ properties })
  return { address: engine.connectString, close: () => engine.stop() }
}

async function ours(): Promise<Started> {
  const ensemble = embedded({ servers: 1, clientPorts: [0], maxClientCnxns: 0 })
  await ensemble.start()
  return { address: `127.0.0.1:${ensemble.clientPorts[0] ?? 0}`, close: () => ensemble.close() }
}

/** A server for the tests of a group. */
function started(start: () => Promise<Started>): { readonly address: string } {
  let server: Started
  beforeAll(async () => {
    server = await start()
  })
  afterAll(() => server.close())
  return {
    get address(): string {
      return server.address
    },
  }
}

/** Which node is ours, whatever the servers make of lists. */
function whatEveryServerKeeps(server: { readonly address: string }): void {
  it('deletes, sets and replaces the node that is meant', async () => {
    const own = await open(server.address)
    const path = joinPath(await parentIn(own), 'n')
    const { stat } = await own.session.create(path, DATA, OWN)
    const set: Operation = { type: 'set', path, data: Uint8Array.of(8), version: 0 }
    expect(await own.session.multi([check(path, stat.czxid), set])).toMatchObject([
      { type: 'check' },
      { type: 'set', stat: { czxid: stat.czxid, version: 1 } },
    ])
    const again: Operation = { type: 'create', path, data: DATA, ...OWN }
    const results = await own.session.multi([...remove(path, stat.czxid), again])
    expect(results.map(({ type }) => type)).toEqual(['check', 'delete', 'create'])
    const next = await own.session.exists(path)
    expect(results[2]).toMatchObject({ path, stat: { czxid: next?.czxid, ephemeralOwner: own.session.id } })
    expect(await own.session.multi(remove(path, next?.czxid ?? 0n))).toEqual([{ type: 'check' }, { type: 'delete' }])
    expect(await own.session.exists(path)).toBeNull()
  })

  it.each([
    ['with a node of its own', OWN],
    ['with any node', PERSISTENT],
  ])('touches nothing that another session has put there, %s', async (_, options) => {
    const [own, other] = [await open(server.address), await open(server.address)]
    const path = joinPath(await parentIn(own), 'n')
    const { stat } = await own.session.create(path, DATA, OWN)
    await other.session.delete(path, -1)
    await expect(own.session.multi(remove(path, stat.czxid))).rejects.toMatchObject({ code: 'NO_NODE', index: 0 })
    const { stat: there } = await other.session.create(path, DATA, options)
    const set: Operation = { type: 'set', path, data: Uint8Array.of(8), version: -1 }
    const refused = { code: 'BAD_VERSION', index: 0, outcome: 'rejected' }
    await expect(own.session.multi([check(path, stat.czxid), set])).rejects.toMatchObject(refused)
    await expect(own.session.multi(remove(path, stat.czxid))).rejects.toMatchObject(refused)
    expect(await own.session.get(path)).toMatchObject({ data: DATA, stat: { czxid: there.czxid, version: 0 } })
  })
}

/** The same in haste. */
function whatEveryServerKeepsInHaste(server: { readonly address: string }): void {
  it('touches nothing that another has put there while others create beside it', async () => {
    const [own, other, third] = [await open(server.address), await open(server.address), await open(server.address)]
    const parent = await parentIn(own)
    let isBusy = true
    const crowd = Array.from({ length: 4 }, async () => {
      while (isBusy) await third.session.create(`${parent}/beside-`, DATA, { mode: 'ephemeral-sequential' })
    })
    for (let round = 0; round < 30; round += 1) {
      const path = joinPath(parent, `n${round}`)
      const { stat } = await own.session.create(path, DATA, OWN)
      const deleted = other.session.delete(path, -1)
      const created = other.session.create(path, DATA, OWN)
      await Promise.allSettled([own.session.multi(remove(path, stat.czxid)), deleted])
      const theirs = await created.then(({ stat: { czxid } }) => czxid, () => undefined)
      expect((await own.session.exists(path))?.czxid).toBe(theirs)
    }
    isBusy = false
    await Promise.all(crowd)
  })

  it('touches nothing when the three follow one another without an answer in between', async () => {
    const [own, other] = [await open(server.address), await open(server.address)]
    const parent = await parentIn(own)
    for (let round = 0; round < 30; round += 1) {
      const path = joinPath(parent, `n${round}`)
      const { stat } = await own.session.create(path, DATA, OWN)
      const deleted = other.session.delete(path, -1)
      const created = other.session.create(path, DATA, OWN)
      const released = own.session.multi(remove(path, stat.czxid)).then(() => 'deleted', () => 'refused')
      const results = await Promise.allSettled([deleted, created, released])
      // Whoever came first, the other's node is there if it was made.
      const { stat: theirs } = results[1].status === 'fulfilled' ? results[1].value : { stat: null }
      expect((await own.session.exists(path))?.czxid).toBe(theirs?.czxid)
    }
  })

  it('tells two nodes of one session at one path apart, also while the second is on its way', async () => {
    const [own, operator] = [await open(server.address), await open(server.address)]
    const path = joinPath(await parentIn(own), 'n')
    const { stat: first } = await own.session.create(path, DATA, OWN)
    await operator.session.delete(path, -1)
    const creating = own.session.create(path, DATA, OWN)
    await expect(own.session.multi(remove(path, first.czxid))).rejects.toMatchObject({ code: 'BAD_VERSION', index: 0 })
    const { stat: second } = await creating
    await expect(own.session.multi(remove(path, first.czxid))).rejects.toMatchObject({ code: 'BAD_VERSION', index: 0 })
    expect(await own.session.multi(remove(path, second.czxid))).toHaveLength(2)
  })

  it('says which operation was refused, and does none', async () => {
    const own = await open(server.address)
    const path = joinPath(await parentIn(own), 'n')
    const { stat } = await own.session.create(path, DATA, OWN)
    const impossible: Operation = { type: 'create', path: `${path}-x/y`, data: DATA, mode: 'persistent' }
    await expect(own.session.multi([...remove(path, stat.czxid), impossible])).rejects.toMatchObject({
      code: 'NO_NODE',
      index: 2,
    })
    const set: Operation = { type: 'set', path, data: DATA, version: 5 }
    await expect(own.session.multi([check(path, stat.czxid), set])).rejects.toMatchObject({
      code: 'BAD_VERSION',
      index: 1,
    })
    expect(await own.session.exists(path)).toMatchObject({ version: 0 })
  })
}

/** Promises and costs where the servers check access control lists, which they do by default. */
function whatServersWithListsKeep(server: { readonly address: string }): void {
  it('does not wait until nobody creates beside the node', async () => {
    const [own, other] = [await open(server.address), await open(server.address)]
    const parent = await parentIn(own)
    const path = joinPath(parent, 'n')
    let isBusy = true
    const crowd = Array.from({ length: 8 }, async () => {
      while (isBusy) await other.session.create(`${parent}/beside-`, DATA, { mode: 'ephemeral-sequential' })
    })
    const rounds = 100
    const sent = await requestsOf(own, async () => {
      for (let round = 0; round < rounds; round += 1) {
        const { stat } = await own.session.create(path, DATA, OWN)
        await own.session.multi(remove(path, stat.czxid))
      }
    })
    isBusy = false
    await Promise.all(crowd)
    const multis = sent.filter((op) => op === OpCode.multi).length
    // The first is the trial; now and then it is tried by the count again.
    expect(multis).toBeLessThan(1.2 * rounds)
  })

  it('touches nothing that another has put under a parent that was made again and counts from the start', async () => {
    const [own, other] = [await open(server.address), await open(server.address)]
    const top = await parentIn(own)
    for (let round = 0; round < 60; round += 1) {
      const parent = joinPath(top, `p${round}`)
      const path = joinPath(parent, 'n')
      await own.session.create(parent, DATA, PERSISTENT)
      const { stat } = await own.session.create(path, DATA, OWN)
      const removing = own.session.multi(remove(path, stat.czxid))
      const replacing = other.session.multi([
        { type: 'delete', path, version: -1 },
        { type: 'delete', path: parent, version: -1 },
        { type: 'create', path: parent, data: DATA, ...PERSISTENT },
        { type: 'create', path, data: DATA, ...OWN },
      ])
      const [, replaced] = await Promise.allSettled([removing, replacing])
      expect((await own.session.exists(path)) !== null).toBe(replaced.status === 'fulfilled')
    }
  })

  it('asks for nothing of the kind while no node is to be owned', async () => {
    const own = await open(server.address)
    const parent = await parentIn(own)
    const plain = await requestsOf(own, () => own.session.create(`${parent}/a`, DATA, { mode: 'ephemeral' }))
    expect(plain).toEqual([OpCode.create2])
    const first = await requestsOf(own, () => own.session.create(`${parent}/b`, DATA, OWN))
    expect(first).toEqual([OpCode.auth, OpCode.multi, OpCode.create2])
    const second = await requestsOf(own, () => own.session.create(`${parent}/c`, DATA, OWN))
    expect(second).toEqual([OpCode.create2])
  })

  it('lets others read and delete the node, and its owner alone write it', async () => {
    const [own, other] = [await open(server.address), await open(server.address)]
    const path = joinPath(await parentIn(own), 'n')
    await own.session.create(path, DATA, OWN)
    await expect(other.session.set(path, DATA, -1)).rejects.toMatchObject({ code: 'NO_AUTH' })
    expect((await other.session.get(path)).data).toEqual(DATA)
    expect((await own.session.set(path, DATA, -1)).version).toBe(1)
    await other.session.delete(path, -1)
    expect(await own.session.exists(path)).toBeNull()
  })
}

/** Nodes that are watched, where the servers check access control lists. */
function whatAWatchSpares(server: { readonly address: string }): void {
  it('touches no node that anybody has put in the place of a watched one that it has just made', async () => {
    const [own, other] = [await open(server.address), await open(server.address)]
    for (let round = 0; round < 60; round += 1) {
      // A parent where others were just seen to create goes by the right to write, which such a node gives to all.
      const { path, stat } = await own.session.create(`${await parentIn(own)}/n-`, DATA, OWN_IN_LINE)
      const looking = own.session.get(path, () => undefined)
      // Half of the time the look has its answer before, and the watch stands.
      if (round % 2 === 0) await looking
      const replacing = other.session.multi([
        { type: 'delete', path, version: -1 },
        { type: 'create', path, data: DATA, ...PERSISTENT },
      ])
      const removing = own.session.multi(remove(path, stat.czxid))
      const [replaced] = await Promise.allSettled([replacing, removing, looking])
      expect((await own.session.exists(path)) !== null).toBe(replaced.status === 'fulfilled')
    }
  })

  it('takes one request for a node that it watches, also while others create beside it', async () => {
    const [own, other] = [await open(server.address), await open(server.address)]
    const parent = await parentIn(own)
    const made = async (): Promise<Operation[]> => {
      const { path, stat } = await own.session.create(`${parent}/n-`, DATA, OWN_IN_LINE)
      await own.session.exists(path, () => undefined)
      return remove(path, stat.czxid)
    }
    await own.session.multi(await made())
    const quiet = await made()
    expect(await requestsOf(own, () => own.session.multi(quiet))).toEqual([OpCode.multi])
    const beside = async (): Promise<Operation[]> => {
      const removal = await made()
      await other.session.create(`${parent}/beside-`, DATA, { mode: 'ephemeral-sequential' })
      return removal
    }
    // The first finds out that its count was overtaken.
    const first = await beside()
    expect(await requestsOf(own, () => own.session.multi(first))).toEqual([OpCode.multi, OpCode.multi])
    const second = await beside()
    expect(await requestsOf(own, () => own.session.multi(second))).toEqual([OpCode.multi])
  })

  it('looks where the watch has fired, or was taken back', async () => {
    const [own, other] = [await open(server.address), await open(server.address)]
    const parent = await parentIn(own)
    const watch = (): void => undefined
    for (const end of ['fired', 'taken back']) {
      const { path, stat } = await own.session.create(`${parent}/n-`, DATA, OWN_IN_LINE)
      await own.session.exists(path, watch)
      if (end === 'fired') await own.session.set(path, DATA, -1)
      else own.session.unwatch(path, watch)
      await other.session.create(`${parent}/beside-`, DATA, { mode: 'ephemeral-sequential' })
      const sent = await requestsOf(own, () => own.session.multi(remove(path, stat.czxid)))
      expect(sent.slice(0, 2)).toEqual([OpCode.exists, OpCode.exists])
    }
  })
}

/** The cost of a recipe where the servers check access control lists. */
function whatALockTakes(server: { readonly address: string }): void {
  it('takes four requests for a free lock: one to acquire it with two looks, and one to release it', async () => {
    const sent: number[] = []
    const client = await connect(backendAt(server.address, {}, sent))
    endings.push(() => client.close())
    const lock = new FairLock(client, joinPath(await parentIn(await open(server.address)), 'lock'))
    await (await lock.acquire()).release()
    const before = sent.length
    await (await lock.acquire()).release()
    const acquired = [OpCode.create2, OpCode.getChildren2, OpCode.exists]
    expect(sent.slice(before).filter((op) => op !== OpCode.ping)).toEqual([...acquired, OpCode.multi])
  })
}

/** Whom the servers know a session as. */
function whatBecomesOfTheIdentity(server: { readonly address: string }): void {
  it('is known again after the connection was lost', async () => {
    const proxies = await startProxies([Number(server.address.split(':')[1])])
    endings.push(() => proxies.stop())
    const own = await open(proxies.connectString)
    const path = joinPath(await parentIn(own), 'n')
    const { stat } = await own.session.create(path, DATA, OWN)
    const back = new Promise<void>((resolve) => {
      own.session.onState(({ status }) => {
        if (status === 'connected') resolve()
      })
    })
    proxies.cutAll()
    await back
    expect((await own.session.set(path, DATA, -1)).version).toBe(1)
    expect(await own.session.multi(remove(path, stat.czxid))).toHaveLength(2)
  })

  it('puts no identity of its own on lists that name whoever creates a node', async () => {
    const options: ZooKeeperOptions = { auth: [{ scheme: 'digest', auth: 'bob:secret' }], acl: 'creator' }
    const own = await open(server.address, options)
    const path = joinPath(await parentIn(own), 'n')
    const { stat } = await own.session.create(path, DATA, OWN)
    const bobs = await open(server.address, options)
    expect((await bobs.session.set(path, DATA, -1)).version).toBe(1)
    expect(await own.session.multi(remove(path, stat.czxid))).toHaveLength(2)
  })
}

describe('our own servers, over the protocol of ZooKeeper', () => {
  const server = started(ours)
  whatEveryServerKeeps(server)
  whatEveryServerKeepsInHaste(server)
  whatServersWithListsKeep(server)
  whatAWatchSpares(server)
  whatALockTakes(server)
  whatBecomesOfTheIdentity(server)
})

describe.skipIf(skipped !== null)('ZooKeeper', () => {
  const server = started(() => zooKeeperWith({}))
  whatEveryServerKeeps(server)
  whatEveryServerKeepsInHaste(server)
  whatServersWithListsKeep(server)
  whatAWatchSpares(server)
  whatALockTakes(server)
  whatBecomesOfTheIdentity(server)
})

describe.skipIf(skipped !== null).each([
  ['that checks no lists', { 'zookeeper.skipACL': 'yes' }],
  ['that digests in another way', { 'zookeeper.DigestAuthenticationProvider.digestAlg': 'SHA3-256' }],
])('a ZooKeeper %s', (_, properties) => {
  const server = started(() => zooKeeperWith(properties))
  whatEveryServerKeeps(server)
  whatEveryServerKeepsInHaste(server)
})

it.skipIf(skipped !== null)('a ZooKeeper without digest costs one connection, and no lock', async () => {
  const server = await zooKeeperWith({ 'zookeeper.DigestAuthenticationProvider.enabled': 'false' })
  endings.push(() => server.close())
  const backend = zookeeper(server.address)
  const losses: number[] = []
  for (let session = 0; session < 2; session += 1) {
    const client = await connect(backend)
    let lost = 0
    client.onState(({ status }) => {
      if (status === 'suspended') lost += 1
    })
    for (let round = 0; round < 3; round += 1) {
      const lease = await new FairLock(client, '/lock').acquire()
      await lease.release()
    }
    losses.push(lost)
    await client.close()
  }
  expect(losses).toEqual([1, 0])
})
