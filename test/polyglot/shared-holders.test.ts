/** Holders that a process of ours and one in another language ask to give up, or follow as leaders. */
import { describe, expect, it } from 'vitest'
import { FairLock } from '../../src/recipes/locks/fair-lock.ts'
import { LeaderElection } from '../../src/recipes/leader/leader-election.ts'
import { reasonToSkip } from '../engines/process.ts'
import { Occupants } from './occupants.ts'
import { hasKazoo, python, run } from './programs.ts'
import { WAIT, describeMeetings, until } from './meeting.ts'
import type { Meeting } from './meeting.ts'

const ROUNDS = 4
const noKazoo = reasonToSkip('kazoo', hasKazoo)

describeMeetings((meet) => {
  describe("a lock with Curator's Revoker and Revocable", () => {
    testRevocation(meet)
  })
  describe("an election with Curator's LeaderSelector and kazoo's Election", () => {
    testElections(meet)
  })
})

function testRevocation(meet: () => Meeting): void {
  it("tells a holder of ours of the request of Curator's Revoker", async () => {
    const { client, curator } = meet()
    const lock = new FairLock(client, '/revoke/ours')
    const lease = await lock.acquire({ ...WAIT, revocable: true })
    const reasons: string[] = []
    lease.onRevoke(async ({ reason }) => {
      reasons.push(reason)
      await lease.release()
    })
    const theirs = curator('one')('mutex.acquire', lock.path, WAIT.waitMs)
    await until(async () => (await lock.contenders()).length === 2, 'theirs waits')
    expect(await curator('two')('mutex.revoke', lock.path)).toBe('2')
    expect(await theirs).toBe('true')
    await lease.release()
    expect([reasons, lease.state]).toEqual([[''], 'released'])
    await curator('one')('mutex.release', lock.path)
  })

  it('tells a Revocable of Curator of our request, unless it has a reason', async () => {
    const { client, curator } = meet()
    const [lock, one] = [new FairLock(client, '/revoke/theirs'), curator('one')]
    await one('mutex.revocable', lock.path)
    expect(await one('mutex.acquire', lock.path, WAIT.waitMs)).toBe('true')
    const [holder] = await lock.contenders()
    expect((await lock.revoke({ reason: 'a deploy' })).map(({ path }) => path)).toEqual([holder?.path])
    expect((await lock.revoke()).map(({ path }) => path)).toEqual([holder?.path])
    await until(async () => await one('mutex.asked', lock.path) === '1', 'the request')
    const ours = lock.acquire(WAIT)
    await one('mutex.release', lock.path)
    await (await ours).release()
    expect(await one('mutex.asked', lock.path)).toBe('1')
  })

  it("is refused by ZooKeeper's servers, and not heard on ours, if the holder of ours is not revocable", async () => {
    const { servers, client, curator } = meet()
    const lock = new FairLock(client, '/revoke/not')
    await using lease = await lock.acquire({ ...WAIT, data: 'mine' })
    const isRefused = servers === 'ZooKeeper'
    const revoking = curator('one')('mutex.revoke', lock.path).catch(String)
    expect(await revoking).toMatch(isRefused ? /NoAuth/ : /^1$/)
    const [holder] = await lock.contenders()
    expect(new TextDecoder().decode(holder?.data)).toBe(isRefused ? 'mine' : '__REVOKE__')
    lease.throwIfLost()
  })

  it('evicts a holder of Curator, whose lock ours then gets', async () => {
    const { client, curator } = meet()
    const [lock, one] = [new FairLock(client, '/revoke/evict'), curator('one')]
    expect(await one('mutex.acquire', lock.path, WAIT.waitMs)).toBe('true')
    const ours = lock.acquire(WAIT)
    await until(async () => (await lock.contenders()).length === 2, 'ours waits')
    const [holder] = await lock.contenders()
    if (holder === undefined) throw new Error('nobody holds')
    await lock.evict(holder)
    await (await ours).release()
    await one('mutex.release', lock.path)
  })
}

function testElections(meet: () => Meeting): void {
  it('hands over between ours and a LeaderSelector, and each lists the other', async () => {
    const { client, curator } = meet()
    const [one, path] = [curator('one'), '/selector/hand-over']
    await using election = new LeaderElection<string>(client, path, { id: 'ours', data: 'here', layout: 'selector' })
    await one('selector.start', path, 'theirs')
    await until(async () => await one('selector.leads', path) === 'true', 'theirs leads')
    const campaign = election.campaign(WAIT)
    await until(async () => (await election.candidates()).length === 2, 'two candidates')
    expect(await election.candidates()).toMatchObject([{ id: 'theirs', leads: true }, { id: 'ours', leads: false }])
    await one('selector.close', path)
    await using leadership = await campaign
    expect(await election.leader()).toMatchObject({ id: 'ours', data: 'here' })
    await one('selector.start', path, 'again')
    await until(async () => (await election.candidates()).length === 2, 'two candidates')
    expect(await one('selector.leader', path)).toBe('ours')
    expect(await one('selector.leads', path)).toBe('false')
    expect(await leadership.transferTo('again', WAIT)).toBe(true)
    await until(async () => await one('selector.leads', path) === 'true', 'theirs leads again')
    await one('selector.close', path)
  })

  const without = noKazoo === null ? '' : ` (skipped: ${noKazoo})`
  it.skipIf(noKazoo !== null)(`has one leader at a time among ours and those of kazoo${without}`, async () => {
    const { client, connectString } = meet()
    const path = '/election/rounds'
    const room = new Occupants((inside) => inside.length <= 1)
    const ours = room.rounds('ours', ROUNDS, async () => {
      const election = new LeaderElection(client, path, { id: 'ours', layout: 'kazoo' })
      const leadership = await election.campaign(WAIT)
      return () => leadership.resign()
    })
    const asks = {
      ready: () => undefined,
      enter: (who: string) => room.enter(who),
      leave: (who: string) => room.leave(who),
    }
    const theirs = run(python('kazoo_election.py'), [connectString, path, String(ROUNDS), 'kazoo'], asks)
    const [, listed] = await Promise.all([ours, theirs])
    expect(listed.some((line) => line.split(',').includes('kazoo'))).toBe(true)
    expect(room.breaches).toEqual([])
    expect(room.entered).toHaveLength(2 * ROUNDS)
  })
}
