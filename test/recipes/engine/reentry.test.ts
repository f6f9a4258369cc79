/** A work that asks for the lock that it runs under. */
import { expect, it } from 'vitest'
import type { Client } from '../../../src/core/client.ts'
import type { AcquireOptions } from '../../../src/recipes/engine/acquire-options.ts'
import type { Lease } from '../../../src/recipes/engine/lease.ts'
import type { UsingArguments } from '../../../src/recipes/engine/leased-work.ts'
import { ExclusiveLock } from '../../../src/recipes/locks/exclusive-lock.ts'
import { FairLock } from '../../../src/recipes/locks/fair-lock.ts'
import { ReadWriteLock } from '../../../src/recipes/locks/read-write-lock.ts'
import { closeAll, codeOf, failureOf, newRig, pass, run, useVirtualTime } from '../rig.ts'

useVirtualTime()

interface Side {
  acquire(options?: AcquireOptions): Promise<Lease>
  tryAcquire(): Promise<Lease | null>
  using<T>(...args: UsingArguments<AcquireOptions, T>): Promise<T>
}

const PATH = '/locks/orders'
const LOCKS: [string, (client: Client) => Side][] = [
  ['FairLock', (client) => new FairLock(client, PATH)],
  ['ExclusiveLock', (client) => new ExclusiveLock(client, PATH)],
  ['the reader of a ReadWriteLock', (client) => new ReadWriteLock(client, PATH).reader],
  ['the writer of a ReadWriteLock', (client) => new ReadWriteLock(client, PATH).writer],
]

/** A turn of virtual time within a work. */
function rest(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50))
}

it.each(LOCKS)('%s refuses at once to wait for itself, however deep, and through another object', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  const deep = async (): Promise<unknown> => {
    await rest()
    rig.control.resetCounts()
    return make(client).using(() => 'never')
  }
  const errors = await run(make(client).using(async () => {
    return [await deep().catch(codeOf), await make(client).acquire({ waitMs: 0 }).catch(codeOf)]
  }))
  expect(errors).toEqual(['ALREADY_HELD/not-sent', 'ALREADY_HELD/not-sent'])
  expect(rig.control.requestCount({ kind: 'create' })).toBe(0)
  expect(await closeAll(rig, client)).toEqual([])
})

it('a reader that would write is told why not, and a writer that would read what to do instead', async () => {
  const rig = newRig()
  const client = await rig.connect()
  const { reader, writer } = new ReadWriteLock(client, PATH)
  const upgrade = await failureOf(reader.using(() => writer.acquire()))
  expect(String(upgrade)).toMatch(/a reader's lease cannot become a writer's: release it first/)
  const below = await failureOf(writer.using(() => reader.acquire()))
  expect(String(below)).toMatch(/take the reader's lease by downgrade\(\)/)
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(LOCKS)('%s is acquired again within a work that has another lock, or has lost its own', async (_, make) => {
  const rig = newRig()
  const [client, other] = [await rig.connect(), await rig.connect()]
  const elsewhere = new FairLock(client, '/locks/other')
  const first = await run(elsewhere.using(() => make(client).using(() => 'nested')))
  const second = await run(make(client).using(async (lease) => {
    await lease.release()
    return make(client).using(() => 'again')
  }))
  const third = await run(make(client).using(async (lease) => {
    await other.delete(lease.path)
    await rest()
    const again = await make(client).using(() => 'after a loss')
    return again
  }).catch((error: unknown) => codeOf(error)))
  expect([first, second, third]).toEqual(['nested', 'again', 'LEASE_LOST/lost'])
  expect(await closeAll(rig, client, other)).toEqual([])
})

it.each(LOCKS)('%s is waited for by a task that the work does not await, if it says so', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  const tasks: Promise<unknown>[] = []
  await run(make(client).using(async () => {
    tasks.push(make(client).acquire({ onReentry: 'wait' }).then((lease) => lease.release()))
    await rest()
  }))
  await run(Promise.all(tasks))
  expect(await closeAll(rig, client)).toEqual([])
})

it.each(LOCKS)('%s knows nothing of a lease by acquire, nor of the works of others', async (_, make) => {
  const rig = newRig()
  const client = await rig.connect()
  const lease = await run(make(client).acquire())
  const second = make(client).acquire({ waitMs: 500 }).then(() => 'had', codeOf)
  await pass(600)
  expect(['had', 'TIMEOUT/aborted']).toContain(await second)
  await run(lease.release())
  const works = Array.from({ length: 3 }, () => make(client).using(rest))
  await run(Promise.all(works))
  const tried = await run(make(client).using(() => make(client).tryAcquire()))
  expect(tried === null || tried.state === 'held').toBe(true)
  expect(await closeAll(rig, client)).toEqual([])
})
