/** Recipes that a process of ours and one with Curator use on one path, on ZooKeeper's servers and on ours. */
import { describe, expect, it } from 'vitest'
import type { Client } from '../../src/core/client.ts'
import { AtomicCounter } from '../../src/recipes/counters/atomic-counter.ts'
import { SharedCount } from '../../src/recipes/counters/shared-count.ts'
import { SharedValue } from '../../src/recipes/counters/shared-value.ts'
import { LeaderElection } from '../../src/recipes/leader/leader-election.ts'
import type { Lease } from '../../src/recipes/engine/lease.ts'
import { ReadWriteLock } from '../../src/recipes/locks/read-write-lock.ts'
import { Semaphore } from '../../src/recipes/locks/semaphore.ts'
import { reasonToSkip } from '../engines/process.ts'
import { WAIT, describeMeetings, until } from './meeting.ts'
import type { Meeting } from './meeting.ts'
import { Occupants } from './occupants.ts'
import type { Actor } from './partner.ts'
import { hasKazoo, python, run } from './programs.ts'

const ROUNDS = 8
const noKazoo = reasonToSkip('kazoo', hasKazoo)
/** Changes of each of those who write one value at once. */
const WRITES = 25
const WAIT_MS = WAIT.waitMs

describeMeetings((meet) => {
  describe("a read-write lock with Curator's InterProcessReadWriteLock", () => {
    testReadWriteExclusion(meet)
    testReadWriteQueue(meet)
  })
  describe("a semaphore with Curator's InterProcessSemaphoreV2", () => {
    testPermits(meet)
    testPermitWaits(meet)
  })
  describe("an election with Curator's LeaderLatch", () => {
    testCandidates(meet)
    testHandOvers(meet)
  })
  describe("values and counters with Curator's of the same kind", () => {
    testValues(meet)
    testCounters(meet)
  })
})

function testReadWriteExclusion(meet: () => Meeting): void {
  it('lets readers of both in together, and no writer of either beside them', async () => {
    const { client, curator } = meet()
    const [lock, one, two] = [new ReadWriteLock(client, '/rw/readers'), curator('one'), curator('two')]
    const reading = await lock.reader.acquire(WAIT)
    expect(await one('lock.acquire', lock.path, 'read', 0)).toBe('true')
    expect(await stateOf(lock)).toEqual(['read holds', 'read holds'])
    expect(await lock.writer.tryAcquire()).toBeNull()
    expect(await two('lock.acquire', lock.path, 'write', 0)).toBe('false')
    await reading.release()
    expect(await lock.writer.tryAcquire()).toBeNull()
    const another = await lock.reader.tryAcquire()
    await one('lock.release', lock.path, 'read')
    expect(await two('lock.acquire', lock.path, 'write', 0)).toBe('false')
    await another?.release()
    expect(await two('lock.acquire', lock.path, 'write', 0)).toBe('true')
    await two('lock.release', lock.path, 'write')
  })

  it("keeps Curator's readers and writers out while a writer of ours holds it", async () => {
    const { client, curator } = meet()
    const [lock, one] = [new ReadWriteLock(client, '/rw/our-writer'), curator('one')]
    const writing = await lock.writer.acquire(WAIT)
    for (const kind of ['read', 'write']) expect(await one('lock.acquire', lock.path, kind, 0)).toBe('false')
    await writing.release()
    for (const kind of ['write', 'read']) {
      expect(await one('lock.acquire', lock.path, kind, 0)).toBe('true')
      await one('lock.release', lock.path, kind)
    }
  })

  it('keeps our readers and writers out while a writer of Curator holds it', async () => {
    const { client, curator } = meet()
    const [lock, one] = [new ReadWriteLock(client, '/rw/their-writer'), curator('one')]
    expect(await one('lock.acquire', lock.path, 'write', WAIT_MS)).toBe('true')
    for (const side of [lock.reader, lock.writer]) expect(await side.tryAcquire()).toBeNull()
    await one('lock.release', lock.path, 'write')
    for (const side of [lock.reader, lock.writer]) {
      const lease = await side.tryAcquire()
      expect(lease).not.toBeNull()
      await lease?.release()
    }
  })
}

