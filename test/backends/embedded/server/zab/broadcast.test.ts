import { describe, expect, it } from 'vitest'
import { Err, EventType, OpCode } from '../../../../../src/backends/wire/codes.ts'
import type { Packet, PeerMessage } from '../../../../../src/backends/wire/packets.ts'
import { SERVER_DEFAULTS } from '../../../../../src/backends/embedded/server/config.ts'
import { counterOf, epochOf, zxidOf } from '../../../../../src/backends/embedded/server/zab/zxid.ts'
import { Cluster } from '../cluster.ts'
import { replyOf } from '../test-connection.ts'
import type { TestConnection } from '../test-connection.ts'

type LinkPacket = Extract<PeerMessage, { type: 'PACKET' }>

const VOTERS = [1, 2, 3]
/** The server that leads when all start together. */
const LEADER = 3
const OBSERVER = 9
const STEP_DOWN_TICKS = SERVER_DEFAULTS.syncLimitTicks + SERVER_DEFAULTS.pingTicks + 1

function ensemble(config = {}, voters: readonly number[] = VOTERS): Cluster {
  const cluster = new Cluster(voters, config)
  cluster.startAll(voters)
  return cluster
}

function exists(cluster: Cluster, connection: TestConnection, path: string, watch = false): number | undefined {
  const xid = cluster.request(connection, { op: OpCode.exists, body: { path, watch } })
  cluster.run()
  return replyOf(connection, xid)?.err
}

function sync(cluster: Cluster, connection: TestConnection): number {
  return cluster.request(connection, { op: OpCode.sync, body: { path: '/' } })
}

/** Writes down the packets that one server sends another. */
function listen(cluster: Cluster): { from: number; to: number; packet: Packet }[] {
  const heard: { from: number; to: number; packet: Packet }[] = []
  cluster.observer = {
    onSend: (from, to, message) => {
      if (message.type === 'PACKET') heard.push({ from, to, packet: message.packet })
    },
  }
  return heard
}

function ticksUntil(cluster: Cluster, condition: () => boolean): number {
  let ticks = 0
  cluster.tickUntil(() => {
    ticks += 1
    return condition()
  })
  return ticks - 1
}

describe('a write', () => {
  it('is committed when a majority has it durable, and not before', () => {
    const cluster = ensemble()
    const client = cluster.client(LEADER)
    for (const id of [1, 2]) cluster.holdDisk(id)
    const xid = cluster.create(client, '/a')
    cluster.tick(10)
    expect(replyOf(client, xid)).toBeUndefined()
    expect(cluster.server(LEADER).status().zxid).toBe(zxidOf(1, 1))
    cluster.releaseDisk(1)
    cluster.run()
    expect(replyOf(client, xid)).toMatchObject({ err: Err.ok, zxid: zxidOf(1, 2) })
  })

  it('is not committed by a leader that has it only in memory, with one of two followers', () => {
    const cluster = ensemble()
    const client = cluster.client(2)
    for (const id of [1, LEADER]) cluster.holdDisk(id)
    const xid = cluster.create(client, '/a')
    cluster.tick(10)
    expect(replyOf(client, xid)).toBeUndefined()
    cluster.releaseDisk(LEADER)
    cluster.run()
    expect(replyOf(client, xid)?.err).toBe(Err.ok)
  })

  it('that the followers committed is answered by a leader with a slow disk only when it has it itself', () => {
    const cluster = ensemble()
    const [atLeader, atFollower] = [cluster.client(LEADER), cluster.client(1)]
    cluster.holdDisk(LEADER)
    const [slow, quick] = [cluster.create(atLeader, '/a'), cluster.create(atFollower, '/b')]
    cluster.tick(10)
    expect([replyOf(atLeader, slow), replyOf(atFollower, quick)?.err]).toEqual([undefined, Err.ok])
    cluster.releaseDisk(LEADER)
    expect(replyOf(atLeader, slow)?.err).toBe(Err.ok)
  })

  it('is acknowledged by a follower after its disk has it, and proposed by a leader before its own', () => {
    const cluster = ensemble()
    const client = cluster.client(LEADER)
    for (const id of VOTERS) cluster.holdDisk(id)
    const heard = listen(cluster)
    cluster.create(client, '/a')
    cluster.run()
    expect(heard.map(({ packet }) => packet.type)).toEqual(['PROPOSAL', 'PROPOSAL'])
    cluster.releaseDisk(1)
    expect(heard.slice(2)).toEqual([{ from: 1, to: LEADER, packet: { type: 'ACK', zxid: zxidOf(1, 2) } }])
  })

  it('gets the next counter of its epoch, also if it is refused, and is in every log', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    const xids = ['/a', '/a', '/b', '/no/parent', '/c'].map((path) => cluster.create(client, path))
    cluster.run()
    expect(xids.map((xid) => replyOf(client, xid)?.zxid)).toEqual([2, 3, 4, 5, 6].map((counter) => zxidOf(1, counter)))
    for (const id of VOTERS) {
      expect(cluster.disk(id).entries.map(({ zxid }) => counterOf(zxid))).toEqual([1, 2, 3, 4, 5, 6])
    }
  })

  it('goes through a follower or an observer to the leader, and is answered by the server that was asked', () => {
    const cluster = ensemble()
    cluster.startAll([OBSERVER])
    for (const id of [1, OBSERVER]) {
      const client = cluster.client(id)
      const xid = cluster.create(client, `/from-${id}`)
      cluster.run()
      expect(replyOf(client, xid)?.err).toBe(Err.ok)
      for (const other of [...VOTERS, OBSERVER]) {
        expect(exists(cluster, cluster.client(other), `/from-${id}`)).toBe(Err.ok)
      }
    }
  })
})

