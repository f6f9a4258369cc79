import { describe, expect, it } from 'vitest'
import { Cluster } from '../cluster.ts'
import type { Notification } from '../../../../../src/backends/wire/packets.ts'

const LONG_TICKS = 400
const INIT_LIMIT_TICKS = 60

/** Servers of which none knows what the others have on their disks. */
function strangers(voters: readonly number[] = [1, 2, 3]): Cluster {
  const cluster = new Cluster(voters, { beginsTogether: true })
  cluster.isTracing = false
  return cluster
}

function serving(cluster: Cluster): number[] {
  return [...cluster.members].filter(([, { server }]) => server.status().serving).map(([id]) => id).sort()
}

/** Starts servers and lets them find each other. */
function start(cluster: Cluster, ...ids: number[]): void {
  for (const id of ids) cluster.start(id)
  cluster.run()
}

describe('servers with empty disks', () => {
  it('begin when all of them have met, each with a vote, and not before', () => {
    const cluster = strangers()
    start(cluster, 1, 2)
    cluster.tick(LONG_TICKS)
    expect(serving(cluster)).toEqual([])
    expect([1, 2].map((id) => cluster.disk(id).votes)).toEqual([false, false])
    start(cluster, 3)
    cluster.tick(20)
    expect(serving(cluster)).toEqual([1, 2, 3])
    expect([1, 2, 3].map((id) => cluster.disk(id).votes)).toEqual([true, true, true])
  })

  it('begin also if one of them ends in the middle, and comes back with its disk or without', () => {
    for (const isWiped of [false, true]) {
      const cluster = strangers()
      start(cluster, 1, 2, 3)
      cluster.crash(2)
      if (isWiped) cluster.wipe(2)
      cluster.tick(30)
      start(cluster, 2)
      cluster.tickUntil(() => serving(cluster).length === 3, INIT_LIMIT_TICKS + 60)
    }
  })

  it('start again with any majority', () => {
    const cluster = strangers()
    start(cluster, 1, 2, 3)
    cluster.tickUntil(() => serving(cluster).length === 3)
    for (const id of [1, 2, 3]) cluster.crash(id)
    start(cluster, 1, 2)
    cluster.tickUntil(() => serving(cluster).length === 2, 30)
  })
})

describe('a server whose disk is lost', () => {
  /** 3 has a history, which 2 had too; 1 had a vote, and has heard of nothing since. */
  function lostOnTwo(): Cluster {
    const cluster = strangers()
    cluster.fillLog(3, 5, 1)
    cluster.setEpochs(1, 0, 0)
    cluster.wipe(2)
    return cluster
  }

  it('does not make a majority with one that knows nothing: the history is that of the third', () => {
    const cluster = lostOnTwo()
    start(cluster, 1, 2)
    cluster.tick(LONG_TICKS)
    expect(serving(cluster)).toEqual([])
    start(cluster, 3)
    cluster.tickUntil(() => serving(cluster).length === 3, INIT_LIMIT_TICKS + LONG_TICKS)
    expect(cluster.leader()).toBe(3)
    for (const id of [1, 2]) expect(cluster.server(id).status().loggedZxid).toBe(cluster.server(3).status().loggedZxid)
  })

  it('gets no vote from one that has accepted an epoch and logged nothing', () => {
    const cluster = strangers()
    cluster.setEpochs(3, 1, 0)
    cluster.setEpochs(1, 0, 0)
    // They do not hear each other, so neither is elected, and both hear 2.
    cluster.intercept = (from, to) => from === 2 || to === 2
    start(cluster, 1, 2, 3)
    cluster.tick(LONG_TICKS)
    expect(cluster.disk(2).votes).toBe(false)
    cluster.intercept = null
    cluster.tickUntil(() => cluster.disk(2).votes, INIT_LIMIT_TICKS + LONG_TICKS)
  })

  it('does not count what was said to its earlier life', () => {
    const cluster = strangers()
    const heard: { from: number; notification: Notification }[] = []
    cluster.intercept = (from, to, message) => {
      if (to === 2 && message.type === 'NOTIFICATION') heard.push({ from, notification: message })
      return true
    }
    start(cluster, 1, 2, 3)
    cluster.tickUntil(() => serving(cluster).length === 3)
    cluster.intercept = null
    expect(heard.filter(({ notification }) => notification.state === 'OBSERVING').map(({ from }) => from).sort())
      .toEqual(expect.arrayContaining([1, 3]))
    for (const id of [1, 2, 3]) cluster.crash(id)
    cluster.wipe(2)
    start(cluster, 2)
    for (const { from, notification } of heard) cluster.server(2).receiveVote(from, notification)
    cluster.tick(5)
    expect(cluster.disk(2).votes).toBe(false)
  })
})