function testReadWriteQueue(meet: () => Meeting): void {
  it('serves readers and writers of both in the order in which they asked', async () => {
    const { client, curator } = meet()
    const [lock, one, two] = [new ReadWriteLock(client, '/rw/queue'), curator('one'), curator('two')]
    const inLine = (count: number): Promise<void> => {
      return until(async () => (await lock.contenders()).length === count, `${count} in line`)
    }
    const writing = await lock.writer.acquire(WAIT)
    const theirReader = one('lock.acquire', lock.path, 'read', WAIT_MS)
    await inLine(2)
    const ourReader = lock.reader.acquire(WAIT)
    await inLine(3)
    const theirWriter = two('lock.acquire', lock.path, 'write', WAIT_MS)
    await inLine(4)
    const lateReader = lock.reader.acquire(WAIT)
    await inLine(5)
    await writing.release()
    expect(await theirReader).toBe('true')
    const reading = await ourReader
    expect(await stateOf(lock)).toEqual(['read holds', 'read holds', 'write waits', 'read waits'])
    await one('lock.release', lock.path, 'read')
    await reading.release()
    expect(await theirWriter).toBe('true')
    expect(await stateOf(lock)).toEqual(['write holds', 'read waits'])
    await two('lock.release', lock.path, 'write')
    await (await lateReader).release()
  })

  it("keeps Curator's waiting writer out when our writer goes on as a reader", async () => {
    const { client, curator } = meet()
    const [lock, waiting, other] = [new ReadWriteLock(client, '/rw/downgrade'), curator('one'), curator('two')]
    const writing = await lock.writer.acquire(WAIT)
    let isIn = false
    const theirWriter = waiting('lock.acquire', lock.path, 'write', WAIT_MS).then((answer) => {
      isIn = true
      return answer
    })
    await until(async () => (await lock.writer.contenders()).length === 2, 'a writer that waits')
    const reading = await lock.downgrade(writing)
    await until(async () => (await lock.contenders()).length === 2, 'the end of the writer')
    // On the session of the one that waits: by then that one has looked at the queue again.
    for (let round = 0; round < 5; round += 1) {
      expect(await other('lock.acquire', lock.path, 'read', 10)).toBe('false')
    }
    expect(isIn).toBe(false)
    await reading.release()
    expect(await theirWriter).toBe('true')
    await waiting('lock.release', lock.path, 'write')
  })

  it('is never held by a writer and anybody else', async () => {
    const { client, curator } = meet()
    const path = '/rw/rounds'
    const lock = new ReadWriteLock(client, path)
    const room = new Occupants((inside) => inside.length === 1 || inside.every((who) => who.endsWith('read')))
    const ours = (kind: 'read' | 'write'): Promise<void> => room.rounds(`our ${kind}`, ROUNDS, async () => {
      return releaseOf(await (kind === 'read' ? lock.reader : lock.writer).acquire(WAIT))
    })
    const theirs = (actor: Actor, kind: string): Promise<void> => room.rounds(`their ${kind}`, ROUNDS, async () => {
      expect(await actor('lock.acquire', path, kind, WAIT_MS)).toBe('true')
      return () => actor('lock.release', path, kind)
    })
    await Promise.all([
      ours('read'), ours('write'), theirs(curator('one'), 'read'), theirs(curator('two'), 'write'),
    ])
    expect(room.breaches).toEqual([])
    expect(room.entered).toHaveLength(4 * ROUNDS)
  })
}