describe('the last counter of an epoch', () => {
  it('makes way for a new epoch, in which no zxid is used again', () => {
    const cluster = ensemble({ epochCounterMax: 5 })
    const done: bigint[] = []
    for (let i = 0; done.length < 12; i++) {
      expect(i).toBeLessThan(40)
      cluster.tickUntil(() => VOTERS.every((id) => cluster.server(id).status().serving))
      const client = cluster.connect(1)
      cluster.run()
      const xids = [`/a${i}`, `/b${i}`].map((path) => cluster.create(client, path))
      cluster.run()
      for (const xid of xids) {
        const reply = replyOf(client, xid)
        if (reply?.err === Err.ok) done.push(reply.zxid)
      }
    }
    cluster.tickUntil(() => VOTERS.every((id) => cluster.server(id).status().serving))
    expect(new Set(done).size).toBe(done.length)
    expect(done.every((zxid) => counterOf(zxid) <= 5)).toBe(true)
    expect(epochOf(done.at(-1) ?? 0n)).toBeGreaterThan(2)
    const zxids = cluster.disk(1).entries.map(({ zxid }) => zxid)
    for (const id of VOTERS) expect(cluster.disk(id).entries.map(({ zxid }) => zxid)).toEqual(zxids)
    for (const zxid of done) expect(zxids).toContain(zxid)
  })

  it('is the last even if more is decided in the same turn: that is left to the next epoch', () => {
    const cluster = ensemble({ epochCounterMax: 5 })
    for (let i = 0; i < 4; i++) cluster.client(LEADER)
    // All four sessions end at the same tick, and there is one counter left.
    cluster.tickUntil(() => VOTERS.every((id) => cluster.server(id).status().sessions === 0))
    const zxids = cluster.disk(LEADER).entries.map(({ zxid }) => zxid)
    expect(zxids.map((zxid) => counterOf(zxid))).toEqual([1, 2, 3, 4, 5, 1, 2, 3])
    expect(new Set(zxids.map((zxid) => epochOf(zxid))).size).toBe(2)
  })
})

