/** A chroot that an operator deletes under its clients, and the root that it shows them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { embedded } from '../../../src/backends/embedded/index.ts'
import { zookeeper } from '../../../src/backends/zookeeper/index.ts'
import { connect } from '../../../src/core/connect.ts'
import type { Client } from '../../../src/core/client.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'

const ensemble = embedded({ servers: 1, tickMs: 20, clientPorts: [0] })
let operator: Client
let server: string

beforeAll(async () => {
  await ensemble.start()
  server = `127.0.0.1:${ensemble.clientPorts[0] ?? 0}`
  operator = await connect(zookeeper(server))
})
afterAll(async () => {
  await operator.close()
  await ensemble.close()
})

async function deleteTree(path: string): Promise<void> {
  for (const name of (await operator.children(path)).names) await deleteTree(`${path}/${name}`)
  await operator.delete(path)
}

/** How many writes the servers have seen, refused ones among them. */
async function writes(): Promise<number> {
  const { stat } = await operator.create('/count-', '', { mode: 'ephemeral-sequential' })
  return Number(BigInt.asUintN(32, stat.czxid))
}

describe('a chroot that is gone', () => {
  it('is made again by makePath, with its ancestors, in a few requests', async () => {
    await using client = await connect(zookeeper(`${server}/eu/app`))
    await deleteTree('/eu')
    const before = await writes()
    await client.makePath('/locks/a')
    expect((await writes()) - before).toBeLessThan(15)
    expect(await operator.exists('/eu/app/locks/a')).not.toBeNull()
    expect(await client.exists('/locks/a')).not.toBeNull()
  })

  it('is made again by a recipe that needs it', async () => {
    await using client = await connect(zookeeper(`${server}/shop`))
    const lock = new FairLock(client, '/locks/orders')
    await deleteTree('/shop')
    const lease = await lock.acquire({ waitMs: 5_000 })
    expect(lease.state).toBe('held')
    expect((await operator.children('/shop/locks/orders')).names).toHaveLength(1)
    await lease.release()
  })

  it('is said to be gone where nothing makes it again', async () => {
    await using client = await connect(zookeeper(`${server}/gone`))
    await deleteTree('/gone')
    await expect(client.create('/a')).rejects.toMatchObject({
      code: 'NO_NODE',
      path: '/a',
      message: "cannot create /a: the node that this client's namespace or chroot stands for was deleted",
    })
    await expect(client.get('/')).rejects.toMatchObject({ code: 'NO_NODE', path: '/' })
    expect(await operator.exists('/gone')).toBeNull()
  })
})

describe('the root of a client', () => {
  it.each([
    ['under a chroot', () => zookeeper(`${server}/root`), '/'],
    ['under a namespace', () => zookeeper(server), '/root'],
    ['under both', () => zookeeper(`${server}/root`), '/root'],
    ['of the servers', () => zookeeper(server), '/'],
    ['of the servers, embedded', () => ensemble, '/'],
  ] as const)('%s exists already, whoever creates it', async (_name, backend, namespace) => {
    await using client = await connect(backend(), { namespace })
    await expect(client.create('/')).rejects.toMatchObject({ code: 'NODE_EXISTS', path: '/' })
    const create = { type: 'create', path: '/', data: new Uint8Array(), mode: 'persistent' } as const
    await expect(client.multi([create])).rejects.toMatchObject({ code: 'NODE_EXISTS', path: '/', index: 0 })
    const { path } = await client.create('/', '', { mode: 'ephemeral-sequential' })
    expect(path).toMatch(/^\/\d{10}$/)
  })
})

describe('a connection string as a URL', () => {
  it('leads to the servers and the chroot that it names', async () => {
    await using client = await connect(zookeeper(`zookeeper://${server}/by-url`))
    await client.create('/a')
    expect(await operator.exists('/by-url/a')).not.toBeNull()
  })
})
