/** A leader that is about to end makes way: everything that it has begun is done, and the next one leads at once. */
import { describe, expect, it } from 'vitest'
import { Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { Cluster } from '../cluster.ts'
import { replyOf } from '../test-connection.ts'
import type { TestConnection } from '../test-connection.ts'

const VOTERS = [1, 2, 3]
/** The server that leads when all start together, and the one that leads after it. */
const LEADER = 3
const NEXT = 2

function ensemble(voters: readonly number[] = VOTERS): Cluster {
  const cluster = new Cluster(voters)
  cluster.startAll(voters)
  return cluster
}

function sync(cluster: Cluster, connection: TestConnection): number {
  return cluster.request(connection, { op: OpCode.sync, body: { path: '/' } })
}

describe('a leader that makes way', () => {
  it('is followed by another one without a tick', () => {
    const cluster = ensemble()
    cluster.leave(LEADER)
    cluster.run()
    expect(cluster.server(LEADER).hasLeft).toBe(true)
    cluster.crash(LEADER)
    cluster.run()
    expect(cluster.status()).toEqual([
      `1 FOLLOWING leader ${NEXT} serving epoch 2 applied 0x0 logged 0x0`,
      `2 LEADING leader ${NEXT} serving epoch 2 applied 0x0 logged 0x0`,
    ])
  })

  it('is followed without a tick by whoever has the longest log, although it would win itself', () => {
    const cluster = ensemble()
    const client = cluster.client(LEADER)
    cluster.holdDisk(NEXT)
    cluster.create(client, '/a')
    cluster.run()
    cluster.leave(LEADER)
    cluster.run()
    cluster.releaseDisk(NEXT)
    cluster.run()
    expect([cluster.leader(), cluster.server(1).status().epoch]).toEqual([NEXT, 2])
  })

  it('answers everything that it was asked for before, here and at its followers', () => {
    const cluster = ensemble()
    const clients = VOTERS.map((id) => cluster.client(id))
    for (const id of VOTERS) cluster.holdDisk(id)
    const created = clients.map((client, index) => cluster.create(client, `/before-${index}`))
    cluster.run()
    const synced = clients.map((client) => sync(cluster, client))
    // Without a majority, nothing is committed; the requests of the followers are with the leader.
    cluster.run()
    cluster.leave(LEADER)
    cluster.run()
    expect(cluster.server(LEADER).hasLeft).toBe(false)
    for (const id of VOTERS) cluster.releaseDisk(id)
    cluster.run()
    expect(cluster.server(LEADER).hasLeft).toBe(true)
    for (const [index, client] of clients.entries()) {
      expect(replyOf(client, created[index] ?? 0)?.err).toBe(Err.ok)
      expect(replyOf(client, synced[index] ?? 0)?.err).toBe(Err.ok)
    }
  })

  it('proposes nothing more, so that what comes late is not done by halves', () => {
    const cluster = ensemble()
    const [client, other] = [cluster.client(1), cluster.client(LEADER)]
    for (const id of VOTERS) cluster.holdDisk(id)
    cluster.create(other, '/before')
    cluster.leave(LEADER)
    const late = [cluster.create(client, '/late'), cluster.create(other, '/late-here'), sync(cluster, client)]
    cluster.run()
    const { loggedZxid } = cluster.server(LEADER).status()
    for (const id of VOTERS) cluster.releaseDisk(id)
    cluster.run()
    expect(late.map((xid) => replyOf(client, xid) ?? replyOf(other, xid))).toEqual([undefined, undefined, undefined])
    expect([client.closed, other.closed]).toEqual([true, true])
    expect(cluster.server(1).status().loggedZxid).toBe(loggedZxid)
  })

  it('ends no session, however long it takes', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    for (const id of VOTERS) cluster.holdDisk(id)
    cluster.create(client, '/before')
    cluster.run()
    cluster.leave(LEADER)
    cluster.tick(19)
    cluster.hangUp(client)
    for (const id of VOTERS) cluster.releaseDisk(id)
    cluster.run()
    cluster.client(NEXT, client)
  })

  it('does not lead again, and votes for nobody, while it is there', () => {
    const cluster = ensemble()
    cluster.leave(LEADER)
    cluster.run()
    cluster.crash(1)
    cluster.tick(200)
    expect(cluster.leader()).toBeNull()
    const elected = cluster.events.flatMap(({ server, event }) => {
      return server === LEADER && event.type === 'elected' ? event.vote.leader : []
    })
    expect(elected.filter((leader) => leader === LEADER)).toHaveLength(1)
  })

  it('is waited for no longer than it leads: without a majority it gives up', () => {
    const cluster = ensemble()
    const client = cluster.client(LEADER)
    for (const id of VOTERS) cluster.holdDisk(id)
    cluster.create(client, '/a')
    cluster.leave(LEADER)
    cluster.run()
    for (const id of [1, 2]) cluster.crash(id)
    cluster.tickUntil(() => cluster.server(LEADER).hasLeft, 10)
  })

  it('has left at once if it does not lead', () => {
    const cluster = ensemble()
    cluster.leave(1)
    expect(cluster.server(1).hasLeft).toBe(true)
    cluster.run()
    expect(cluster.server(1).status().serving).toBe(true)
  })
})

describe('the election after a leader that ended its links', () => {
  it('does not wait for the vote of a leader that crashed', () => {
    const cluster = ensemble()
    cluster.crash(LEADER)
    cluster.run()
    expect(cluster.leader()).toBe(NEXT)
  })

  it('waits for better votes where another server is silent too', () => {
    const cluster = ensemble([1, 2, 3, 4, 5])
    cluster.crash(1)
    cluster.crash(5)
    cluster.run()
    expect(cluster.leader()).toBeNull()
    cluster.tick(2)
    expect(cluster.leader()).toBe(4)
  })

  it('waits for the vote of a leader that was silent: it may come', () => {
    const cluster = ensemble()
    cluster.network.partition([[1, 2], [LEADER]])
    const isDeaf = (id: number): boolean => {
      return cluster.events.some(({ server, event }) => {
        return server === id && event.type === 'looking' && event.reason.startsWith('nothing heard')
      })
    }
    cluster.tickUntil(() => isDeaf(1) && isDeaf(NEXT))
    expect(cluster.server(NEXT).status().role).toBe('LOOKING')
    cluster.tick(2)
    expect(cluster.server(NEXT).status()).toMatchObject({ role: 'LEADING', serving: true })
  })
})