describe('a leader without a majority', () => {
  it('steps down in time, closes its clients, and has answered no write meanwhile', () => {
    const cluster = ensemble()
    const client = cluster.client(LEADER)
    cluster.network.partition([[LEADER], [1, 2]])
    const write = cluster.create(client, '/a')
    const ticks = ticksUntil(cluster, () => cluster.server(LEADER).status().role === 'LOOKING')
    expect(ticks).toBeLessThanOrEqual(STEP_DOWN_TICKS)
    expect([client.closed, replyOf(client, write)]).toEqual([true, undefined])
    const late = cluster.connect(LEADER)
    cluster.run()
    expect([late.closed, late.received]).toEqual([true, []])
  })

  it('answers no sync, however often it is asked before it steps down', () => {
    const cluster = ensemble()
    const client = cluster.client(LEADER)
    cluster.network.partition([[LEADER], [1, 2]])
    const xids: number[] = []
    cluster.tickUntil(() => {
      xids.push(sync(cluster, client))
      return client.closed
    })
    expect(xids.length).toBeGreaterThan(10)
    expect(xids.map((xid) => replyOf(client, xid)).filter((reply) => reply !== undefined)).toEqual([])
  })

  it('is not made to answer a sync by pings that were answered before it was asked', () => {
    const cluster = ensemble()
    const client = cluster.client(LEADER)
    cluster.tick(SERVER_DEFAULTS.pingTicks, [LEADER])
    for (let ticks = 0; ticks < SERVER_DEFAULTS.pingTicks; ticks++) cluster.tickOne(LEADER)
    for (const { from, to } of cluster.pairs()) cluster.deliver(from, to)
    expect(cluster.pairs()).toEqual([{ from: 1, to: LEADER }, { from: 2, to: LEADER }])
    cluster.network.partition([[LEADER], [1, 2]])
    const xid = sync(cluster, client)
    cluster.run()
    expect(replyOf(client, xid)).toBeUndefined()
    cluster.network.heal()
    cluster.run()
    expect(replyOf(client, xid)?.err).toBe(Err.ok)
  })

  it('has one again when a follower comes back soon enough, and goes on', () => {
    const cluster = ensemble()
    const client = cluster.client(LEADER)
    cluster.network.partition([[LEADER], [1, 2]])
    const write = cluster.create(client, '/a')
    cluster.tick(SERVER_DEFAULTS.pingTicks)
    cluster.network.heal()
    cluster.tick(2)
    expect([client.closed, replyOf(client, write)?.err, cluster.leader()]).toEqual([false, Err.ok, LEADER])
    expect(cluster.server(LEADER).status().epoch).toBe(1)
  })

  it('is no leader because observers follow it', () => {
    const cluster = ensemble()
    cluster.startAll([8, OBSERVER])
    const client = cluster.client(OBSERVER)
    for (const id of [1, 2]) cluster.crash(id)
    const write = cluster.create(client, '/a')
    const ticks = ticksUntil(cluster, () => cluster.server(LEADER).status().role === 'LOOKING')
    expect(ticks).toBeLessThanOrEqual(STEP_DOWN_TICKS)
    expect(replyOf(client, write)).toBeUndefined()
    cluster.tickUntil(() => client.closed)
  })
})

describe('a follower without its leader', () => {
  it('closes its clients in time, and answers nobody', () => {
    const cluster = ensemble()
    const client = cluster.client(1)
    cluster.network.partition([[1], [2, LEADER]])
    const ticks = ticksUntil(cluster, () => cluster.server(1).status().role === 'LOOKING')
    expect(ticks).toBeLessThanOrEqual(STEP_DOWN_TICKS)
    expect(client.closed).toBe(true)
    const late = cluster.connect(1)
    cluster.run()
    expect([late.closed, late.received]).toEqual([true, []])
    expect(cluster.leader()).toBe(LEADER)
  })
})

describe('an observer', () => {
  it('is informed of what is committed, and neither acknowledges nor sees a proposal', () => {
    const cluster = ensemble()
    cluster.startAll([OBSERVER])
    const client = cluster.client(1)
    const heard = listen(cluster)
    cluster.create(client, '/a')
    cluster.run()
    const types = heard.filter(({ from, to }) => from === OBSERVER || to === OBSERVER).map(({ packet }) => packet.type)
    expect(types).toEqual(['INFORM'])
  })

  it('serves reads, watches and syncs', () => {
    const cluster = ensemble()
    cluster.startAll([OBSERVER])
    const [reader, writer] = [cluster.client(OBSERVER), cluster.client(1)]
    expect(exists(cluster, reader, '/a', true)).toBe(Err.noNode)
    cluster.create(writer, '/a')
    cluster.run()
    const event = reader.received.find(({ kind }) => kind === 'event')
    expect(event).toMatchObject({ event: { type: EventType.nodeCreated, path: '/a' } })
    const asked = sync(cluster, reader)
    cluster.run()
    expect(replyOf(reader, asked)?.err).toBe(Err.ok)
    expect(exists(cluster, reader, '/a')).toBe(Err.ok)
  })

  it('is synchronised with what is committed, and with nothing that is only proposed', () => {
    const cluster = ensemble()
    const client = cluster.client(LEADER)
    cluster.start(OBSERVER)
    const isElected = (): boolean => cluster.server(OBSERVER).status().role === 'OBSERVING'
    while (!isElected()) expect(cluster.deliverOne()).toBe(true)
    for (const id of [1, 2]) cluster.holdDisk(id)
    cluster.create(client, '/a')
    cluster.tickUntil(() => cluster.server(OBSERVER).status().serving)
    expect(cluster.server(OBSERVER).status().loggedZxid).toBe(zxidOf(1, 1))
    for (const id of [1, 2]) cluster.releaseDisk(id)
    cluster.run()
    expect(cluster.server(OBSERVER).status().zxid).toBe(zxidOf(1, 2))
  })
})

