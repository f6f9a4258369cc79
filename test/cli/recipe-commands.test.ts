/** Commands on what recipes keep, against a server in this process. */
import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { deferred } from '../../src/core/async.ts'
import { zookeeper } from '../../src/backends/zookeeper/index.ts'
import type { Client } from '../../src/core/client.ts'
import { connect } from '../../src/core/connect.ts'
import { ConfigCenter } from '../../src/recipes/config/config-center.ts'
import { secretCodec } from '../../src/recipes/config/secret-codec.ts'
import { IdAllocator } from '../../src/recipes/counters/id-allocator.ts'
import { RateLimiter } from '../../src/recipes/counters/rate-limiter.ts'
import { SharedCount } from '../../src/recipes/counters/shared-count.ts'
import { SharedValue } from '../../src/recipes/counters/shared-value.ts'
import { Barrier } from '../../src/recipes/barriers/barrier.ts'
import { CountDownLatch } from '../../src/recipes/barriers/count-down-latch.ts'
import { DoubleBarrier } from '../../src/recipes/barriers/double-barrier.ts'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { LeaderElection } from '../../src/recipes/leader/leader-election.ts'
import { Semaphore } from '../../src/recipes/locks/semaphore.ts'
import { GroupMembership } from '../../src/recipes/membership/group-membership.ts'
import { Partitioner } from '../../src/recipes/membership/partitioner.ts'
import { onceOnly } from '../../src/recipes/once/once-only.ts'
import { DistributedQueue } from '../../src/recipes/queues/distributed-queue.ts'
import { ServiceRegistry } from '../../src/recipes/services/service-registry.ts'
import { ShellRig, TestShell } from './shell-rig.ts'

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