function testPermits(meet: () => Meeting): void {
  it('gives no more permits in sum than there are', async () => {
    const { client, curator } = meet()
    const [semaphore, one] = [new Semaphore(client, '/semaphore/sum', { permits: 2 }), curator('one')]
    const lease = await semaphore.acquire(WAIT)
    expect(await one('semaphore.acquire', semaphore.path, 2, 1, 0)).toBe('true')
    expect(await semaphore.tryAcquire()).toBeNull()
    expect(await one('semaphore.acquire', semaphore.path, 2, 1, 0)).toBe('false')
    await lease.release()
    expect(await semaphore.tryAcquire({ permits: 2 })).toBeNull()
    expect(await curator('two')('semaphore.acquire', semaphore.path, 2, 1, 0)).toBe('true')
    await Promise.all([one, curator('two')].map((actor) => actor('semaphore.release', semaphore.path)))
    await (await semaphore.tryAcquire({ permits: 2 }))?.release()
  })

  it('has a limit that Curator follows by a SharedCount, as we do', async () => {
    const { client, curator } = meet()
    const [semaphore, one] = [new Semaphore(client, '/semaphore/limit', { permits: 1 }), curator('one')]
    const lease = await semaphore.acquire(WAIT)
    expect(await one('semaphore.acquire', semaphore.path, 'shared', 1, 0)).toBe('false')
    const theirs = one('semaphore.acquire', semaphore.path, 'shared', 1, WAIT_MS)
    await semaphore.setPermits(2)
    expect(await theirs).toBe('true')
    const ours = semaphore.acquire(WAIT)
    await until(async () => (await semaphore.waiting()).length === 1, 'one that waits')
    await one('count.set', `${semaphore.path}/permits`, 3)
    await Promise.all([lease.release(), (await ours).release(), one('semaphore.release', semaphore.path)])
  })

  it('has never more than its permits out', async () => {
    const { client, curator } = meet()
    const path = '/semaphore/rounds'
    const semaphore = new Semaphore(client, path, { permits: 2 })
    const room = new Occupants((inside) => inside.length <= 2)
    const ours = (): Promise<void> => room.rounds('ours', ROUNDS, async () => releaseOf(await semaphore.acquire(WAIT)))
    const theirs = (actor: Actor): Promise<void> => room.rounds('theirs', ROUNDS, async () => {
      expect(await actor('semaphore.acquire', path, 2, 1, WAIT_MS)).toBe('true')
      return () => actor('semaphore.release', path)
    })
    await Promise.all([ours(), ours(), theirs(curator('one')), theirs(curator('two'))])
    expect(room.breaches).toEqual([])
    expect(room.entered).toHaveLength(4 * ROUNDS)
  })
}

function testPermitWaits(meet: () => Meeting): void {
  it('makes ours wait for those of Curator, and go on', async () => {
    const { client, curator } = meet()
    const [semaphore, one] = [new Semaphore(client, '/semaphore/ours', { permits: 2 }), curator('one')]
    expect(await one('semaphore.acquire', semaphore.path, 2, 2, WAIT_MS)).toBe('true')
    const ours = semaphore.acquire({ ...WAIT, permits: 2 })
    await until(async () => (await semaphore.waiting()).length === 1, 'one that waits')
    expect(await semaphore.tryAcquire()).toBeNull()
    await one('semaphore.release', semaphore.path)
    await (await ours).release()
  })

  it('makes those of Curator wait for ours, and go on', async () => {
    const { client, curator } = meet()
    const [semaphore, one] = [new Semaphore(client, '/semaphore/theirs', { permits: 2 }), curator('one')]
    const lease = await semaphore.acquire({ ...WAIT, permits: 2 })
    const theirs = one('semaphore.acquire', semaphore.path, 2, 2, WAIT_MS)
    await until(async () => (await semaphore.waiting()).length === 1, 'one that waits')
    await lease.release()
    expect(await theirs).toBe('true')
    await one('semaphore.release', semaphore.path)
  })

  it('lets a Curator that takes several one by one, and ours, wait for each other', async () => {
    const { client, curator } = meet()
    const [semaphore, one] = [new Semaphore(client, '/semaphore/one-by-one', { permits: 2 }), curator('one')]
    const lease = await semaphore.acquire({ ...WAIT, permits: 2 })
    const theirs = one('semaphore.acquire', semaphore.path, 2, 2, 2_000)
    await until(async () => (await semaphore.waiting()).length === 1, 'theirs waits')
    const ours = semaphore.acquire({ ...WAIT, permits: 2 })
    await until(async () => (await semaphore.waiting()).length === 2, 'both wait')
    await lease.release()
    // It gets the first one, and waits for the second after ours, which waits for both. Its limit of time ends that.
    expect(await theirs).toBe('false')
    await (await ours).release()
  })
}

function testCandidates(meet: () => Meeting): void {
  it('lists the ids and the leader of both, on both sides', async () => {
    const { client, curator } = meet()
    const [one, path] = [curator('one'), '/leader/list']
    await using election = new LeaderElection(client, path, { id: 'ours' })
    await one('latch.start', path, 'theirs')
    expect(await one('latch.await', path)).toBe('true')
    const campaign = election.campaign(WAIT)
    await until(async () => (await election.candidates()).length === 2, 'two candidates')
    expect(await election.candidates()).toMatchObject([{ id: 'theirs', leads: true }, { id: 'ours', leads: false }])
    expect(await election.leader()).toMatchObject({ id: 'theirs', data: undefined })
    await until(async () => await one('latch.participants', path) === 'theirs=leader,ours', 'both, as Curator sees it')
    expect(await one('latch.leader', path)).toBe('theirs')
    await one('latch.close', path)
    await using leadership = await campaign
    leadership.throwIfLost()
    await one('latch.start', path, 'theirs')
    await until(async () => await one('latch.participants', path) === 'ours=leader,theirs', 'both, as Curator sees it')
    expect(await one('latch.leader', path)).toBe('ours')
    expect(await one('latch.leads', path)).toBe('false')
    await one('latch.close', path)
  })
}