describe('a sync', () => {
  it('makes every write visible that was acknowledged anywhere before it was asked for', () => {
    const cluster = ensemble()
    const [reader, writer] = [cluster.client(1), cluster.client(2)]
    cluster.holdDisk(1)
    const write = cluster.create(writer, '/a')
    cluster.run()
    expect(replyOf(writer, write)?.err).toBe(Err.ok)
    expect(exists(cluster, reader, '/a')).toBe(Err.noNode)
    const asked = sync(cluster, reader)
    const read = cluster.request(reader, { op: OpCode.exists, body: { path: '/a', watch: false } })
    cluster.tick(3)
    expect(replyOf(reader, asked)).toBeUndefined()
    cluster.releaseDisk(1)
    cluster.run()
    expect([replyOf(reader, asked)?.err, replyOf(reader, read)?.err]).toEqual([Err.ok, Err.ok])
  })

  it('waits for what was proposed before it, so that the fate of a write whose answer was lost is known', () => {
    for (const id of [LEADER, 1]) {
      const cluster = ensemble()
      const [reader, writer] = [cluster.client(id), cluster.client(2)]
      for (const slow of [LEADER, 1]) cluster.holdDisk(slow)
      cluster.create(writer, '/a')
      cluster.run()
      const asked = sync(cluster, reader)
      const read = cluster.request(reader, { op: OpCode.exists, body: { path: '/a', watch: false } })
      cluster.tick(3)
      expect(replyOf(reader, asked)).toBeUndefined()
      for (const slow of [LEADER, 1]) cluster.releaseDisk(slow)
      cluster.run()
      expect([replyOf(reader, asked)?.err, replyOf(reader, read)?.err]).toEqual([Err.ok, Err.ok])
    }
  })

  it('is not answered on the side of a leader that others have replaced', () => {
    const voters = [1, 2, 3, 4, 5]
    const cluster = ensemble({}, voters)
    const reader = cluster.client(1)
    cluster.network.partition([[1, 5], [2, 3, 4]])
    // Time passes on the other side only: the leader of old does not know yet.
    for (let ticks = 0; cluster.server(4).status().role !== 'LEADING' || !cluster.server(4).status().serving; ticks++) {
      expect(ticks).toBeLessThan(200)
      cluster.tick(1, [2, 3, 4])
    }
    const writer = cluster.client(4)
    const write = cluster.create(writer, '/new')
    cluster.run()
    expect(replyOf(writer, write)?.err).toBe(Err.ok)
    const asked = sync(cluster, reader)
    cluster.tick(10)
    expect(cluster.server(5).status()).toMatchObject({ role: 'LEADING', serving: true })
    expect(exists(cluster, reader, '/new')).toBeUndefined()
    cluster.tickUntil(() => reader.closed)
    expect(replyOf(reader, asked)).toBeUndefined()
    cluster.network.heal()
    cluster.tickUntil(() => voters.every((id) => cluster.server(id).status().serving))
    const again = cluster.client(1)
    sync(cluster, again)
    expect(exists(cluster, again, '/new')).toBe(Err.ok)
  })
})