function aborted(signal: AbortSignal): Promise<void> {
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
  const lost = aborted(lease.signal)
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
  const counts = { items: 2, leased: 1, dead: 1, returned: 0, attemptsMost: 0 }
  expect(await shell.json('queue /q/mails')).toEqual({ path: '/q/mails', ...counts })
  await (await queue.take()).nack()
  const free = '1 free that had been handed out, up to 1 times'
  expect(await shell.ok('queue /q/mails')).toBe(`2 items, 1 with consumers, ${free}; 1 put away\n`)
  await second.ack()
  expect(await shell.ok('queue /q/mails')).toBe(`1 items, 0 with consumers, ${free}; 1 put away\n`)
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

it('config history lists the versions that are kept, the newest first', async () => {
  expect(await shell.ok('config history /c/none')).toBe('/c/none has no history\n')
  await using center = new ConfigCenter<unknown>(client, '/c/limits', { history: { author: 'ann' } })
  await center.publish({ rate: 50 }, { comment: 'the first' })
  await center.publish({ rate: 60 })
  await center.publish({ rate: 70 }, { rollout: { members: ['one'] } })
  const lines = (await shell.ok('config history /c/limits')).split('\n')
  expect(lines[0]).toMatch(/^VERSION +HOW +SINCE +IN FORCE +BY +VALUE +COMMENT$/)
  expect(lines[1]).toMatch(/^3 +stage +\d+ s +for some +ann +\{"rate":70\}$/)
  expect(lines[2]).toMatch(/^2 +publish +\d+ s +yes +ann +\{"rate":60\}$/)
  expect(lines[3]).toMatch(/^1 +publish +\d+ s +ann +\{"rate":50\} +the first$/)
  expect(await shell.json('config history -n 2 /c/limits')).toMatchObject({
    path: '/c/limits',
    history: [{ version: 3, isStaged: true }, { version: 2, isCurrent: true, value: { rate: 60 }, author: 'ann' }],
  })
  expect((await shell.run('config get -n 2 /c/limits')).err).toMatch(/^config: get has no flag -n;/)
})

it('config diff compares two versions, and no secrets', async () => {
  expect(await shell.ok('config diff /c/limits 1 3')).toBe('~ /rate: 50 -> 70\n')
  expect(await shell.ok('config diff /c/limits 2 2')).toBe('')
  expect(await shell.json('config diff /c/limits 1 2')).toEqual({
    path: '/c/limits', from: 1, to: 2, changes: [{ place: '/rate', type: 'changed', before: 50, after: 60 }],
  })
  expect(await shell.run('config diff /c/limits 1 9')).toMatchObject({ status: 1 })
  expect((await shell.run('config diff /c/limits 1')).err).toMatch(/^config: diff: too few arguments/)
  expect((await shell.run('config diff /c/limits one 2')).err).toMatch(/^a version of the history must be a whole num/)
  const codec = secretCodec<string>({ keys: [{ id: 'k1', bytes: new Uint8Array(32) }] })
  await using center = new ConfigCenter<string>(client, '/c/secret', { codec, history: true })
  await center.publish('a')
  await center.publish('b')
  expect(await shell.ok('config history /c/secret')).toContain('"a secret, encrypted with the key k1"')
  expect((await shell.run('config diff /c/secret 1 2')).err).toContain('which cannot be compared here')
  await shell.ok('config rollback /c/secret 1')
  expect(await center.get()).toBe('a')
})

it('config rollback publishes a version again, and says so in the history', async () => {
  expect(await shell.run('config rollback /c/limits 1')).toMatchObject({ status: 1 })
  expect((await shell.run('config rollback -staged drop /c/limits 1')).err).toMatch(/^-staged must be keep or withdraw/)
  const line = 'config rollback -a bob -m "too fast" -staged withdraw /c/limits 1'
  expect(await shell.ok(line)).toMatch(/^version \d is the value of version 1\n$/)
  expect(await shell.ok('config get /c/limits')).toBe('{"rate":50}\n')
  expect(await shell.json('config history -n 1 /c/limits')).toMatchObject({
    history: [{ kind: 'rollback', of: 1, author: 'bob', comment: 'too fast', isCurrent: true, isStaged: false }],
  })
  expect((await shell.run('config rollback -v 0 /c/limits 2')).err).toMatch(/^version No is not valid/)
  expect(await shell.json('config rollback -v 2 /c/limits 2')).toMatchObject({ path: '/c/limits', of: 2, version: 3 })
  expect((await shell.run('config rollback /c/limits 77')).err).toContain('there is no version 77')
})

/** Waits until a command shows what it is to show; others come to the servers in their own time. */
async function until(line: string, shown: RegExp): Promise<string> {
  for (;;) {
    const text = await shell.ok(line)
    if (shown.test(text)) return text
  }
}

it('semaphore shows permits, holders and those who wait, and changes their number', async () => {
  expect(await shell.ok('semaphore who /p/mails')).toBe('/p/mails has no permits\n')
  const semaphore = new Semaphore(client, '/p/mails', { permits: 2 })
  await using first = await semaphore.acquire({ permits: 2, data: 'both' })
  const next = semaphore.acquire({ data: 'one more' })
  const lines = (await until('semaphore who /p/mails', /1 waiting/)).split('\n')
  expect(lines[0]).toBe('2 of 2 permits held, 1 waiting')
  expect(lines[2]).toMatch(/^0 +holds +\d+ s +0x\w+ +\d+ +both$/)
  expect(lines[4]).toMatch(/^0 +waits +\d+ s +0x\w+ +\d+ +one more$/)
  expect(await shell.json('semaphore set /p/mails 3')).toEqual({ path: '/p/mails', permits: 3 })
  await using second = await next
  const held = [...first.parts, second].map(({ token }) => ({ kind: 'permit', token: token.toString(), holds: true }))
  expect(await shell.json('semaphore who /p/mails')).toMatchObject({ permits: 3, holders: held, waiting: [] })
  expect((await shell.run('semaphore set /p/mails 0')).err).toMatch(/^semaphore: permits must be a whole number from 1/)
  expect((await shell.run('semaphore take /p/mails')).err).toMatch(/^semaphore: it takes who or set, got "take";/)
})

it('barrier tells whether a barrier is up, raises and lowers it', async () => {
  expect(await shell.ok('barrier get /b/go')).toBe('down\n')
  expect(await shell.json('barrier raise /b/go')).toEqual({ path: '/b/go', isUp: true })
  const waiting = new Barrier(client, '/b/go').wait()
  expect(await shell.ok('barrier get /b/go')).toBe('up\n')
  expect(await shell.ok('barrier lower /b/go')).toBe('down\n')
  await waiting
})

it('double-barrier lists those who wait and those who are in', async () => {
  expect(await shell.ok('double-barrier /b/round')).toBe('nobody\n')
  const [one, two, late] = [1, 2, 3].map(() => new DoubleBarrier(client, '/b/round', { count: 2 }))
  const entering = one?.enter()
  expect(await until('double-barrier /b/round', /waits/)).toMatch(/\n\S+ +waits +\d+ s +0x\w+\n$/)
  await Promise.all([entering, two?.enter()])
  expect(await shell.json('double-barrier /b/round')).toMatchObject({
    isOpen: true, members: [{ isIn: true }, { isIn: true }],
  })
  const tooLate = late?.enter()
  await Promise.all([one?.leave(), two?.leave()])
  await until('double-barrier /b/round', /waits/)
  await Promise.all([new DoubleBarrier(client, '/b/round', { count: 2 }).enter(), tooLate])
})

it('latch shows what is done, and counts', async () => {
  expect(await shell.ok('latch get /b/steps')).toBe('/b/steps has no latch\n')
  expect(await shell.run('latch count /b/steps a')).toMatchObject({ status: 1, err: '/b/steps has no latch\n' })
  const latch = new CountDownLatch(client, '/b/steps', { count: 3 })
  await latch.countDown({ id: 'b' })
  expect(await shell.ok('latch count /b/steps a')).toBe('2 of 3 done, 1 to go\n')
  expect(await shell.ok('latch count /b/steps a')).toBe('2 of 3 done, 1 to go\n')
  expect(await shell.json('latch get /b/steps')).toEqual({ path: '/b/steps', count: 3, remaining: 1, done: ['a', 'b'] })
  const waiting = latch.wait()
  expect(await shell.ok('latch count /b/steps')).toBe('3 of 3 done, open\n')
  await waiting
  await shell.ok('create /b/other text')
  expect((await shell.run('latch get /b/other')).err).toContain('must hold the count of a latch')
})

it('shared reads and replaces values and numbers, by version where one is named', async () => {
  expect(await shell.ok('shared get /v/motto')).toBe('/v/motto has no value\n')
  await shell.ok('shared set /v/motto "slow is smooth"')
  expect(await shell.ok('shared get /v/motto')).toBe('slow is smooth\n')
  await using motto = new SharedValue(client, '/v/motto')
  await motto.set('smooth is fast')
  expect((await shell.run('shared set -v 0 /v/motto late')).err).toMatch(/^version No is not valid/)
  expect(await shell.json('shared set -v 1 /v/motto x')).toMatchObject({ path: '/v/motto', version: 2 })
  expect(await shell.json('shared get /v/motto')).toEqual({ path: '/v/motto', data: 'x', version: 2 })
  expect((await shell.run('shared get -n /v/motto')).err).toContain('a number of 32 bits has more')
  await shell.ok('shared set -n /v/limit -7')
  await using limit = new SharedCount(client, '/v/limit')
  expect(await limit.get()).toBe(-7)
  await limit.set(12)
  expect(await shell.json('shared get -n /v/limit')).toEqual({ path: '/v/limit', value: 12, version: 1 })
  expect((await shell.run('shared set -n /v/limit 2147483648')).err).toMatch(/^shared: "2147483648" is no whole number/)
})

it('ids shows the first that nobody has, and takes some', async () => {
  expect(await shell.ok('ids get /i/orders')).toBe('0\n')
  expect(await shell.ok('ids take /i/orders')).toBe('0\n')
  expect(await shell.json('ids take /i/orders 3')).toEqual({ path: '/i/orders', ids: ['1', '2', '3'] })
  expect(await new IdAllocator(client, '/i/orders', { block: 10 }).next()).toBe(4n)
  expect(await shell.ok('ids get /i/orders')).toBe('14\n')
  expect((await shell.run('ids take /i/orders 0')).err).toMatch(/^ids: count must be a whole number from 1 to 1000/)
})

it('leader shows who leads, what it proclaims, and who stands by, in each layout', async () => {
  expect(await shell.ok('leader /e/cron')).toBe('nobody\n')
  for (const layout of ['latch', 'kazoo'] as const) {
    const path = `/e/${layout}`
    const election = (id: string): LeaderElection<string> => {
      return new LeaderElection(client, path, { id, layout, data: `${id}:80` })
    }
    await using leadership = await election('one').campaign()
    const next = election('two').campaign()
    const text = await until(`leader ${path}`, /stands by/)
    expect(text).toMatch(/\n0 +one +leads +\d+ s +0x\w+ +\d+ +one:80\n1 +two +stands by +\d+ s +0x\w+ +\d+\n$/)
    expect(await shell.json(`leader ${path}`)).toMatchObject({
      leader: { id: 'one', data: 'one:80', token: leadership.token.toString() },
      candidates: [{ id: 'one', leads: true }, { id: 'two', leads: false }],
    })
    await leadership.resign()
    await (await next).resign()
  }
})

it('partitions lists items and their owners, and those that nobody has', async () => {
  expect(await shell.ok('partitions /shares')).toBe('0 members, 0 of 0 items owned\n')
  await using one = new Partitioner(client, '/shares', { id: 'one', count: 11 })
  await one.start()
  const lines = (await until('partitions /shares', /11 of 11/)).split('\n')
  expect(lines[0]).toBe('1 members, 11 of 11 items owned')
  expect(lines[4]).toMatch(/^2 +one +\d+ s +0x\w+ +\d+$/)
  expect(lines[12]).toMatch(/^10 +one /)
  expect(await shell.json('partitions /shares')).toMatchObject({
    members: [{ id: 'one' }],
    items: [...one.assignments.values()].map(({ item, token }) => ({ item, owner: { id: 'one', token: `${token}` } })),
  })
  await one.stop()
  await using group = new GroupMembership<object>(client, '/shares/members')
  await group.join('idle', { data: { items: ['b', 'a'] } })
  await shell.ok('create /shares/members/x "{"')
  expect((await shell.ok('partitions /shares')).split('\n')).toEqual([
    'the data of member "x" cannot be decoded',
    '2 members, 0 of 2 items owned',
    'ITEM  OWNER   SINCE  SESSION  TOKEN',
    'a     nobody',
    'b     nobody',
    '',
  ])
})

it('once shows what is recorded and who is at it, and forgets', async () => {
  expect(await shell.ok('once get /once/m7')).toBe('/once/m7 is not done\n')
  expect(await shell.ok('once forget /once/m7')).toBe('/once/m7 is not done\n')
  const started = deferred<undefined>()
  const gate = deferred<{ rows: number }>()
  const working = onceOnly(client, '/once/m7', () => {
    started.resolve(undefined)
    return gate.promise
  })
  await started.promise
  expect(await shell.ok('once get /once/m7')).toMatch(/^\S+ is not done\n0x\w+ is at it, since \d+ s; 0 waiting\n$/)
  gate.resolve({ rows: 7 })
  await working
  expect(await shell.ok('once get /once/m7')).toMatch(/^done \d+ s ago: \{"rows":7\}\n$/)
  expect(await shell.json('once get /once/m7')).toMatchObject({ done: true, data: '{"rows":7}', queue: [] })
  expect(await shell.json('once forget /once/m7')).toEqual({ path: '/once/m7', forgotten: true })
  expect(await onceOnly(client, '/once/m7', () => undefined)).toBeUndefined()
  expect(await shell.ok('once get /once/m7')).toMatch(/^done \d+ s ago\n$/)
  await shell.ok('create /once/other text')
  expect((await shell.run('once forget /once/other')).err).toContain('holds no result of onceOnly')
})

it('config set and edit record what they publish, where a history is kept', async () => {
  expect((await shell.run('config set -m why /c/plain 1')).err).toContain('needs a ConfigCenter with the option hi')
  await using center = new ConfigCenter<number>(client, '/c/rate', { history: true })
  await center.publish(1)
  await shell.ok('config set -a ann -m "a busy day" /c/rate 2')
  await shell.ok('config set -v 1 /c/rate 3')
  expect(await shell.json('config history /c/rate')).toMatchObject({
    history: [
      { version: 3, value: 3, author: null },
      { version: 2, value: 2, author: 'ann', comment: 'a busy day' },
      { version: 1, value: 1 },
    ],
  })
  await center.publish(9, { rollout: { members: ['one'] }, force: true })
  expect((await shell.run('config set /c/rate 4')).err).toContain('is staged for some processes')
  await shell.ok('config set -staged keep /c/rate 4')
  expect((await center.rollout.staged())?.value).toBe(9)
  const typed = new TestShell(`zookeeper://${rig.address}`, { isInteractive: false })
  await typed.shell.connect()
  vi.stubEnv('VISUAL', 'echo 5 >')
  const { err } = await typed.run('config edit -y /c/rate')
  expect(err).toMatch(/is staged for some processes.*; your text is kept in /)
  rmSync(dirname(/kept in (\S+)\n$/.exec(err)?.[1] ?? '/no/such/file'), { recursive: true })
  expect(await typed.run('config edit -y -a bob -staged withdraw /c/rate')).toMatchObject({ status: 0 })
  vi.unstubAllEnvs()
  await typed.shell.close()
  expect((await center.history({ limit: 1 }))[0]).toMatchObject({ value: 5, author: 'bob', isCurrent: true })
})