function testHandOvers(meet: () => Meeting): void {
  it('hands over from ours to a latch, whatever ours has proclaimed', async () => {
    const { client, curator } = meet()
    const [one, path] = [curator('one'), '/leader/proclaimed']
    await using election = new LeaderElection<string>(client, path, { id: 'ours', data: 'first' })
    const leadership = await election.campaign(WAIT)
    await one('latch.start', path, 'theirs')
    await until(async () => (await election.candidates()).length === 2, 'two candidates')
    await leadership.proclaim('second')
    expect(await election.leader()).toMatchObject({ id: 'ours', data: 'second' })
    expect(await one('latch.leads', path)).toBe('false')
    await leadership.resign()
    expect(await one('latch.await', path)).toBe('true')
    expect(await election.leader()).toMatchObject({ id: 'theirs', data: undefined })
    await one('latch.close', path)
  })

  it('transfers from ours to a latch, past another of ours', async () => {
    const { client, curator } = meet()
    const [one, path] = [curator('one'), '/leader/transfer']
    await using election = new LeaderElection(client, path, { id: 'ours' })
    await using standby = new LeaderElection(client, path, { id: 'standby' })
    const leadership = await election.campaign(WAIT)
    const campaign = standby.campaign(WAIT)
    await until(async () => (await election.candidates()).length === 2, 'a candidate that stands by')
    await one('latch.start', path, 'theirs')
    await until(async () => (await election.candidates()).length === 3, 'three candidates')
    expect(await leadership.transferTo('theirs', WAIT)).toBe(true)
    expect(await one('latch.await', path)).toBe('true')
    await until(async () => (await election.candidates()).length === 2, 'the one that stood back')
    await one('latch.close', path)
    await (await campaign).resign()
  })

  it('has one leader at a time', async () => {
    const { client, curator } = meet()
    const path = '/leader/rounds'
    const room = new Occupants((inside) => inside.length <= 1)
    const ours = (id: string): Promise<void> => room.rounds(id, ROUNDS, async () => {
      const leadership = await new LeaderElection(client, path, { id }).campaign(WAIT)
      return () => leadership.resign()
    })
    const theirs = (id: string): Promise<void> => room.rounds(id, ROUNDS, async () => {
      await curator(id)('latch.start', path, id)
      expect(await curator(id)('latch.await', path)).toBe('true')
      return () => curator(id)('latch.close', path)
    })
    await Promise.all([ours('our one'), ours('our two'), theirs('one'), theirs('two')])
    expect(room.breaches).toEqual([])
    expect(room.entered).toHaveLength(4 * ROUNDS)
  })
}

function testValues(meet: () => Meeting): void {
  it('shares the bytes of a SharedValue, whoever makes its node', async () => {
    const { client, curator } = meet()
    const [one, path, own] = [curator('one'), '/value/bytes', '/value/ours']
    await one('value.start', path, 'theirs')
    await using value = new SharedValue(client, path, { seed: 'a seed' })
    expect(text(await value.ready(WAIT))).toBe('theirs')
    await value.set('ours')
    await until(async () => await one('value.get', path) === 'ours', 'what ours has set')
    await one('value.set', path, 'again')
    await until(() => Promise.resolve(text(value.current) === 'again'), 'what Curator has set')
    await using first = new SharedValue(client, own)
    await first.set('first')
    await one('value.start', own, 'second')
    expect(await one('value.get', own)).toBe('first')
  })

  it('loses no trySet of a SharedValue', async () => {
    const { client, curator } = meet()
    const [one, path] = [curator('one'), '/value/rounds']
    await one('value.start', path, '-')
    await using value = new SharedValue(client, path)
    await value.ready(WAIT)
    await Promise.all([
      one('value.append', path, 'c', WRITES),
      writeAll(value, () => value.trySet(`${text(value.current)}q`)),
    ])
    expect(text((await value.get()).toSorted())).toBe(`-${'c'.repeat(WRITES)}${'q'.repeat(WRITES)}`)
  })

  it('shares the four bytes of a SharedCount and loses no trySet', async () => {
    const { client, curator } = meet()
    const [one, path] = [curator('one'), '/count']
    await one('count.start', path, 10)
    await using count = new SharedCount(client, path)
    expect(await count.ready(WAIT)).toBe(10)
    expect(await hexOf(client, path)).toBe('0000000a')
    await count.set(-2)
    expect(await hexOf(client, path)).toBe('fffffffe')
    await until(async () => await one('count.get', path) === '-2', 'what ours has set')
    await one('count.set', path, 2 ** 31 - 1)
    await until(() => Promise.resolve(count.current === 2 ** 31 - 1), 'what Curator has set')
    await count.set(0)
    await Promise.all([one('count.add', path, WRITES), writeAll(count, () => count.trySet((count.current ?? 0) + 1))])
    expect(await count.get()).toBe(2 * WRITES)
  })
}