describe('servers that lost their storage', () => {
  it('are no voters until the ensemble has given it back to them', () => {
    const cluster = ensemble()
    const client = cluster.client(2)
    cluster.create(client, '/a')
    cluster.run()
    cluster.crash(1)
    cluster.wipe(1)
    cluster.crash(LEADER)
    cluster.start(1)
    cluster.tick(300)
    expect([1, 2].map((id) => cluster.server(id).status().role)).toEqual(['LOOKING', 'LOOKING'])
    cluster.start(LEADER)
    cluster.tickUntil(() => VOTERS.every((id) => cluster.server(id).status().serving))
    expect(cluster.server(1).status().role).toBe('FOLLOWING')
    expect(exists(cluster, cluster.client(1), '/a')).toBe(Err.ok)
  })

  it('have no vote yet when they crash again between having caught up and having been confirmed', () => {
    const cluster = ensemble()
    cluster.crash(1)
    cluster.wipe(1)
    cluster.start(1)
    cluster.tick(5)
    expect(cluster.server(1).status()).toMatchObject({ role: 'OBSERVING', epoch: 1, serving: false })
    for (const id of [1, 2]) cluster.crash(id)
    cluster.start(1)
    cluster.tick(300)
    // Server 3 and a server that remembers its first life would be a majority.
    expect([1, LEADER].map((id) => cluster.server(id).status().role)).toEqual(['LOOKING', 'LOOKING'])
    cluster.start(2)
    cluster.tickUntil(() => VOTERS.every((id) => cluster.server(id).status().serving))
    cluster.crash(2)
    cluster.tick(50)
    expect(cluster.leader()).not.toBeNull()
  })

  it('are given their vote by the sync that asked for it, and by no other', () => {
    const cluster = ensemble()
    cluster.crash(1)
    cluster.wipe(1)
    let link = 0
    const withheld: LinkPacket[] = []
    cluster.intercept = (from, to, message) => {
      if (message.type !== 'PACKET' || from !== LEADER || to !== 1) return true
      link = message.link
      if (message.packet.type !== 'SYNCED') return true
      withheld.push(message)
      return false
    }
    cluster.start(1)
    cluster.tickUntil(() => withheld.length > 0)
    const server = cluster.server(1)
    server.receivePeer(link, { type: 'SYNCED', syncId: 7 })
    cluster.tick(1)
    expect(cluster.disk(1).votes).toBe(false)
    cluster.intercept = null
    for (const { link: number, packet } of withheld) server.receivePeer(number, packet)
    cluster.tickUntil(() => server.status().serving)
    expect(cluster.disk(1).votes).toBe(true)
  })

  it('are given no vote by a confirmation that they did not ask for', () => {
    const cluster = ensemble()
    for (const id of [1, OBSERVER]) {
      cluster.crash(id)
      cluster.wipe(id)
      let link = 0
      cluster.intercept = (from, to, message) => {
        if (message.type === 'PACKET' && from === LEADER && to === id) link = message.link
        return true
      }
      cluster.start(id)
      cluster.tick(5)
      const server = cluster.server(id)
      expect(server.status()).toMatchObject({ role: 'OBSERVING', epoch: 1 })
      // This is the number of the sync that asks for a vote.
      server.receivePeer(link, { type: 'SYNCED', syncId: 0 })
      cluster.tick(1)
      expect([cluster.disk(id).votes, server.status().role]).toEqual([false, 'OBSERVING'])
    }
    cluster.tickUntil(() => cluster.server(1).status().serving)
    expect([1, OBSERVER].map((id) => cluster.disk(id).votes)).toEqual([true, false])
  })

  it('are given no vote by the confirmation of what they asked for on an earlier link', () => {
    const cluster = ensemble()
    cluster.crash(1)
    cluster.wipe(1)
    const withheld: LinkPacket[] = []
    cluster.intercept = (from, to, message) => {
      if (message.type !== 'PACKET' || from !== LEADER || to !== 1 || message.packet.type !== 'SYNCED') return true
      withheld.push(message)
      return false
    }
    cluster.start(1)
    cluster.tickUntil(() => withheld.length === 1)
    cluster.breakLink(1, LEADER)
    cluster.tickUntil(() => withheld.length === 2)
    const server = cluster.server(1)
    const [earlier, present] = withheld
    for (const [message, votes] of [[earlier, false], [present, true]] as const) {
      if (message !== undefined) server.receivePeer(message.link, message.packet)
      cluster.tick(1)
      expect(cluster.disk(1).votes).toBe(votes)
    }
  })

  it('make the ensemble stop, rather than forget, if they are the majority', () => {
    const cluster = ensemble()
    const client = cluster.client(2)
    cluster.create(client, '/a')
    cluster.run()
    for (const id of VOTERS) cluster.crash(id)
    for (const id of [1, 2]) cluster.wipe(id)
    for (const id of VOTERS) cluster.start(id)
    cluster.tick(300)
    expect(VOTERS.map((id) => cluster.server(id).status().serving)).toEqual([false, false, false])
    const late = cluster.connect(2)
    expect(late.closed).toBe(true)
  })
})
