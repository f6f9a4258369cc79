/** `locks revoke|evict`, `counter`, `rate`, `queue` and `services`, against a server in this process. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import type { Client } from '../../src/core/client.ts'
import { connect } from '../../src/core/connect.ts'
import { RateLimiter } from '../../src/recipes/counters/rate-limiter.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { DistributedQueue } from '../../src/recipes/queues/distributed-queue.ts'
import { ServiceRegistry } from '../../src/recipes/services/service-registry.ts'
import { ShellRig } from './shell-rig.ts'
import type { TestShell } from './shell-rig.ts'

const rig = new ShellRig()
let shell: TestShell
let client: Client

beforeAll(async () => {
  await rig.start()
  shell = await rig.shell()
  client = await connect(zookeeper(rig.address))
})

afterAll(async () => {
  await client.close()
  await rig.close()
})

function once(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => { resolve() })
  })
}

it('locks revoke asks who holds, and locks evict takes the lock away', async () => {
  const lock = new FairLock(client, '/l/orders')
  const lease = await lock.acquire({ revocable: true })
  const heard = new Promise<string>((resolve) => {
    lease.onRevoke(({ reason }) => { resolve(reason) })
  })
  expect(await shell.ok('locks revoke -r "a deploy" /l/orders')).toMatch(/^asked 0x[0-9a-f]+\n$/)
  expect(await heard).toBe('a deploy')
  const lost = once(lease.signal)
  const token = lease.token.toString()
  expect(await shell.json(`locks evict /l/orders ${token}`)).toMatchObject({ evicted: { token, path: lease.path } })
  await lost
  expect(await shell.run(`locks evict /l/orders ${token}`)).toMatchObject({
    status: 1, err: `nobody at /l/orders has the token ${token}\n`,
  })
  expect(await shell.ok('locks revoke /l/orders')).toBe('nobody who holds can be asked\n')
  expect((await shell.run('locks evict /l/orders first')).err).toMatch(/^locks: evict needs the token of a contender/)
  expect((await shell.run('locks who /l/orders 1')).err).toMatch(/^locks: who: too many arguments/)
  expect((await shell.run('locks ls -r why /l')).err).toMatch(/^locks: ls has no flag -r/)
})

it('counter reads and changes a number', async () => {
  expect(await shell.ok('counter get /n/mails')).toBe('0\n')
  expect(await shell.ok('counter add /n/mails 5')).toBe('5\n')
  expect(await shell.ok('counter add /n/mails -2')).toBe('3\n')
  expect(await shell.json('counter set /n/mails 40')).toEqual({ path: '/n/mails', value: '40' })
  expect((await shell.run('counter add /n/mails x')).err).toMatch(/^counter: "x" is no whole number/)
  expect((await shell.run('counter add /n/mails')).err).toMatch(/^counter: add: too few arguments/)
})

it('rate shows the rate for all, and what is left', async () => {
  expect(await shell.ok('rate /r/mails')).toBe('/r/mails has no rate\n')
  await new RateLimiter(client, '/r/mails', { limit: 10, perMs: 60_000, burst: 5 }).acquire(3)
  expect(await shell.ok('rate /r/mails')).toMatch(/^10 per 60000 ms, 5 at once; 2 left when some were taken last, /)
  expect(await shell.json('rate /r/mails')).toMatchObject({ rate: { limit: 10, perMs: 60_000, burst: 5 }, tokens: 2 })
})

it('queue counts what is to do, with consumers, and put away', async () => {
  expect(await shell.ok('queue /q/mails')).toBe('0 items, 0 with consumers; 0 put away\n')
  const queue = new DistributedQueue<string>(client, '/q/mails')
  for (const name of ['a', 'b', 'c']) await queue.put(name)
  const [first, second] = [await queue.take(), await queue.take()]
  await first.deadLetter('wrong')
  expect(await shell.json('queue /q/mails')).toEqual({ path: '/q/mails', items: 2, leased: 1, dead: 1 })
  await second.ack()
  expect(await shell.ok('queue /q/mails')).toBe('1 items, 0 with consumers; 1 put away\n')
})

it('services lists names, and the instances of one', async () => {
  expect(await shell.ok('services /s')).toBe('none\n')
  const registry = new ServiceRegistry(client, '/s')
  const registration = await registry.register('mails', { id: 'one', address: '10.0.0.1', port: 8080 })
  expect(await shell.ok('services /s')).toBe('mails\n')
  expect(await shell.ok('services /s mails')).toMatch(/^INSTANCE +AT +STATE +SINCE\none +10\.0\.0\.1:8080 +up +\S/)
  expect(await shell.json('services /s mails')).toMatchObject({ name: 'mails', instances: [{ id: 'one', port: 8080 }] })
  await registration.unregister()
  expect(await shell.ok('services /s mails')).toBe('none\n')
})
