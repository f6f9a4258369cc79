/** Who tells a client that its session is over, and when: after that nothing of the session may be done any more. */
import { describe, expect, it } from 'vitest'
import { CreateFlag, Err, OpCode } from '../../../../../src/backends/wire/codes.ts'
import { SERVER_DEFAULTS } from '../../../../../src/backends/embedded/server/config.ts'
import { Cluster } from '../cluster.ts'
import { replyOf } from '../test-connection.ts'
import type { TestConnection } from '../test-connection.ts'

const VOTERS = [1, 2, 3, 4, 5]
/** The server that leads when all start together. */
const LEADER = 5
const MAJORITY = [1, 2, 3]
/** The session time-out that {@link Cluster.connect} asks for, in ticks. */
const TIMEOUT_TICKS = 1_000 / SERVER_DEFAULTS.tickMs

/** The answer to a client whose session is over. */
const OVER = [{ kind: 'connect', response: { timeOut: 0, sessionId: 0n } }]

function ensemble(config = {}): Cluster {
  const cluster = new Cluster(VOTERS, config)
  cluster.startAll(VOTERS)
  return cluster
}

function exists(cluster: Cluster, connection: TestConnection, path: string): number | undefined {
  const xid = cluster.request(connection, { op: OpCode.exists, body: { path, watch: false } })
  cluster.run()
  return replyOf(connection, xid)?.err
}

/** A majority has another leader, and the leader before and server 4 have not noticed. */
function deposed(config = {}): Cluster {
  const cluster = ensemble(config)
  cluster.network.partition([MAJORITY, [4, LEADER]])
  for (let ticks = 0; cluster.server(1).status().leader !== 3 || !cluster.server(1).status().serving; ticks++) {
    if (ticks > 1_000) throw new Error(cluster.status().join('\n'))
    cluster.tick(1, MAJORITY)
  }
  expect([4, LEADER].map((id) => cluster.server(id).status())).toMatchObject([
    { leader: LEADER, serving: true, epoch: 1 }, { role: 'LEADING', serving: true, epoch: 1 },
  ])
  return cluster
}

function expired({ events }: Cluster, { sessionId }: TestConnection): boolean {
  return events.some(({ event }) => event.type === 'expired' && event.sessionId === sessionId)
}

function heal(cluster: Cluster): void {
  cluster.network.heal()
  cluster.tickUntil(() => VOTERS.every((id) => cluster.server(id).status().leader === 3))
  cluster.tickUntil(() => VOTERS.every((id) => cluster.server(id).status().serving))
}

describe('a leader that does not know that it is deposed', () => {
  // The client has its session's id and password, and no zxid yet, so no server can tell that it comes from the future.
  it.each([['it', LEADER], ['a server that follows it', 4]])(
    'tells nobody at %s that a session is over which began under another leader',
    (_, place) => {
      const cluster = deposed()
      const client = cluster.client(1)
      const late = cluster.create(client, '/late', CreateFlag.ephemeral)
      const moved = cluster.connect(place, client)
      cluster.run()
      expect(moved.received).toEqual([])
      expect(replyOf(client, late)?.err).toBe(Err.ok)
      heal(cluster)
      expect([moved.received, moved.closed]).toEqual([[], true])
      const back = cluster.client(place, client)
      expect(back.sessionId).toBe(client.sessionId)
      expect(exists(cluster, back, '/late')).toBe(Err.ok)
    },
  )

  it.each([['it', LEADER], ['a server that follows it', 4]])(
    'tells nobody at %s that a local session is over of a server that follows another leader',
    (_, place) => {
      const cluster = deposed({ localSessions: 'upgradeable' })
      const client = cluster.client(1)
      const moved = cluster.connect(place, client)
      cluster.run()
      expect(moved.received).toEqual([])
      const late = cluster.create(client, '/late')
      cluster.run()
      expect(replyOf(client, late)?.err).toBe(Err.ok)
    },
  )
})

describe('the end of a session', () => {
  it.each([['the leader', LEADER], ['another server', 4]])(
    'is told by %s when it is committed, since another leader may know nothing of it before',
    (_, place) => {
      const cluster = ensemble({ syncLimitTicks: 4 * TIMEOUT_TICKS })
      const client = cluster.client(place)
      cluster.create(client, '/mine', CreateFlag.ephemeral)
      cluster.run()
      cluster.hangUp(client)
      // Nothing that the leader proposes from now on gets to a majority.
      cluster.network.partition([MAJORITY, [4, LEADER]])
      for (let ticks = 0; ticks < 2 * TIMEOUT_TICKS && !expired(cluster, client); ticks++) cluster.tick(1, [4, LEADER])
      expect(expired(cluster, client)).toBe(true)
      const early = cluster.connect(place, client)
      cluster.run()
      expect([early.received, cluster.server(LEADER).status()]).toMatchObject([[], { role: 'LEADING', serving: true }])
      cluster.crash(LEADER)
      cluster.crash(4)
      cluster.network.heal()
      cluster.tickUntil(() => cluster.leader() === 3)
      const back = cluster.client(3, client)
      expect([back.sessionId, exists(cluster, back, '/mine')]).toEqual([client.sessionId, Err.ok])
    },
  )

  it.each(VOTERS)('that is committed is told by server %d, to all who ask at once', (place) => {
    const cluster = ensemble()
    const client = cluster.client(place)
    cluster.request(client, { op: OpCode.closeSession, body: null })
    cluster.run()
    const asked = [client, { sessionId: 77n, passwd: new Uint8Array(16) }, client].map((resume) => {
      return cluster.connect(place, resume)
    })
    cluster.run()
    for (const { received, closed } of asked) expect([received, closed]).toMatchObject([OVER, true])
  })

  it('is not told by a leader that makes way: the next one knows better', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    cluster.holdDisk(LEADER)
    cluster.create(client, '/last')
    cluster.run()
    cluster.leave(LEADER)
    const stranger = cluster.connect(4, { sessionId: 77n, passwd: new Uint8Array(16) })
    cluster.run()
    expect([stranger.received, cluster.server(LEADER).status()]).toMatchObject([[], { role: 'LEADING', serving: true }])
    cluster.releaseDisk(LEADER)
    cluster.tickUntil(() => cluster.leader() === 4 || cluster.leader() === 3)
    expect(stranger.closed).toBe(true)
  })
})