function testCounters(meet: () => Meeting): void {
  it('shares the bytes of a DistributedAtomicLong, and those of an Integer', async () => {
    const { client, curator } = meet()
    const [one, counter] = [curator('one'), new AtomicCounter(client, '/atomic/long')]
    const short = new AtomicCounter(client, '/atomic/integer', { bits: 32 })
    await one('long.set', counter.path, 1)
    expect(await hexOf(client, counter.path)).toBe('0000000000000001')
    expect(await counter.add(-3)).toEqual({ before: 1n, after: -2n })
    expect(await hexOf(client, counter.path)).toBe('fffffffffffffffe')
    expect(await one('long.get', counter.path)).toBe('-2')
    expect(await one('long.compareAndSet', counter.path, -2, 5)).toBe('true')
    expect(await counter.compareAndSet(-2, 6)).toBe(false)
    expect(await counter.compareAndSet(5, 6)).toBe(true)
    expect(await one('long.compareAndSet', counter.path, 5, 7)).toBe('false')
    await one('integer.set', short.path, 258)
    expect(await hexOf(client, short.path)).toBe('00000102')
    await short.add(-1)
    expect(await one('integer.get', short.path)).toBe('257')
    await one('count.start', short.path, 0)
    expect(await one('count.get', short.path)).toBe('257')
  })

  it('loses no change of either, with and without the lock', async () => {
    const { client, curator } = meet()
    const counter = new AtomicCounter(client, '/atomic/rounds')
    const count = async (): Promise<void> => {
      for (let done = 0; done < WRITES; done += 1) await counter.add(1)
    }
    await Promise.all([
      count(), count(),
      curator('one')('long.add', counter.path, WRITES), curator('two')('long.addPromoted', counter.path, WRITES),
    ])
    expect(await counter.get()).toBe(BigInt(4 * WRITES))
    expect((await client.exists(`${counter.path}-lock`))?.numChildren ?? 0).toBe(0)
  })

  const without = noKazoo === null ? '' : ` (skipped: ${noKazoo})`
  it.skipIf(noKazoo !== null)(`loses no change of either, nor of kazoo${without}`, async () => {
    const { client, connectString, curator } = meet()
    const counter = new AtomicCounter(client, '/atomic/three', { bits: 32 })
    await curator('one')('count.start', counter.path, 7)
    await Promise.all([
      run(python('kazoo_counter.py'), [connectString, counter.path, String(WRITES)]),
      curator('one')('count.add', counter.path, WRITES),
      (async (): Promise<void> => {
        for (let done = 0; done < WRITES; done += 1) await counter.add(1)
      })(),
    ])
    expect(await counter.get()).toBe(BigInt(7 + 3 * WRITES))
  })
}

/** Writes as often as it takes for all to succeed; after one that came too late it waits for the value to follow. */
async function writeAll(value: SharedValue | SharedCount, trySet: () => Promise<boolean>): Promise<void> {
  const changes = value.watch()
  for (let done = 0; done < WRITES;) {
    if (await trySet()) done += 1
    else await changes.next()
  }
  await changes.return?.()
}

async function hexOf(client: Client, path: string): Promise<string> {
  return Buffer.from((await client.get(path)).data).toString('hex')
}

function text(bytes: Uint8Array | undefined): string {
  return new TextDecoder().decode(bytes)
}

async function stateOf(lock: ReadWriteLock): Promise<string[]> {
  return (await lock.contenders()).map(({ kind, holds }) => `${kind} ${holds ? 'holds' : 'waits'}`)
}

function releaseOf(lease: Lease): () => Promise<void> {
  return () => lease.release()
}
