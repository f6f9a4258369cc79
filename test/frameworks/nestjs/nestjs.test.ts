/** The module for Nest, in the real framework. */
import { Logger } from '@nestjs/common'
import type { INestApplication } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { Test } from '@nestjs/testing'
import { describe, expect, it } from 'vitest'
import { ConfigCenter, FairLock, LeaderElection } from 'quorate'
import type { Client } from 'quorate'
import { Leaderships, QUORATE_CLIENT, QuorateModule, WithLock, lockToken } from 'quorate/nestjs'
import type { QuorateModuleOptions } from 'quorate/nestjs'
import { zookeeper } from 'quorate/zookeeper'
import { Diary, Orders, OrdersController, OrdersModule } from './orders.ts'
import { POLL, SESSION_TIMEOUT_MS, closeAfterEach, closeLater, newClient, newEnsemble } from '../rig.ts'

closeAfterEach()

async function start(options: QuorateModuleOptions): Promise<INestApplication> {
  const module = await Test.createTestingModule({ imports: [QuorateModule.forRoot(options), OrdersModule] }).compile()
  const app = module.createNestApplication()
  app.useLogger(false)
  await app.init()
  closeLater(() => app.close())
  return app
}

const settled = (condition: () => boolean): Promise<void> => expect.poll(condition, POLL).toBe(true)

describe('@WithLock', () => {
  it('runs one call at a time, of all applications, with the lease at hand', async () => {
    const backend = newEnsemble()
    const [one, two] = [await start({ backend }), await start({ backend })]
    const diary = one.get(Diary)
    let go = (): void => undefined
    diary.pause = () => new Promise((resolve) => (go = resolve))
    const first = one.get(Orders).charge('7')
    await settled(() => diary.lines.length === 1)
    const second = two.get(Orders).charge('7')
    const other = two.get(Orders).charge('8')
    await other
    expect(two.get(Diary).lines).toEqual(['charge 8 true', 'charged 8'])
    go()
    const tokens = [await first, await second]
    expect(diary.lines).toEqual(['charge 7 true', 'charged 7'])
    expect(two.get(Diary).lines.slice(2)).toEqual(['charge 7 true', 'charged 7'])
    expect(tokens[1]).toBeGreaterThan(tokens[0] ?? 0n)
  })

  it('rejects when it waits in vain, and when the lock is lost', async () => {
    const backend = newEnsemble()
    const app = await start({ backend })
    const admin = await newClient(backend)
    const orders = app.get(Orders)
    const lease = await new FairLock(admin, '/locks/orders-7').acquire()
    await expect(orders.charge('7')).rejects.toMatchObject({ code: 'TIMEOUT' })
    await lease.release()
    app.get(Diary).pause = async () => {
      const [holder] = await new FairLock(admin, '/locks/orders-7').contenders()
      await admin.delete(holder?.path ?? '')
      await settled(() => app.get(Diary).lines.length === 1)
    }
    await expect(orders.charge('7')).rejects.toMatchObject({ code: 'LEASE_LOST' })
  })

  it('keeps routes, and parameters of controllers', async () => {
    const app = await start({ backend: newEnsemble() })
    await app.listen(0, '127.0.0.1')
    const url = await app.getUrl()
    const answer = await fetch(`${url}/orders/7`, { method: 'POST' })
    expect([answer.status, await answer.json()]).toEqual([201, { id: '7', fenced: true }])
    expect(Reflect.getMetadata('kind', OrdersController.prototype.place)).toBe('order')
    expect(OrdersController.prototype.place.name).toBe('place')
  })

  it('says so where Nest has not made the class, and refuses wrong arguments', async () => {
    await expect(Orders.prototype.charge.call(Object.create(Orders.prototype) as Orders, '7'))
      .rejects.toThrow('@WithLock needs a class that Nest makes: list Orders as a provider')
    expect(() => WithLock('no/path')).toThrow(TypeError)
    expect(() => WithLock('/a', { waitms: 5 } as object)).toThrow('waitMs')
  })
})

describe('@InjectLock and @InjectClient', () => {
  it('inject locks of the kind that is asked for, one for all', async () => {
    const app = await start({ backend: newEnsemble() })
    const { stock, books, client } = app.get(Orders)
    expect([stock.path, books.path]).toEqual(['/locks/stock', '/locks/books'])
    expect([stock, books.constructor.name]).toEqual([app.get<FairLock>(lockToken('/locks/stock')), 'ExclusiveLock'])
    expect([client, stock.client]).toEqual([app.get<Client>(QUORATE_CLIENT), client])
    expect(await stock.using(({ state }) => state)).toBe('held')
    expect(() => lockToken('/a', 'red' as 'fair')).toThrow('kind of a lock must be one of fair, exclusive')
  })
})

describe('@OnConfig', () => {
  it('tells the value before the application serves, and each change', async () => {
    const backend = newEnsemble()
    const center = new ConfigCenter<{ perMinute: number }>(await newClient(backend), '/config/limits')
    await center.publish({ perMinute: 5 })
    const { limits } = (await start({ backend })).get(Orders)
    expect(limits.map(({ value }) => value)).toEqual([{ perMinute: 5 }])
    await center.publish({ perMinute: 6 })
    await settled(() => limits.length === 2)
    expect(limits[1]).toMatchObject({ value: { perMinute: 6 }, version: 1 })
  })

  it('has the default where there is no value', async () => {
    const { limits } = (await start({ backend: newEnsemble() })).get(Orders)
    expect(limits).toMatchObject([{ value: { perMinute: 1 }, source: 'default' }])
  })
})

describe('@LeaderOnly', () => {
  it('runs where the process leads, and is waited for before it resigns', async () => {
    const backend = newEnsemble()
    const [one, two] = [await start({ backend }), await start({ backend })]
    const election = new LeaderElection(await newClient(backend), '/elections/clean-up')
    await expect.poll(async () => (await election.candidates()).length, POLL).toBe(2)
    const diaries = [one, two].map((app) => app.get(Diary))
    let go = (): void => undefined
    for (const diary of diaries) diary.pause = () => new Promise((resolve) => (go = resolve))
    const runs = Promise.all([one, two].map((app) => app.get(Orders).cleanUp()))
    await settled(() => diaries.flatMap(({ lines }) => lines).length === 1)
    const leads = diaries.findIndex(({ lines }) => lines.length === 1)
    expect(diaries[leads]?.lines).toEqual(['clean-up held'])
    const closing = [one, two][leads]?.close()
    // It begins nothing more, and leads until what runs has ended.
    await settled(() => [one, two][leads]?.get(Leaderships).leads('/elections/clean-up') === false)
    await [one, two][leads]?.get(Orders).cleanUp()
    const before = await election.leader()
    go()
    await Promise.all([runs, closing])
    expect(diaries[leads]?.lines).toEqual(['clean-up held', 'cleaned up'])
    await expect.poll(async () => (await election.leader())?.token ?? 0n, POLL).toBeGreaterThan(before?.token ?? 0n)
    const other = diaries[1 - leads]
    if (other === undefined) throw new Error('two applications')
    other.pause = () => Promise.resolve()
    await settled(() => [one, two][1 - leads]?.get(Leaderships).leads('/elections/clean-up') === true)
    await [one, two][1 - leads]?.get(Orders).cleanUp()
    expect(other.lines).toEqual(['clean-up held', 'cleaned up'])
  })

  it('does not hold up the end of the application when the method itself ends that', async () => {
    const app = await start({ backend: newEnsemble(), drainMs: 100 })
    const diary = app.get(Diary)
    diary.pause = () => app.close()
    await settled(() => app.get(Leaderships).leads('/elections/clean-up'))
    await expect(app.get(Orders).cleanUp()).rejects.toMatchObject({ code: 'LEASE_LOST' })
    expect(diary.lines).toEqual(['clean-up held', 'cleaned up'])
  })
})

describe('the module', () => {
  it('connects with what a factory makes, and closes its client', async () => {
    const backend = newEnsemble()
    const options = { backend, connect: { namespace: '/shop' } }
    const module = QuorateModule.forRootAsync({ useFactory: () => options })
    Logger.overrideLogger(false)
    const app = await NestFactory.create({ module: OrdersModule, imports: [module] })
    await app.init()
    const client = app.get<Client>(QUORATE_CLIENT)
    expect([client.namespace, client.state.status]).toEqual(['/shop', 'connected'])
    await app.close()
    expect(client.state.status).toBe('closed')
  })

  it('leaves a client alone that it was given', async () => {
    const client = await newClient(newEnsemble())
    const app = await start({ client })
    expect(app.get(QUORATE_CLIENT)).toBe(client)
    await app.close()
    expect(client.state.status).toBe('connected')
  })

  it('refuses wrong options, and fails to start without servers', async () => {
    Logger.overrideLogger(false)
    await expect(start({})).rejects.toThrow('QuorateModule needs either backend')
    await expect(start({ backend: newEnsemble(), drainMs: -1 })).rejects.toThrow('drainMs')
    await expect(start({ backed: 1 } as object)).rejects.toThrow('backend')
    const nobody = zookeeper('127.0.0.1:1')
    await expect(start({ backend: nobody, connect: { connectTimeoutMs: 50 } })).rejects.toMatchObject({
      code: 'TIMEOUT',
    })
  })

  it('says by terminus how it is', async () => {
    const ensemble = newEnsemble()
    const app = await start({ backend: ensemble, connect: { sessionTimeoutMs: SESSION_TIMEOUT_MS }, drainMs: 0 })
    await app.listen(0, '127.0.0.1')
    const url = `${await app.getUrl()}/orders/health`
    const healthy = await fetch(url)
    expect([healthy.status, await healthy.json()]).toMatchObject([200, { info: { locks: { state: 'connected' } } }])
    await ensemble.close()
    await settled(() => app.get<Client>(QUORATE_CLIENT).state.status !== 'connected')
    const ill = await fetch(url)
    expect([ill.status, await ill.json()]).toMatchObject([503, { error: { locks: { status: 'down' } } }])
  })
})
